"""What a way costs: opening shared among ten epochs, memory or medium, gains and ties."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixstore.bench.advice import costs
from pixstore.bench.advice.figures import FULL, WINDOW, Figures, Situation
from pixstore.bench.statistics import Spread

TRAIN = Situation("train", images=1_000, sampled=100)
ONE = Spread.of([2e-3, 3e-3, 4e-3])
OTHER = Spread.of([1e-3, 1e-3, 1e-3])


def way(**figures: object) -> Figures:
    return Figures("packed/raw", "packed + raw", "packed", "raw", **figures)  # type: ignore[arg-type]


def test_opening_is_shared_by_the_images_of_ten_epochs() -> None:
    found = costs.cost(way(seconds={1: ONE}, opening_seconds=10.0), TRAIN)
    assert found is not None and found.median == pytest.approx(3e-3 + 10 / (10 * 1_000))
    browsing = costs.cost(way(seconds={1: ONE}, opening_seconds=10.0), Situation("browse", 1_000, 100))
    assert browsing == ONE


def test_an_archive_costs_bytes() -> None:
    found = costs.cost(way(seconds={1: ONE}, disk_bytes=5_000), Situation("archive", 1_000, 100))
    assert found is not None and found.median == 5
    assert costs.cost(way(seconds={1: ONE}), Situation("archive", 1_000, 100)) is None


def test_bytes_have_no_noise_to_hide_in() -> None:
    archive = Situation("archive", 1_000, 100)
    assert not costs.is_tie(way(disk_bytes=1_080), way(disk_bytes=1_000), archive)
    assert costs.is_tie(way(disk_bytes=1_040), way(disk_bytes=1_000), archive)


def test_what_took_no_time_by_the_clock_and_no_disk_can_still_be_compared() -> None:
    nothing = way(seconds={1: Spread.of([0.0])}, disk_bytes=0)
    for use in ("train", "browse", "archive"):
        situation = Situation(use, 1_000, 100)  # type: ignore[arg-type]
        found = costs.gain_of(nothing, nothing, situation)
        assert found is not None and found.ratio == 1 and costs.is_tie(nothing, nothing, situation)
    assert costs.rate_at_least(nothing, TRAIN) > 0


def test_the_best_threads_count() -> None:
    assert costs.reading(way(seconds={1: ONE, 2: OTHER}), TRAIN) == OTHER
    assert costs.reading(way(), TRAIN) is None


def test_what_does_not_fit_memory_is_read_from_the_medium() -> None:
    cold = {FULL: Spread.of([9e-3]), WINDOW: Spread.of([7e-3])}
    small = Situation("train", 1_000, 100, memory_bytes=10)
    assert costs.reading(way(seconds={1: ONE}, cold_seconds=cold, disk_bytes=11), small) == cold[WINDOW]
    assert costs.reading(way(seconds={1: ONE}, cold_seconds=cold, disk_bytes=10), small) == ONE
    assert costs.reading(way(seconds={1: ONE}, disk_bytes=11), small) == ONE


def test_gain_lies_within_what_the_two_intervals_allow() -> None:
    found = costs.gain_of(way(seconds={1: OTHER}), way(seconds={1: ONE}), TRAIN)
    assert found is not None and (found.low, found.ratio, found.high) == pytest.approx((2, 3, 4))
    assert costs.gain_of(way(), way(seconds={1: ONE}), TRAIN) is None


def test_a_rate_is_promised_by_the_slow_end_of_the_interval() -> None:
    assert costs.rate_at_least(way(seconds={1: ONE}), TRAIN) == pytest.approx(250)
    assert costs.rate_at_least(way(), TRAIN) == 0


def test_payback_is_the_conversion_over_what_an_epoch_saves() -> None:
    source = Figures("source", "as it lies", seconds={1: ONE})
    assert costs.payback(way(seconds={1: OTHER}, convert_seconds=4.0), source, TRAIN) == pytest.approx(2)
    assert costs.payback(way(seconds={1: ONE}, convert_seconds=4.0), source, TRAIN) is None
    assert costs.payback(source, source, TRAIN) is None
    far = Situation("train", images=1_000, sampled=100, medium="network", is_medium_measured=False)
    assert costs.payback(way(seconds={1: OTHER}, convert_seconds=4.0), source, far) is None


@given(first=st.floats(1e-6, 1.0), second=st.floats(1e-6, 1.0))
def test_a_tie_is_one_both_ways_round_and_never_further_apart_than_a_tenth(first: float, second: float) -> None:
    mine, theirs = way(seconds={1: Spread.of([first])}), way(seconds={1: Spread.of([second])})
    tie = costs.is_tie(mine, theirs, TRAIN)
    assert tie == costs.is_tie(theirs, mine, TRAIN)
    assert not tie or math.isclose(first, second, rel_tol=costs.LOOSE_TIE)
