from __future__ import annotations

from collections.abc import Callable

import pytest

from pixstore.bench.images import Sample, built_in
from pixstore.bench.lab import cache
from pixstore.bench.lab.caching import CacheStateError
from pixstore.bench.lab.lab import Lab
from pixstore.bench.measurements import Measurements, Observation
from pixstore.bench.statistics import Spread
from pixstore.errors import PixstoreError

RUN = Measurements({}, {}, {"ways": {"a": {"title": "A"}, "b": {"title": "B"}}})


def cell(way: str, state: str, seconds: float, order: str = "shuffled") -> Observation:
    runs = [seconds * part for part in (0.98, 0.99, 1.0, 1.01, 1.02)]
    return Observation("cache", way, 1000, {"cache": state, "order": order}, Spread.of(runs))


def test_every_way_is_read_cold_and_warm_in_both_orders_each_with_its_proof(make_lab: Callable[..., Lab]) -> None:
    lab = make_lab(built_in(60), images=60)
    trials = cache.QUESTION.trials(lab)
    assert len(trials) == len(lab.ways) * 4
    for trial in trials:
        try:
            seen = trial.measure()
        except CacheStateError as error:
            pytest.skip(str(error))
        part = seen.proof["resident_before_pages"] / seen.proof["pages"]
        assert part <= 0.01 if trial.setting["cache"] == "cold" else part >= 0.99
        assert seen.proof["resident_after_pages"] > 0
        assert seen.proof["method"] in ("cachestat", "mincore")
        assert seen.seconds > 0


def test_other_images_are_measured_or_refused_in_words(any_sample: Sample, make_lab: Callable[..., Lab]) -> None:
    lab = make_lab(any_sample)
    for trial in cache.QUESTION.trials(lab):
        try:
            assert trial.measure().seconds > 0
        except PixstoreError as error:
            assert "\n" not in str(error) and (trial.way.startswith(("tutorial", "hand")) or isinstance(error, CacheStateError))


def test_the_answer_names_the_fastest_cold_way_and_what_cold_costs() -> None:
    answers = [
        cell("a", "cold", 0.1),
        cell("a", "warm", 0.1),
        cell("b", "cold", 0.4),
        cell("b", "warm", 0.1),
        cell("b", "warm", 9.0, "in order"),
    ]
    assert cache.QUESTION.sentences(answers, RUN) == [
        "Shuffled from a cold cache, A is fastest with 10,000 images per second.",
        "A cold cache costs most with B, 4× the time of a warm one, and least with A, nothing beyond the noise.",
    ]


def test_ways_that_cannot_be_told_apart_are_named_together_and_failures_are_left_out() -> None:
    answers = [cell("a", "cold", 0.1), cell("a", "warm", 0.05), cell("b", "cold", 0.101), cell("b", "warm", 0.01)]
    first, second = cache.QUESTION.sentences(answers, RUN)
    assert "A (not told apart from B)" in first
    assert "costs most with B, 10× the time of a warm one, and least with A, 2×." in second
    failed = [Observation("cache", "a", 1000, {"cache": "cold", "order": "shuffled"}, error="CacheStateError: not cold")]
    assert cache.QUESTION.sentences(failed, RUN) == []
