"""Orders: every row exactly once, whatever the count, and shuffled as well as chance shuffles."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pixstore.errors import InvalidInputError
from pixstore.loader.order import MOST_ROWS, FullShuffle, InOrder, Order, WindowShuffle, randomness

SEEDS = st.integers(-(2**63), 2**64)


def whole(order: Order) -> np.ndarray:
    return order.rows(np.arange(order.count))


def is_permutation(rows: np.ndarray) -> bool:
    return bool((np.bincount(rows, minlength=len(rows)) == 1).all()) if len(rows) else True


def chi_square(observed: np.ndarray, expected: float) -> float:
    """Return how many standard deviations the statistic is above its mean."""
    degrees = observed.size - 1
    return (((observed - expected) ** 2).sum() / expected - degrees) / np.sqrt(2 * degrees)


def test_full_shuffle_is_a_permutation_of_every_count_up_to_5000() -> None:
    # Each count up to 300, then every 13th: steps that meet all remainders of the rectangle's sides.
    for count in [*range(301), *range(301, 5001, 13), 5000]:
        assert is_permutation(whole(FullShuffle(count, seed=7, epoch=count)))


@settings(max_examples=40)
@given(st.integers(5001, 400_000), SEEDS, st.integers(0, 1000))
def test_full_shuffle_is_a_permutation_of_larger_counts(count: int, seed: int, epoch: int) -> None:
    assert is_permutation(whole(FullShuffle(count, seed, epoch)))


@given(st.integers(1, MOST_ROWS), SEEDS, st.data())
def test_full_shuffle_of_any_count_stays_inside_and_repeats_no_row(count: int, seed: int, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, count - 1))
    rows = FullShuffle(count, seed, 0).rows(np.arange(start, min(start + 3000, count)))
    assert rows.min() >= 0 and rows.max() < count
    assert len(np.unique(rows)) == len(rows)


@settings(max_examples=50)
@given(st.integers(1, 3000), SEEDS, st.data())
def test_any_positions_can_be_asked_for_in_any_order(count: int, seed: int, data: st.DataObject) -> None:
    positions = np.array(data.draw(st.lists(st.integers(0, count - 1), max_size=50)), np.int64)
    page_rows, window_rows = data.draw(st.integers(1, 400)), data.draw(st.integers(1 + count // 20, 4000))
    for order in (FullShuffle(count, seed, 1), WindowShuffle(count, seed, 1, page_rows=page_rows, window_rows=window_rows)):
        assert order.rows(positions).tolist() == whole(order)[positions].tolist()


def test_in_order_leaves_rows_where_they_are() -> None:
    assert whole(InOrder(5)).tolist() == [0, 1, 2, 3, 4]


def test_seed_epoch_and_large_numbers_give_orders_of_their_own() -> None:
    orders = {tuple(whole(FullShuffle(100, seed, epoch))) for seed in (0, 1, 2**32, 2**63, -1) for epoch in (0, 1, 2**32, 2**40)}
    assert len(orders) == 20


@pytest.mark.parametrize(("count", "tries"), [(2, 1000), (3, 1500), (4, 4800)])
def test_every_permutation_of_few_rows_is_equally_likely(count: int, tries: int) -> None:
    found, counts = np.unique([whole(FullShuffle(count, seed, 3)) for seed in range(tries)], axis=0, return_counts=True)
    assert len(found) == [0, 1, 2, 6, 24][count]
    assert chi_square(counts, tries / len(found)) < 4


@pytest.mark.parametrize("count", [37, 1000])
def test_each_row_comes_equally_often_at_each_position(count: int) -> None:
    tries = 3000
    firsts = np.array([FullShuffle(count, seed, 0).rows(np.array([0, 1, count - 1])) for seed in range(tries)])
    for position in range(3):
        assert abs(chi_square(np.bincount(firsts[:, position], minlength=count), tries / count)) < 4
    distances = np.bincount((firsts[:, 1] - firsts[:, 0]) % count, minlength=count)[1:]
    assert abs(chi_square(distances, tries / (count - 1))) < 4


def test_batches_of_rows_sorted_by_class_are_as_mixed_as_chance_makes_them() -> None:
    # 60,000 rows, each class 6,000 that follow each other: in a batch of 512 a class has 51.2 rows, variance 45.7 (hypergeometric).
    batches = [FullShuffle(60_000, seed, 0).rows(np.arange(512)) // 6000 for seed in range(400)]
    counts = np.array([np.bincount(each, minlength=10) for each in batches])
    assert abs(counts.mean(axis=0) - 51.2).max() < 4 * np.sqrt(45.7 / 400)
    assert 0.9 < counts.var() / 45.7 < 1.1


@settings(max_examples=60)
@given(st.integers(0, 3000), SEEDS, st.integers(0, 5), st.integers(1, 500), st.integers(1, 20))
def test_window_shuffle_has_every_row_once_with_any_last_page(count: int, seed: int, epoch: int, page: int, windows: int) -> None:
    window = count // windows + 1
    assert is_permutation(whole(WindowShuffle(count, seed, epoch, page_rows=page, window_rows=window)))


def test_a_window_comes_from_few_pages() -> None:
    rows = whole(WindowShuffle(10_050, 5, 0, page_rows=100, window_rows=1000))
    for start in range(0, 10_050, 1000):
        # Windows do not begin where pages do once the partial page has come, so one page more may be touched.
        assert len(np.unique(rows[start : start + 1000] // 100)) <= 12


def test_the_partial_page_comes_anywhere() -> None:
    first = [int(np.argmax(whole(WindowShuffle(35, seed, 0, page_rows=10, window_rows=1)) == 30)) for seed in range(60)]
    assert set(first) == {0, 10, 20, 30}


def test_randomness_is_0_in_order_1_for_a_full_shuffle_and_the_share_of_other_pages_between() -> None:
    assert randomness(InOrder(60_000), 256) == 0
    assert randomness(FullShuffle(60_000, 0, 0), 256) == pytest.approx(1, abs=0.02)
    # Of 8 pages in a window, a row's partner is in another one 7 times of 8.
    assert randomness(WindowShuffle(60_000, 0, 0, page_rows=256, window_rows=2048), 256) == pytest.approx(0.875, abs=0.08)
    assert randomness(WindowShuffle(60_000, 0, 0, page_rows=512, window_rows=512), 256) < 0.05


@pytest.mark.parametrize(("count", "batch"), [(0, 8), (1, 8), (5, 1), (5, 5), (5, 100)])
def test_where_there_is_nothing_to_mix_randomness_is_1(count: int, batch: int) -> None:
    assert randomness(InOrder(count), batch) == 1


def test_orders_never_change_silently() -> None:
    assert whole(FullShuffle(10, seed=0, epoch=0)).tolist() == [1, 4, 6, 8, 0, 7, 9, 3, 5, 2]
    assert FullShuffle(50_000, seed=1, epoch=2).rows(np.arange(5)).tolist() == [5500, 22790, 40909, 34879, 8333]
    assert FullShuffle(MOST_ROWS, seed=-1, epoch=0).rows(np.arange(3)).tolist() == [492749962837, 697058209187, 217469589297]
    assert WindowShuffle(1003, 3, 1, page_rows=50, window_rows=200).rows(np.arange(0, 1000, 200)).tolist() == [970, 707, 365, 890, 669]


@pytest.mark.parametrize("count", [-1, MOST_ROWS + 1])
def test_a_count_out_of_range_is_refused(count: int) -> None:
    with pytest.raises(InvalidInputError, match="rows"):
        FullShuffle(count, 0, 0)


@pytest.mark.parametrize(("page", "window"), [(0, 10), (10, 0)])
def test_pages_and_windows_without_rows_are_refused(page: int, window: int) -> None:
    with pytest.raises(InvalidInputError, match="positive"):
        WindowShuffle(10, 0, 0, page_rows=page, window_rows=window)
