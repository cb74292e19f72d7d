"""Latency: tails of single reads, the time until work can begin, and what is said of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pixstore.bench.images import Sample, from_source
from pixstore.bench.lab import latency
from pixstore.bench.lab.lab import DifferenceError, Lab
from pixstore.bench.measurements import Measurements, Observation
from pixstore.bench.statistics import Spread
from pixstore.bench.ways import catalog
from pixstore.bench.ways.source import SourceWay

RUN = Measurements({}, {}, {"ways": {name: {"title": name.upper()} for name in "abc"}})


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latency, "MOST_STORED_BYTES", 10_000)


def lab(folder: Path, sample: Sample, *names: str) -> Lab:
    return Lab(sample, [catalog.find(name, None, 2) for name in names], folder / "lab", 2)


def sample(count: int = 12, side: int = 8) -> Sample:
    images = np.random.default_rng(0).integers(0, 256, (count, side, 6, 3), np.uint8)
    return Sample("images", "folder", count, images, np.arange(count))


def answer(way: str, p99: float, opening: float, batch: float) -> Observation:
    spread = {"p95_seconds": p99 / 2, "p99_seconds": p99, "open_seconds": opening, "first_batch_seconds": batch}
    measures = {name: Spread.of([0.99 * value, value, value, value, 1.01 * value]) for name, value in spread.items()}
    return Observation("latency", way, 1000, {"reads": 1000, "first batch": 256}, Spread.of([1.0]), measures)


@pytest.mark.usefixtures("few")
def test_every_way_is_read_one_by_one_and_opened(tmp_path: Path) -> None:
    trials = latency.QUESTION.trials(lab(tmp_path, sample(), "tutorial-png", "hand-lmdb", "packed/raw"))
    assert [trial.way for trial in trials] == ["tutorial-png", "hand-lmdb", "packed/raw"]
    for trial in trials:
        seen = trial.measure()
        measures = seen.measures
        assert 0 < measures["p50_seconds"] <= measures["p95_seconds"] <= measures["p99_seconds"]
        assert seen.seconds >= trial.images * measures["p50_seconds"] / 2
        assert measures["open_seconds"] > 0 and measures["first_batch_seconds"] > 0 and measures["first_image_seconds"] > 0


def test_photos_of_mixed_sizes_are_read_less_often_and_have_no_p99(tmp_path: Path) -> None:
    images = [np.full((1000 + place, 800, 3), place, np.uint8) for place in range(4)]
    here = lab(tmp_path, Sample("photos", "folder", 4, images, np.arange(4)), "tutorial-hdf5")
    (trial,) = latency.QUESTION.trials(here)
    assert trial.images == trial.setting["reads"] == 49
    measures = trial.measure().measures
    assert "p95_seconds" in measures and "p99_seconds" not in measures


def test_a_wrong_image_is_found(tmp_path: Path) -> None:
    here = lab(tmp_path, sample(), "hand-memmap")
    (trial,) = latency.QUESTION.trials(here)
    work = here.work(here.count(most_bytes=latency.MOST_STORED_BYTES))
    here.stored(here.ways[0], work)
    np.asarray(work.images)[5, 2, 2, 0] ^= 1
    with pytest.raises(DifferenceError, match="image 5"):
        trial.measure()


def test_rows_come_again_only_when_all_have_come() -> None:
    rows = latency._rows(np.random.default_rng(0), 7, 20)
    assert len(rows) == 20 and sorted(rows[:7].tolist()) == sorted(rows[7:14].tolist()) == list(range(7))


def test_the_answer_names_the_shortest_tail_with_what_opening_costs_and_the_first_batch() -> None:
    answers = [answer("a", 1e-5, 0.5, 0.6), answer("b", 2e-5, 1e-3, 2e-3), answer("c", 9e-5, 1e-3, 2.005e-3)]
    first, second = latency.QUESTION.sentences(answers, RUN)
    assert first == "99 of 100 random reads take no more than 10 µs with A, which opens in 500 ms; with C no more than 90 µs."
    assert second == "The first shuffled batch of 256 is there soonest with B (not told apart from C): 2 ms after the store is asked for."


def test_the_source_was_open_before_and_has_no_time_of_opening(photos: Path, tmp_path: Path) -> None:
    found = from_source(photos, 8)
    source = SourceWay(found.dataset, found.image_field, 1)
    (trial,) = latency.QUESTION.trials(Lab(found, [source], tmp_path / "lab", 1))
    assert {*trial.measure().measures} <= {"p50_seconds", "p95_seconds", "p99_seconds"}
    found.close()
    bare = answer("a", 1e-5, 0.5, 0.6)
    only = {name: spread for name, spread in bare.measures.items() if name.startswith("p")}
    assert latency.QUESTION.sentences([replace(bare, measures=only)], RUN) == ["99 of 100 random reads take no more than 10 µs with A."]


def test_nothing_measured_is_not_answered() -> None:
    assert latency.QUESTION.sentences([Observation("latency", "a", 1, {"reads": 1, "first batch": 1}, error="no")], RUN) == []


def test_charts_show_what_the_cells_hold() -> None:
    measures = answer("a", 1, 1, 1).measures.keys() | {"p50_seconds"}
    assert {chart.value for chart in latency.QUESTION.charts([])} <= measures
