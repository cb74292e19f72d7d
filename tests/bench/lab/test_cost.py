"""Cost: which ways can be taken apart, parts of the same moment, and what is said of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from pixstore.bench.images import Sample
from pixstore.bench.lab import cost
from pixstore.bench.lab.lab import DifferenceError, Lab
from pixstore.bench.lab.question import Trial
from pixstore.bench.measurements import Measurements, Observation
from pixstore.bench.statistics import Spread
from pixstore.bench.ways import catalog

RUN = Measurements({}, {}, {"ways": {name: {"title": name.upper()} for name in "ab"}})


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cost, "MOST_IMAGES", 48)


def lab(folder: Path, *names: str) -> Lab:
    images = np.random.default_rng(0).integers(0, 256, (24, 40, 30, 3), np.uint8)
    sample = Sample("images", "folder", 24, images, np.arange(24))
    return Lab(sample, [catalog.find(name, None, 2) for name in names], folder / "lab", 2)


def parts(way: str, seconds: Mapping[str, float]) -> list[Observation]:
    return [
        Observation("cost", way, 1000, {"part": part, "batch": 256}, Spread.of([1.0]), {cost.PER_1000: Spread.of([each] * 5)})
        for part, each in seconds.items()
    ]


def whole(way: str, seconds: float) -> Observation:
    setting, measures = {"threads": 1, "batch": 256}, {cost.CPU_PER_1000: Spread.of([seconds] * 5)}
    return Observation("cost", way, 1000, setting, Spread.of([1.0]), measures)


def by_setting(trials: list[Trial], way: str) -> dict[object, Trial]:
    return {trial.setting.get("part", "whole"): trial for trial in trials if trial.way == way}


def test_only_what_can_be_taken_apart_is(tmp_path: Path) -> None:
    trials = cost.QUESTION.trials(lab(tmp_path, "packed/png", "tutorial-png", "hand-lmdb"))
    assert [*by_setting(trials, "packed/png")] == ["fetch", "check", "decode", "transform", "batch", "whole"]
    assert [*by_setting(trials, "tutorial-png")] == ["fetch", "decode", "transform", "batch", "whole"]
    assert [*by_setting(trials, "hand-lmdb")] == ["whole"]


def test_every_cell_is_measured(tmp_path: Path) -> None:
    for trial in cost.QUESTION.trials(lab(tmp_path, "packed/png", "hand-files", "hand-lmdb")):
        seen = trial.measure()
        assert seen.seconds > 0
        assert all(value >= 0 for value in seen.measures.values()) and len(seen.measures) == 1


def test_parts_are_of_the_same_moment(tmp_path: Path) -> None:
    trials = by_setting(cost.QUESTION.trials(lab(tmp_path, "packed/png")), "packed/png")
    seen = {part: trials[part].measure() for part in ("decode", "fetch", "check", "batch", "transform")}
    assert sum(each.proof["difference_seconds"] for each in seen.values()) == pytest.approx(seen["transform"].seconds)
    # Asked again, a part is measured again, with all others.
    assert trials["transform"].measure().seconds != seen["transform"].seconds


def test_a_wrong_image_is_found(tmp_path: Path) -> None:
    here = lab(tmp_path, "hand-memmap")
    (trial,) = cost.QUESTION.trials(here)
    work = here.work(trial.images)
    here.stored(here.ways[0], work)
    np.asarray(work.images)[5, 2, 2, 0] ^= 1
    with pytest.raises(DifferenceError, match="image 5"):
        trial.measure()


def test_the_answer_says_where_the_time_goes_and_what_a_whole_costs() -> None:
    answers = [*parts("a", {"fetch": 0.1, "check": 0.1, "decode": 0.6, "transform": 0.1, "batch": 0.1}),
               *parts("b", {"fetch": 0.5, "decode": 0.2, "transform": 0.2, "batch": 0.1}), whole("a", 0.02), whole("b", 0.5)]  # fmt: skip
    assert cost.QUESTION.sentences(answers, RUN) == [
        "On one thread, transforms included, the largest part of the time goes into fetching with B (50%); into decoding with A (60%).",
        "Read and decoded without transforms, 1,000 images take 20 ms of processor time with A and 500 ms with B.",
    ]


def test_a_way_with_a_part_missing_is_not_spoken_of() -> None:
    failed = Observation("cost", "a", 1000, {"part": "batch", "batch": 256}, error="no")
    assert cost.QUESTION.sentences([*parts("a", {"fetch": 0.5, "decode": 0.2}), failed], RUN) == []


def test_a_difference_below_nothing_is_no_share() -> None:
    answers = parts("a", {"fetch": 0.0, "check": 0.0, "decode": 0.0, "transform": 0.0, "batch": 0.0})
    assert cost.QUESTION.sentences(answers, RUN) == []


def test_a_way_that_reads_everything_when_it_opens_is_left_out_and_that_is_said(tmp_path: Path) -> None:
    trials = cost.QUESTION.trials(lab(tmp_path, "tutorial-hdf5", "tutorial-png"))
    assert {trial.way for trial in trials} == {"tutorial-png"}
    assert "the tutorial's HDF5, which reads everything when it opens, is left out" in cost.QUESTION.asks.replace("The", "the")


def test_where_the_noise_hides_which_part_is_largest_none_is_named() -> None:
    noisy = [
        Observation("cost", "a", 1000, {"part": part, "batch": 256}, Spread.of([1.0]), {cost.PER_1000: Spread.of(times)})
        for part, times in (("fetch", [0.1, 0.2, 0.3, 0.4, 0.5]), ("decode", [0.2, 0.3, 0.4, 0.5, 0.6]))
    ]
    (said,) = cost.QUESTION.sentences(noisy, RUN)
    assert said == "On one thread, transforms included, with 1 way no part is told to be the largest."


def test_a_worst_way_that_the_noise_does_not_tell_from_the_best_is_not_named() -> None:
    (said,) = cost.QUESTION.sentences([whole("a", 0.020), whole("b", 0.020)], RUN)
    assert said == "Read and decoded without transforms, 1,000 images take 20 ms of processor time with A (not told apart from B)."
