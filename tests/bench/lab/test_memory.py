"""Memory: every way in a process of its own, what it read compared, and what is said of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pixstore.bench.images import Sample
from pixstore.bench.lab import memory
from pixstore.bench.lab.lab import DifferenceError, Lab
from pixstore.bench.measurements import Measurements, Observation
from pixstore.bench.statistics import Spread
from pixstore.bench.ways import catalog

RUN = Measurements({}, {}, {"ways": {name: {"title": name.upper()} for name in "ab"}})


def lab(folder: Path, *names: str) -> Lab:
    images = np.random.default_rng(0).integers(0, 256, (16, 64, 64, 3), np.uint8)
    sample = Sample("images", "folder", 16, images, np.arange(16))
    return Lab(sample, [catalog.find(name, None, 2) for name in names], folder / "lab", 2)


def answer(way: str, doing: str, added: float, cpu: float) -> Observation:
    measures = {memory.ADDED: Spread.of([added] * 5), "cpu_seconds_per_1000_images": Spread.of([cpu] * 5)}
    return Observation("memory", way, 1000, {"doing": doing, "batch": 256}, Spread.of([1.0]), measures)


def test_each_way_stores_and_reads_in_a_process_of_its_own(tmp_path: Path) -> None:
    here = lab(tmp_path, "packed/raw")
    trials = memory.QUESTION.trials(here)
    assert [trial.setting["doing"] for trial in trials] == ["read", "store"]
    for trial in trials:
        seen = trial.measure()
        assert 0 <= seen.measures["added_private_bytes"] < seen.measures["peak_private_bytes"]
        assert seen.measures["cpu_seconds_per_1000_images"] > 0
        assert seen.proof["images"] >= trial.images and seen.seconds > 0
    # What was stored there is gone; the shared store and the images stay.
    assert len(list((tmp_path / "lab").iterdir())) == 2


def test_a_wrong_image_is_found(tmp_path: Path) -> None:
    here = lab(tmp_path, "hand-memmap")
    trial = memory.QUESTION.trials(here)[0]
    work = here.work(trial.images)
    here.stored(here.ways[0], work)
    np.asarray(work.images)[5, 2, 2, 0] ^= 1
    with pytest.raises(DifferenceError, match="differs from the input"):
        trial.measure()


def test_batches_are_of_some_megabytes(tmp_path: Path) -> None:
    here = lab(tmp_path, "packed/raw")
    assert {trial.setting["batch"] for trial in memory.QUESTION.trials(here)} == {256}
    here.sample.images = np.zeros((2, 1000, 1000, 3), np.uint8)
    here.sample.labels = np.zeros(2, np.int64)
    assert {trial.setting["batch"] for trial in memory.QUESTION.trials(here)} == {memory.LEAST_BATCH}


def test_the_answer_is_of_reading() -> None:
    answers = [answer("a", "read", 2e6, 0.01), answer("b", "read", 3e7, 0.02), answer("b", "store", 1.0, 1e-9)]
    assert memory.QUESTION.sentences(answers, RUN) == [
        "Reading in batches adds least memory with A, 2 MB, and most with B, 30 MB.",
        "1,000 images take 10 ms of processor time with A and 20 ms with B.",
    ]


def test_nothing_measured_is_not_answered() -> None:
    assert memory.QUESTION.sentences([Observation("memory", "a", 1, {"doing": "read", "batch": 1}, error="no")], RUN) == []
