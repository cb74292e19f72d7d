"""What a process reads in each order mode; here read in this very process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixstore.bench.carried import digest_of
from pixstore.bench.images import Sample, built_in
from pixstore.bench.lab import epochs
from pixstore.bench.lab.epochs import MAPPED, MODES, OWN_IO, PSEUDO, Mode, Plan
from pixstore.bench.lab.lab import Lab
from pixstore.bench.residency import files_below, make_cold
from pixstore.errors import DependencyError


@given(st.sampled_from(MODES), st.integers(16, 3000), st.integers(1, 300), st.integers(0, 3))
def test_every_pass_has_every_row_once(mode: Mode, images: int, batch: int, epoch: int) -> None:
    assert sorted(epochs.passes(mode, images, batch, epoch).tolist()) == list(range(images))


def test_modes_are_what_their_names_say() -> None:
    in_order, shuffled, window, pseudo = (epochs.passes(mode, 10_000, 100, 0) for mode in MODES)
    assert in_order.tolist() == list(range(10_000))
    assert np.abs(np.diff(shuffled)).mean() > 3000
    assert 0 < len(np.unique(window[:2500] // 39)) < 80, "a window of our loader's shuffle has the rows of 64 pages"
    assert pseudo[:5000].max() < 5000 <= pseudo[5000:].min()
    assert (np.diff(pseudo[:5000]) < 0).any()


@pytest.mark.parametrize("mode", ["shuffled", "window-shuffled", PSEUDO])
def test_epochs_differ(mode: Mode) -> None:
    first, second = (epochs.passes(mode, 1000, 10, epoch) for epoch in (0, 1))
    assert (first == second).mean() < 0.05


@pytest.fixture
def plan(make_lab: Callable[..., Lab]) -> tuple[Plan, Lab]:
    lab = make_lab(built_in(61), ["packed/raw"], 61)
    work = lab.work(61)
    folder = lab.stored(lab.ways[0], work)
    return Plan("packed/raw", 1, str(folder), [32, 32, 3], "|u1", 61, "in order", OWN_IO, 8, 3, 60.0), lab


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("io", [OWN_IO, MAPPED])
def test_all_epochs_are_read_and_checked_by_a_digest(mode: Mode, io: epochs.Io, plan: tuple[Plan, Lab]) -> None:
    asked, lab = plan
    read = epochs.read(asdict(replace(asked, mode=mode, io=io)))
    assert read["images"] == 3 * 61
    assert read["seconds"] > 0
    assert read["digest"] == digest_of(lab.work(61), epochs.checked_rows(61), is_lossy=False)


def test_reading_stops_after_a_few_batches_when_its_time_is_over(plan: tuple[Plan, Lab]) -> None:
    assert epochs.read(asdict(replace(plan[0], seconds=0.0)))["images"] == epochs.LEAST_BATCHES * 8


def test_every_file_has_been_read_once_before_the_clock_starts(plan: tuple[Plan, Lab]) -> None:
    part = make_cold(files_below(Path(plan[0].folder))).part
    if part is None or part > 0.5:
        pytest.skip(f"of the files {part} stays in memory here")
    assert epochs.read(asdict(replace(plan[0], seconds=0.0, held_bytes=1 << 20)))["part_before"] == 1.0


def test_images_of_many_sizes_are_read_too(make_lab: Callable[..., Lab]) -> None:
    random = np.random.default_rng(0)
    images = [random.integers(0, 256, (4 + size, 5, 3), np.uint8) for size in range(20)]
    lab = make_lab(Sample("mixed", "folder", 20, images, np.arange(20)), ["packed/raw"], 20)
    folder = lab.stored(lab.ways[0], lab.work(20))
    asked = Plan("packed/raw", 1, str(folder), None, "|u1", 20, "shuffled", OWN_IO, 8, 2, 60.0)
    assert epochs.read(asdict(asked))["digest"] == digest_of(lab.work(20), epochs.checked_rows(20), is_lossy=False)


def test_the_need_of_a_process_is_its_private_memory(plan: tuple[Plan, Lab]) -> None:
    held = np.ones(32 << 20, np.uint8)
    try:
        assert epochs.need(asdict(plan[0])) > held.nbytes
    except DependencyError as error:
        pytest.skip(str(error))
