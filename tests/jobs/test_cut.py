"""Cut: ranges cover everything once, keep within the bytes, and give every worker its share."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixstore.jobs.cut import LEAST_BYTES, cut, gaps, range_bytes

WEIGHTS = st.lists(st.integers(0, 50), max_size=60)


@given(WEIGHTS, st.integers(1, 100), st.integers(1, 20), st.data())
def test_ranges_cover_all_once_and_hold_no_more_than_they_may(weights: list[int], most: int, rows: int, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(weights)))
    stop = data.draw(st.integers(start, len(weights)))
    found = list(cut(np.array(weights, np.int64), start, stop, most, rows))
    assert [row for first, last in found for row in range(first, last)] == list(range(start, stop))
    for first, last in found:
        assert last - first <= rows and (sum(weights[first:last]) <= most or last - first == 1)
        # No range ends while the next row would fit.
        assert last == stop or last - first == rows or sum(weights[first : last + 1]) > most


@given(st.lists(st.integers(0, 40), max_size=12), st.integers(0, 40))
def test_gaps_are_what_is_not_done(edges: list[int], count: int) -> None:
    edges = sorted({min(each, count) for each in edges})
    done = list(zip(edges[::2], edges[1::2], strict=False))
    inside = {row for start, stop in done for row in range(start, stop)}
    assert [row for start, stop in gaps(done, count) for row in range(start, stop)] == [row for row in range(count) if row not in inside]


@pytest.mark.parametrize(
    ("total", "shard", "workers", "expected"),
    [
        (0, 100, 2, 100),
        (10 * LEAST_BYTES, 1 << 40, 2, 10 * LEAST_BYTES // 8),
        (LEAST_BYTES, 1 << 30, 8, LEAST_BYTES),
        (1 << 40, 1 << 30, 2, 1 << 30),
    ],
)
def test_range_has_a_shard_or_a_share_of_little(total: int, shard: int, workers: int, expected: int) -> None:
    found = range_bytes(total, shard, workers)
    assert found == (max(expected, LEAST_BYTES) if shard > LEAST_BYTES else expected)
