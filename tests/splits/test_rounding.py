"""Rounding: whole numbers next to the fractions, with the sums they must have."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pixstore.splits.rounding import controlled_rounding, largest_remainder


@given(st.lists(st.integers(1, 1000), min_size=1, max_size=12), st.integers(0, 10**12))
def test_sizes_sum_to_the_total_and_lie_next_to_their_shares(weights: list[int], total: int) -> None:
    shares = [Fraction(each, sum(weights)) for each in weights]
    sizes = largest_remainder(shares, total)
    assert sum(sizes) == total
    assert all(abs(size - share * total) < 1 for size, share in zip(sizes, shares, strict=True))
    losses = [share * total - int(share * total) for share in shares]
    raised = [size > share * total for size, share in zip(sizes, shares, strict=True)]
    kept = [loss for loss, up in zip(losses, raised, strict=True) if not up]
    assert all(loss >= max(kept, default=0) for loss, up in zip(losses, raised, strict=True) if up)


@pytest.mark.parametrize(
    ("shares", "total", "sizes"),
    [((8, 1, 1), 10, [8, 1, 1]), ((8, 1, 1), 14, [11, 2, 1]), ((1, 1, 1), 2, [1, 1, 0]), ((1, 1, 1), 100, [34, 33, 33])],
)
def test_the_largest_remainders_are_rounded_up_and_of_equal_ones_the_first(shares: tuple[int, ...], total: int, sizes: list[int]) -> None:
    assert largest_remainder([Fraction(each, sum(shares)) for each in shares], total) == sizes


TABLES = st.integers(1, 8).flatmap(
    lambda columns: st.lists(st.lists(st.integers(0, 200), min_size=columns, max_size=columns), min_size=1, max_size=8)
)


@settings(max_examples=150)
@given(TABLES, st.integers(1, 40), st.integers(0, 2**40))
def test_rows_and_columns_keep_their_sums_and_entries_lie_next_to_their_fractions(
    table: list[list[int]], denominator: int, seed: int
) -> None:
    # A last row and column make all sums whole.
    table = [[*row, -sum(row) % denominator] for row in table]
    table.append([-sum(column) % denominator for column in zip(*table, strict=True)])
    rounded = controlled_rounding(table, denominator, seed)
    exact = np.array(table) / denominator
    assert rounded.sum(axis=0).tolist() == (np.array(table).sum(axis=0) // denominator).tolist()
    assert rounded.sum(axis=1).tolist() == (np.array(table).sum(axis=1) // denominator).tolist()
    assert (abs(rounded - exact) < 1).all()
    assert rounded.tolist() == controlled_rounding(table, denominator, seed).tolist()


def test_entries_are_rounded_up_as_often_as_their_fraction_says() -> None:
    table = [[1, 3, 6], [2, 4, 4], [7, 3, 0]]
    mean = np.mean([controlled_rounding(table, 10, seed) for seed in range(2000)], axis=0)
    assert mean == pytest.approx(np.array(table) / 10, abs=0.05)
