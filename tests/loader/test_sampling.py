"""Weighted draws and buckets: chances as the weights say, every row once, like sizes together."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pixstore.errors import InvalidInputError
from pixstore.loader.order import FullShuffle
from pixstore.loader.sampling import Bucketed, Weighted, balanced_weights


def test_rows_come_as_often_as_their_weights_say() -> None:
    weights = np.tile([1.0, 0.0, 3.0, 0.5], 10_000)
    drawn = Weighted(weights, seed=1, epoch=0).rows(np.arange(40_000))
    shares = np.bincount(drawn % 4, minlength=4) / 40_000
    assert shares == pytest.approx(np.array([1, 0, 3, 0.5]) / 4.5, abs=0.01)
    assert shares[1] == 0


@given(st.lists(st.floats(0, 1e300), min_size=1, max_size=30).filter(lambda each: 0 < sum(each) < 1e308), st.integers(0, 2**64))
def test_a_row_without_weight_is_never_drawn(weights: list[float], seed: int) -> None:
    drawn = Weighted(weights, seed, 0).rows(np.arange(200))
    assert (np.array(weights)[drawn] > 0).all()


def test_a_draw_depends_on_seed_epoch_and_position_alone() -> None:
    order = Weighted(np.ones(1000), seed=3, epoch=1)
    drawn = order.rows(np.arange(1000))
    assert order.rows(np.array([999, 5])).tolist() == drawn[[999, 5]].tolist()
    others = [Weighted(np.ones(1000), 3, 2), Weighted(np.ones(1000), 4, 1)]
    assert all((each.rows(np.arange(1000)) != drawn).any() for each in others)


def test_draws_never_change_silently() -> None:
    assert Weighted(np.arange(100), seed=0, epoch=0).rows(np.arange(6)).tolist() == [39, 90, 28, 54, 92, 82]


@pytest.mark.parametrize("bad", [[1.0, -1.0], [1.0, np.nan], [np.inf, 1.0], [0.0, 0.0], [[1.0]], [1e308, 1e308]])
def test_weights_that_are_none_are_refused(bad: list[float]) -> None:
    with pytest.raises(InvalidInputError, match="weight"):
        Weighted(bad, 0, 0)


def test_balanced_weights_make_every_class_as_likely() -> None:
    labels = pa.chunked_array([["cat", "dog"], ["cat", "cat", "newt"]])
    weights = balanced_weights(labels)
    assert weights.tolist() == pytest.approx([1 / 3, 1, 1 / 3, 1 / 3, 1])
    drawn = Weighted(balanced_weights(pa.array(np.repeat([7, 8, 9], [9000, 900, 100]))), 0, 0).rows(np.arange(10_000))
    assert np.bincount(np.digitize(drawn, [9000, 9900])) / 10_000 == pytest.approx([1 / 3] * 3, abs=0.02)


def test_balancing_by_a_column_with_gaps_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="1 rows have no 'breed'"):
        balanced_weights(pa.array([1, None]), name="breed")


@settings(max_examples=50)
@given(st.integers(0, 600), st.integers(1, 50), st.integers(1, 8), st.integers(0, 99))
def test_buckets_have_every_row_once_at_any_position(count: int, block: int, window: int, seed: int) -> None:
    sizes = np.random.default_rng(seed).integers(0, 50, count)
    make = lambda: Bucketed(FullShuffle(count, seed, 0), sizes, seed, 0, block_rows=block, window_blocks=window)  # noqa: E731
    rows = make().rows(np.arange(count))
    assert np.sort(rows).tolist() == list(range(count))
    backwards = np.arange(count)[::-1]
    assert make().rows(backwards).tolist() == rows[backwards].tolist()


def test_a_bucket_has_rows_of_like_size_and_buckets_are_shuffled() -> None:
    sizes = np.random.default_rng(0).integers(100, 10_000, 6_410)
    shuffle = FullShuffle(6_410, 1, 0)
    rows = Bucketed(shuffle, sizes, 1, 0, block_rows=32).rows(np.arange(6_410))
    batches = sizes[rows[:6400]].reshape(-1, 32)
    spread = batches.max(axis=1) - batches.min(axis=1)
    plain = sizes[shuffle.rows(np.arange(6400))].reshape(-1, 32)
    assert np.median(spread) < 0.05 * np.median(plain.max(axis=1) - plain.min(axis=1))
    firsts = batches[:64].mean(axis=1)
    assert 20 < (np.diff(firsts) > 0).sum() < 44


def test_what_fills_no_bucket_is_a_sample_of_all_sizes() -> None:
    sizes = np.arange(1000)
    lasts = [np.sort(Bucketed(FullShuffle(1000, seed, 0), sizes, seed, 0, block_rows=128).rows(np.arange(896, 1000))) for seed in range(20)]
    assert 400 < np.mean(lasts) < 600
    assert len({tuple(each) for each in lasts}) == 20


def test_buckets_without_rows_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="positive"):
        Bucketed(FullShuffle(10, 0, 0), np.zeros(10, np.int64), 0, 0, block_rows=0)
