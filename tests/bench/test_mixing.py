"""How random an order is: known orders have known values."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixstore.bench.mixing import batch_spread, displacement, label_clumping

COUNT, BATCH = 20_000, 100
ROWS = np.arange(COUNT)
SHUFFLED = np.random.default_rng(0).permutation(COUNT)


def test_rows_in_order_are_not_spread_and_shuffled_ones_are() -> None:
    assert batch_spread(ROWS, BATCH) == pytest.approx(0.0, abs=1e-9)
    assert batch_spread(SHUFFLED, BATCH) == pytest.approx(1.0, abs=0.05)


def test_rows_shuffled_within_halves_are_half_as_spread() -> None:
    halves = np.concatenate([np.random.default_rng(1).permutation(half) for half in np.split(ROWS, 2)])
    assert batch_spread(halves, BATCH) == pytest.approx(0.5, abs=0.05)


def test_the_same_epoch_again_moves_nothing() -> None:
    assert displacement(SHUFFLED, SHUFFLED) == 0.0


def test_independent_shuffles_move_by_one_and_those_within_halves_by_a_half() -> None:
    assert displacement(SHUFFLED, np.random.default_rng(1).permutation(COUNT)) == pytest.approx(1.0, abs=0.05)
    first, second = (
        np.concatenate([np.random.default_rng((seed, half)).permutation(10_000) + 10_000 * half for half in (0, 1)]) for seed in (2, 3)
    )
    assert displacement(first, second) == pytest.approx(0.5, abs=0.05)


@given(st.permutations(range(12)), st.permutations(range(12)))
def test_displacement_is_symmetric_and_unmoved_by_names(first: list[int], second: list[int]) -> None:
    one, other = np.array(first), np.array(second)
    names = np.random.default_rng(0).permutation(12)
    assert displacement(one, other) == pytest.approx(displacement(other, one))
    assert displacement(names[one], names[other]) == pytest.approx(displacement(one, other))
    assert 0 <= displacement(one, other) <= 1.5 * 12 * 12 / (12 * 12 - 1)


def test_sorted_labels_clump_as_much_as_a_batch_is_large() -> None:
    labels = np.repeat(np.arange(10), COUNT // 10)
    clumped = label_clumping(labels, BATCH)
    assert clumped == pytest.approx(BATCH, rel=0.02)
    assert label_clumping(labels[SHUFFLED], BATCH) == pytest.approx(1.0, abs=0.15)


def test_labels_in_turn_do_not_clump_at_all() -> None:
    assert label_clumping(np.arange(COUNT) % 10, BATCH) == 0.0


def test_one_label_or_one_batch_cannot_clump() -> None:
    assert label_clumping(np.zeros(COUNT, np.int64), BATCH) is None
    assert label_clumping(np.array([0, 1, 2]), 3) is None
    assert label_clumping(np.array([0, 1]), 3) is None
