from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixstore.bench.statistics import CONFIDENCE, LEAST_REPEATS, MOST_EXACT, Spread, overlap, rank_sum_probability, scatter

TIMES = st.lists(st.floats(1e-6, 1e3), min_size=1, max_size=40)


@given(TIMES)
def test_the_interval_holds_the_median_and_is_made_of_times_seen(runs: list[float]) -> None:
    spread = Spread.of(runs)
    low, high = spread.interval
    assert spread.min <= low <= spread.median <= high <= spread.max
    assert {low, high} <= set(runs)


@pytest.mark.parametrize(("count", "left_out"), [(1, 0), (5, 0), (6, 0), (8, 0), (9, 1), (11, 1), (12, 2), (20, 5), (30, 9)])
def test_the_interval_leaves_out_as_many_as_the_binomial_distribution_allows(count: int, left_out: int) -> None:
    # The numbers are those of the usual tables of confidence intervals of a median.
    assert Spread.of(range(count)).interval == (left_out, count - 1 - left_out)


@pytest.mark.parametrize("count", [6, 9, 20])
def test_the_interval_covers_the_true_median_as_often_as_it_says(count: int) -> None:
    random = np.random.default_rng(count)
    intervals = [Spread.of(random.lognormal(0.0, 1.0, count).tolist()).interval for _ in range(2000)]
    covered = np.mean([low <= 1.0 <= high for low, high in intervals])
    assert covered >= CONFIDENCE - 0.01


def test_a_median_is_known_with_enough_repeats_close_together() -> None:
    close = [1.0, 1.01, 0.99, 1.02, 0.98]
    assert Spread.of(close).is_narrow
    assert not Spread.of(close[: LEAST_REPEATS - 1]).is_narrow
    assert not Spread.of([*close, 1.5]).is_narrow
    # With nine repeats one that was disturbed no longer counts.
    assert Spread.of([*close, 1.0, 1.0, 1.0, 1.5]).is_narrow


def test_intervals_that_meet_are_a_tie() -> None:
    first, meeting, apart = (Spread.of(np.linspace(least, least + 1, LEAST_REPEATS).tolist()) for least in (1.0, 2.0, 2.1))
    assert overlap(first, meeting) and overlap(meeting, first)
    assert not overlap(first, apart) and not overlap(apart, first)


@pytest.mark.parametrize(
    ("few", "many", "is_told"),
    [(1, 1, False), (1, 30, False), (2, 2, False), (2, 7, False), (2, 8, True), (3, 3, False), (3, 4, False), (3, 5, True), (4, 4, True)],
)
def test_few_repeats_are_told_apart_by_the_rank_test_alone(few: int, many: int, is_told: bool) -> None:
    first, second = Spread.of([1.0 + each / 100 for each in range(few)]), Spread.of([9.0 + each / 100 for each in range(many)])
    assert not first.is_known and second.is_known == (many >= LEAST_REPEATS)
    assert overlap(first, second) == overlap(second, first) == (not is_told)


def test_few_repeats_that_mix_are_a_tie() -> None:
    assert overlap(Spread.of([1.0, 1.2, 1.4, 9.5]), Spread.of([9.0, 9.1, 9.2, 9.3]))


def test_scatter_is_the_deviation_within_groups_whatever_their_levels() -> None:
    random = np.random.default_rng(0)
    groups = [random.normal(level, 0.02, 6).tolist() for level in random.normal(0, 5, 200)]
    assert scatter(groups) == pytest.approx(0.02, rel=0.1)
    assert scatter([[1.0], [2.0]]) == scatter([]) == 0.0


def test_half_of_each_group_may_have_moved() -> None:
    random = np.random.default_rng(0)
    groups = [random.normal([0, 1, 0, 1, 0, 1], 0.02).tolist() for _ in range(50)]
    assert scatter(groups) < 0.06


def test_results_that_keep_no_single_repeats_have_an_interval_all_the_same() -> None:
    assert Spread(2.0, 1.0, 3.0, ()).interval == (1.0, 3.0)


@pytest.mark.parametrize(("count", "probability"), [(3, 2 / 20), (4, 2 / 70), (5, 2 / 252)])
def test_sets_that_do_not_mix_are_as_improbable_as_counting_says(count: int, probability: float) -> None:
    low, high = list(range(count)), list(range(count, 2 * count))
    assert rank_sum_probability(low, high) == pytest.approx(probability)
    assert rank_sum_probability(high, low) == pytest.approx(probability)


@given(st.permutations(range(9)), st.integers(1, 8))
def test_the_rank_test_counts_every_order(order: list[int], ones: int) -> None:
    def above(chosen: tuple[int, ...]) -> int:
        return sum(one > other for one in chosen for other in set(range(9)) - set(chosen))

    middle = ones * (9 - ones) / 2
    distance = abs(above(tuple(order[:ones])) - middle)
    every = list(itertools.combinations(range(9), ones))
    as_far = sum(abs(above(chosen) - middle) >= distance for chosen in every)
    assert rank_sum_probability(order[:ones], order[ones:]) == pytest.approx(as_far / len(every))


def test_equal_sets_are_no_surprise_and_many_repeats_go_on_from_where_few_end() -> None:
    assert rank_sum_probability([1.0] * 5, [1.0] * 5) == 1.0
    random = np.random.default_rng(0)
    first, second = random.normal(0, 1, MOST_EXACT + 1).tolist(), random.normal(0.5, 1, MOST_EXACT + 1).tolist()
    exact = rank_sum_probability(first[:-1], second[:-1])
    assert rank_sum_probability(first, second) == pytest.approx(exact, abs=0.03)
