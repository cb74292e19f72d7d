"""Ranges of samples, cut by the bytes that they hold."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

LEAST_BYTES = 32 << 20
"""Of a range, where there is so much: a shard smaller than this is mostly overhead."""
PARTS_PER_WORKER = 4
"""Ranges for each worker at least, so that all end at about the same time."""
MOST_ROWS = 1 << 18
"""Of a range: with the smallest images it takes some seconds all the same, which is what a kill may cost."""


def cut(weights: NDArray[np.int64], start: int, stop: int, most_bytes: int, most_rows: int = MOST_ROWS) -> Iterator[tuple[int, int]]:
    """Yield half-open ranges that cover start to stop, each of at most so many bytes and rows, and of one row at least."""
    ends = np.cumsum(weights[start:stop])
    place = 0
    while place < len(ends):
        spent = int(ends[place - 1]) if place else 0
        after = int(np.searchsorted(ends, spent + most_bytes, "right"))
        after = min(max(after, place + 1), place + most_rows)
        yield start + place, start + min(after, len(ends))
        place = after


def range_bytes(total: int, shard_bytes: int, workers: int) -> int:
    """Return how many bytes a range has: a shard's, or fewer so that every worker has its share."""
    return max(1, min(shard_bytes, max(LEAST_BYTES, total // (PARTS_PER_WORKER * workers))))


def gaps(done: Iterable[tuple[int, int]], count: int) -> Iterator[tuple[int, int]]:
    """Yield the ranges of `range(count)` that are in none of those done, which are ascending and apart."""
    place = 0
    for start, stop in done:
        if start > place:
            yield place, start
        place = max(place, stop)
    if place < count:
        yield place, count
