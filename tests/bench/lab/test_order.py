from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pixstore.bench.images import Sample, built_in
from pixstore.bench.lab import order
from pixstore.bench.lab.lab import Lab
from pixstore.bench.measurements import Measurements, Observation
from pixstore.bench.statistics import Spread
from pixstore.bench.ways import catalog
from pixstore.bench.ways.base import Way

RUN = Measurements({}, {}, {"ways": {"a": {"title": "A"}, "b": {"title": "B"}}})


def lab(folder: Path, sample: Sample, *names: str) -> Lab:
    ways: list[Way] = [catalog.find(name, None, 2) for name in names]
    return Lab(sample, ways, folder / "lab", 2)


def answers(seconds: dict[tuple[str, str, str], float]) -> list[Observation]:
    return [
        Observation("order", way, 1000, {"order": how, "access": access}, Spread.of([each] * 5))
        for (way, how, access), each in seconds.items()
    ]


def test_every_order_reads_every_row_once() -> None:
    for rows in order.orders(2500).values():
        assert sorted(rows.tolist()) == list(range(2500))


def test_windows_stay_in_their_place_and_strides_go_through_all() -> None:
    found = order.orders(2500)
    for start in range(0, 2500, order.WINDOW):
        window = found["shuffled in windows"][start : start + order.WINDOW]
        assert window.min() == start and (np.diff(window) < 0).any()
    assert found["strided"][:3].tolist() == [0, 10, 20]


def test_every_cell_is_measured_and_checked(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (20, 400, 600, 3), np.uint8)
    here = lab(tmp_path, Sample("large images", "folder", 20, images, np.arange(20)), "packed/raw", "lmdb/raw")
    trials = order.QUESTION.trials(here)
    assert len(trials) == 2 * 4 * 2
    for trial in trials:
        assert trial.images == (here.count() if trial.setting["access"] == order.MANY else here.count() // order.ONE_OF)
        assert trial.stored_images == here.count() == 88
        assert trial.measure().seconds > 0


def test_photos_of_mixed_sizes_are_read_too(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    images = [random.integers(0, 256, (size, 700, 3), np.uint8) for size in range(400, 408)]
    here = lab(tmp_path, Sample("photos", "folder", 8, images, np.arange(8)), "hand-files", "packed/png")
    for trial in order.QUESTION.trials(here):
        assert trial.measure().seconds > 0


def test_the_answer_names_the_fastest_and_what_shuffling_costs() -> None:
    seen = {("a", "in order", order.MANY): 1.0, ("a", "shuffled", order.MANY): 2.0, ("a", "shuffled", order.ONE): 20.0}
    seen |= {("b", "in order", order.MANY): 4.0, ("b", "shuffled", order.MANY): 4.0, ("b", "shuffled", order.ONE): 4.0}
    first, second = order.QUESTION.sentences(answers(seen), RUN)
    assert "fastest with A, 500 images per second" in first
    assert first.endswith("; shuffling costs most with A, 2× the time of reading in order, and least with B, nothing beyond the noise.")
    assert second.endswith("gives most with A, 10× as many images per second, and least with B, nothing beyond the noise.")


def test_ways_that_cannot_be_told_apart_are_named_together() -> None:
    seen = {(way, how, order.MANY): 1.0 for way in "ab" for how in ("in order", "shuffled")}
    assert "fastest with A (not told apart from B)" in order.QUESTION.sentences(answers(seen), RUN)[0]


@pytest.mark.parametrize("seen", [{}, {("a", "shuffled", order.MANY): 1.0}])
def test_nothing_is_said_of_what_was_not_measured(seen: dict[tuple[str, str, str], float]) -> None:
    assert order.QUESTION.sentences(answers(seen), RUN) == []


def test_a_way_that_reads_everything_when_it_opens_is_left_out_and_that_is_said(tmp_path: Path) -> None:
    trials = order.QUESTION.trials(lab(tmp_path, built_in(40), "tutorial-hdf5", "tutorial-png"))
    assert {trial.way for trial in trials} == {"tutorial-png"}
    assert "the tutorial's HDF5, which reads everything when it opens, is left out" in order.QUESTION.asks.replace("The", "the")
