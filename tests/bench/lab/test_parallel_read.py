from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pixstore.bench.images import Sample, built_in, from_source
from pixstore.bench.lab import parallel_read
from pixstore.bench.lab.lab import DifferenceError, Lab
from pixstore.bench.lab.sharing import APART, PROCESSES, THREADS
from pixstore.bench.measurements import Measurements, Observation
from pixstore.bench.statistics import Spread
from pixstore.bench.ways import catalog, hand_memmap
from pixstore.bench.ways.source import SourceWay

RUN = Measurements({}, {}, {"ways": {"a": {"title": "A"}, "b": {"title": "B"}}})

REFUSED = Observation("parallel-read", "", 0, {}, error="refused")


def lab(folder: Path, sample: Sample, *names: str, images: int = 60) -> Lab:
    source = None if sample.dataset is None else SourceWay(sample.dataset, sample.image_field, 2)
    here = Lab(sample, [catalog.find(name, source, 2) for name in names], folder / "lab", 2)
    here.count = lambda *_, **__: images  # type: ignore[method-assign]
    return here


def answers(rates: dict[tuple[str, str, int], float]) -> list[Observation]:
    return [
        Observation("parallel-read", way, 1000, {"workers": count, "with": kind}, Spread.of([1000 / rate] * 5))
        for (way, kind, count), rate in rates.items()
    ]


def test_threads_and_processes_read_one_store_and_stores_of_their_own(tmp_path: Path) -> None:
    here = lab(tmp_path, built_in(60), "tutorial-lmdb", "packed/raw", "tutorial-hdf5")
    trials = parallel_read.QUESTION.trials(here)
    expected = {
        (way, kind, count) for way in ("tutorial-lmdb", "packed/raw") for kind in (THREADS, PROCESSES, APART) for count in (1, 2, 4)
    }
    assert {(trial.way, trial.setting["with"], trial.setting["workers"]) for trial in trials} == expected
    for trial in trials:
        if trial.setting["workers"] != 4:
            observed = trial.measure()
            assert observed.seconds > 0 and observed.measures["cpu_seconds"] >= 0
            assert observed.proof == ({} if trial.setting["with"] == THREADS else {"processes": trial.setting["workers"]})


def test_photos_are_read_where_they_lie_by_threads_alone(photos: Path, tmp_path: Path) -> None:
    sample = from_source(photos, 8)
    trials = parallel_read.QUESTION.trials(lab(tmp_path, sample, "source", "hand-files", images=8))
    assert {trial.setting["with"] for trial in trials if trial.way == "source"} == {THREADS}
    assert {trial.setting["with"] for trial in trials if trial.way == "hand-files"} == {THREADS, PROCESSES, APART}
    assert all(trial.measure().seconds > 0 for trial in trials if trial.setting["workers"] == 2)
    sample.close()


@pytest.mark.parametrize("kind", [THREADS, PROCESSES, APART])
def test_what_differs_is_found_whoever_read_it(tmp_path: Path, kind: str) -> None:
    here = lab(tmp_path, built_in(60), "hand-memmap")
    trial = next(each for each in parallel_read.QUESTION.trials(here) if (each.setting["with"], each.setting["workers"]) == (kind, 2))
    trial.measure()
    for path in (tmp_path / "lab").rglob(hand_memmap.LABELS):
        np.save(path, np.load(path) + 1)
    with pytest.raises(DifferenceError, match="label"):
        trial.measure()


def test_the_answer_names_the_fastest_who_gains_and_what_a_store_each_is_worth() -> None:
    rates = {("a", kind, 1): 100.0 for kind in (THREADS, PROCESSES, APART)} | {("b", THREADS, 1): 300.0, ("b", THREADS, 2): 300.0}
    rates |= {
        ("a", THREADS, 2): 110.0,
        ("a", PROCESSES, 2): 190.0,
        ("a", APART, 2): 380.0,
        ("a", APART, 4): 400.0,
        ("a", PROCESSES, 4): 200.0,
    }
    first, second = parallel_read.QUESTION.sentences(answers(rates), RUN)
    assert first == (
        "Most images per second are read with A, 4 processes with a store each: 400, alone 100; reading in parallel, each way at its best, "
        "gains most with A, 4× with 4 processes with a store each, and least with B, nothing beyond the noise."
    )
    assert second == ("For 4 processes a store each, next to one for all, is worth 2× the rate with A.")


def test_nothing_is_said_of_what_was_not_measured() -> None:
    assert parallel_read.QUESTION.sentences([], RUN) == []
    assert parallel_read.QUESTION.sentences([REFUSED], RUN) == []
    assert len(parallel_read.QUESTION.sentences(answers({("a", THREADS, 1): 1.0}), RUN)) == 1
