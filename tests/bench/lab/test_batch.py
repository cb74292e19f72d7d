from __future__ import annotations

from pathlib import Path

import pytest

from pixstore.bench.images import Sample, built_in, from_source
from pixstore.bench.lab import batch
from pixstore.bench.lab.lab import Lab
from pixstore.bench.measurements import Measurements, Observation
from pixstore.bench.statistics import Spread
from pixstore.bench.ways import catalog

RUN = Measurements({}, {}, {"ways": {"a": {"title": "A"}, "b": {"title": "B"}}})


def lab(folder: Path, sample: Sample, *names: str) -> Lab:
    return Lab(sample, [catalog.find(name, None, 2) for name in names], folder / "lab", 2)


def answers(seconds: dict[tuple[str, int], list[float]]) -> list[Observation]:
    return [Observation("batch", way, 1000, {"batch": size}, Spread.of(runs)) for (way, size), runs in seconds.items()]


def test_every_batch_size_is_measured_and_checked(tmp_path: Path) -> None:
    here = lab(tmp_path, built_in(600), "hand-lmdb", "packed/raw", "tutorial-hdf5")
    here.count = lambda *_, **__: 600  # type: ignore[method-assign]
    trials = batch.QUESTION.trials(here)
    assert {trial.setting["batch"] for trial in trials} == set(batch.BATCHES)
    assert {trial.way for trial in trials} == {"hand-lmdb", "packed/raw"}
    for trial in trials:
        observed = trial.measure()
        assert observed.seconds > 0 and observed.measures["cpu_seconds"] >= 0


def test_few_photos_of_mixed_sizes_have_no_large_batches(photos: Path, tmp_path: Path) -> None:
    sample = from_source(photos, 8)
    here = lab(tmp_path, sample, "hand-files")
    here.count = lambda *_, **__: 20  # type: ignore[method-assign]
    trials = batch.QUESTION.trials(here)
    assert [trial.setting["batch"] for trial in trials] == [1, 8]
    assert all(trial.measure().seconds > 0 for trial in trials)
    sample.close()


def test_the_answer_names_the_fastest_and_what_a_batch_is_worth() -> None:
    seen = {("a", 1): [10.0] * 5, ("a", 512): [1.0] * 5, ("b", 1): [4.0] * 5, ("b", 512): [4.0] * 5}
    first, second = batch.QUESTION.sentences(answers(seen), RUN)
    assert first == "Fastest one by one is B, 250 images per second; 512 at a time A, 1,000 images per second."
    assert second == "512 at a time instead of 1 are worth most with A, 10× the rate, and least with B, nothing beyond the noise."


@pytest.mark.parametrize("seen", [{}, {("a", 1): [1.0]}, {("a", 1): [1.0], ("b", 512): [1.0]}])
def test_nothing_is_said_of_what_was_not_measured(seen: dict[tuple[str, int], list[float]]) -> None:
    assert batch.QUESTION.sentences(answers(seen), RUN) == []


def test_ties_are_said_as_ties() -> None:
    seen = {("a", 1): [1.0, 1.2], ("a", 8): [0.5] * 2, ("b", 1): [1.1, 1.3], ("b", 8): [0.2] * 2}
    assert "one by one is A (not told apart from B)" in batch.QUESTION.sentences(answers(seen), RUN)[0]


def test_a_refused_question_has_no_answer() -> None:
    assert batch.QUESTION.sentences([Observation("batch", "", 0, {}, error="refused")], RUN) == []
