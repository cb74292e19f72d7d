"""Utilisation at a demand: who keeps up, at which demand, and what is said of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pixstore.bench.images import Sample
from pixstore.bench.lab import demand
from pixstore.bench.lab.lab import DifferenceError, Lab
from pixstore.bench.measurements import Measurements, Observation
from pixstore.bench.statistics import Spread
from pixstore.bench.ways import catalog

RUN = Measurements({}, {}, {"ways": {name: {"title": name.upper()} for name in "abc"}})


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demand, "SECONDS", 0.05)
    monkeypatch.setattr(demand, "MOST_BYTES", 20_000)


def lab(folder: Path, sample: Sample, *names: str) -> Lab:
    return Lab(sample, [catalog.find(name, None, 2) for name in names], folder / "lab", 2)


def images(count: int = 40) -> Sample:
    pixels = np.random.default_rng(0).integers(0, 256, (count, 8, 6, 3), np.uint8)
    return Sample("images", "folder", count, pixels, np.arange(count))


def cell(way: str, at: int, waits: float) -> Observation:
    spread = Spread.of([waits] * 5)
    return Observation("demand", way, 1000, {"demand": at, "batch": 8}, Spread.of([1.0]), {"waiting_share": spread})


def free(way: str, rate: float) -> Observation:
    spread = Spread.of([rate * 0.99, rate, rate, rate, rate * 1.01])
    return Observation("demand", way, 1000, {"pace": demand.FREE, "batch": 8}, Spread.of([1.0]), {demand.CEILING: spread})


@pytest.mark.usefixtures("short")
def test_every_way_is_asked_at_every_demand_and_as_fast_as_it_can(tmp_path: Path) -> None:
    here = lab(tmp_path, images(), "tutorial-lmdb", "packed/raw")
    trials = demand.QUESTION.trials(here)
    assert [trial.setting.get("demand") for trial in trials] == [*demand.SMALL_DEMANDS, None] * 2
    for trial in trials:
        seen = trial.measure()
        if "demand" in trial.setting:
            assert 0 <= seen.measures["waiting_share"] < 1
            assert 0 < seen.measures["reached_images_per_second"] <= trial.setting["demand"] * 1.001
        else:
            assert seen.measures[demand.CEILING] == pytest.approx(seen.measures["free_images_per_second"] / 0.9)
        assert seen.proof["images_taken"] > 0


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize("name", ["packed/png", "hand-files"])
def test_large_images_of_mixed_sizes_are_asked_for_more_slowly(name: str, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    photos = [random.integers(0, 256, (150 + place, 200, 3), np.uint8) for place in range(10)]
    here = lab(tmp_path, Sample("photos", "folder", 10, photos, np.arange(10)), name)
    trials = demand.QUESTION.trials(here)
    assert [trial.setting.get("demand") for trial in trials] == [*demand.LARGE_DEMANDS, None]
    assert trials[1].measure().measures["waiting_share"] >= 0


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize("name", ["packed/raw", "hand-memmap"])
def test_a_wrong_image_is_found(name: str, tmp_path: Path) -> None:
    here = lab(tmp_path, images(16), name)
    trial = demand.QUESTION.trials(here)[-1]
    work = here.work(trial.images)
    here.stored(here.ways[0], work)
    np.asarray(work.images)[...] ^= 1
    with pytest.raises(DifferenceError, match="other pixels"):
        trial.measure()


@pytest.mark.parametrize(
    ("at", "mean_bytes", "expected"), [(50_000, 3072, 256), (1_000, 3072, 32), (100, 3072, 8), (7_000, 1.2e6, 8), (7_000, 1e5, 64)]
)
def test_batches_are_powers_of_two_of_some_megabytes(at: int, mean_bytes: float, expected: int) -> None:
    assert demand.batch_size(at, mean_bytes) == expected


def test_the_answer_names_the_highest_ceiling_and_the_demand_that_tells_the_ways_apart() -> None:
    answers = [cell("a", 1000, 0.01), cell("b", 1000, 0.02), cell("a", 7000, 0.05), cell("b", 7000, 0.8), cell("a", 50000, 0.6),
               cell("b", 50000, 0.9), free("a", 20_000.0), free("b", 1_500.0)]  # fmt: skip
    first, second = demand.QUESTION.sentences(answers, RUN)
    assert first == "A consumer that takes 20,000 images per second waits 10% of its time with A; with B one that takes 1,500 does."
    assert second == "At 7,000 images per second 1 of 2 ways keep its waiting to 10% or less; with B it waits 80% of its time."


def test_where_nobody_keeps_up_the_smallest_demand_is_told() -> None:
    answers = [cell("a", 1000, 0.5), cell("b", 1000, 0.6), cell("a", 7000, 0.9), free("a", 500.0)]
    assert "At 1,000 images per second 0 of 2 ways" in demand.QUESTION.sentences(answers, RUN)[1]


def test_nothing_measured_is_not_answered() -> None:
    failed = Observation("demand", "a", 1, {"demand": 1000, "batch": 8}, error="no")
    assert demand.QUESTION.sentences([failed], RUN) == []
