"""Reading as each use does it: shuffled batches, single random reads, everything in order; from memory or with nothing in memory."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import pixstore
from pixstore.bench.advice.figures import FULL, Use
from pixstore.bench.lab.caching import COLD, CacheStateError, files_of, read_from
from pixstore.bench.lab.lab import Lab
from pixstore.bench.lab.question import Observed
from pixstore.bench.residency import Residency, make_cold
from pixstore.bench.timing import timed
from pixstore.bench.ways.base import Reader, Way, Work
from pixstore.bench.ways.ours import STORE, StoreReader, StoreWay
from pixstore.loader.order import WindowShuffle

BATCH = 256
BATCH_BYTES = 32_000_000
"""A batch of large images has fewer."""
LEAST_BYTES = 24_000_000
"""What one repeat decodes at least: a few images are read several times, for the clock to see them."""
MOST_PASSES = 50
SINGLE_READS, LEAST_SINGLE_READS, SINGLE_BYTES = 100, 20, 64_000_000
"""Random reads in one repeat: fewer where images are large, and the least from the medium."""
MOST_STAYED = 0.2
"""Of the pages, beside those of rows that were read, between two reads from the medium: they do not leave where they are mapped."""
PERCENTILE = 0.95
WINDOWS = 8
"""Windows in the sample: as many as there might be in a large source."""
PAGES_OF_A_WINDOW = 16


class Read:
    """Reads as the use does, with nothing but memory between; what is read is compared once for each number of threads."""

    def __init__(self, lab: Lab, way: Way, use: Use) -> None:
        self._lab, self._way, self._use = lab, way, use
        self._checked: set[int] = set()
        self._random = np.random.default_rng(0)

    def __call__(self, variant: Way) -> Observed:
        """Return the seconds of one image; `variant` reads the store of the way with its own number of threads."""
        work = self._lab.work(len(self._lab.sample))
        reader = variant.reader(self._lab.stored(self._way, work), work)
        try:
            if variant.threads not in self._checked:
                _check_all(self._lab, self._way, reader, work)
                self._checked.add(variant.threads)
            return Observed(self._one_by_one(reader, work) if self._use == "browse" else self._batches(reader, work))
        finally:
            reader.close()

    def _batches(self, reader: Reader, work: Work) -> float:
        batches = [each for _ in range(passes(work)) for each in batches_of(self._order(len(work)), work)]
        timing, _ = timed(lambda: _read_all(reader, batches), batch_bytes(work))
        return timing.seconds / sum(map(len, batches))

    def _order(self, count: int) -> NDArray[np.int64]:
        return np.arange(count) if self._use == "archive" else self._random.permutation(count)

    def _one_by_one(self, reader: Reader, work: Work) -> float:
        count = int(np.clip(SINGLE_BYTES * len(work) // work.pixel_bytes, LEAST_SINGLE_READS, SINGLE_READS))
        rows = self._random.integers(0, len(work), count)
        seconds = timed(lambda: [_single(reader, row) for row in rows.reshape(-1, 1)], batch_bytes(work))[1]
        return float(np.quantile(seconds, PERCENTILE))


def _single(reader: Reader, row: NDArray[np.int64]) -> float:
    started = time.perf_counter()
    reader.read(row)
    return time.perf_counter() - started


def _read_all(reader: Reader, batches: Sequence[NDArray[np.int64]]) -> None:
    for rows in batches:
        # As in training, a batch is gone when the next one comes.
        reader.read(rows)


def _check_all(lab: Lab, way: Way, reader: Reader, work: Work) -> None:
    for rows in batches_of(np.arange(len(work)), work):
        lab.check(way, reader.read(rows), work, rows)


def batch_bytes(work: Work) -> int:
    """Return about how many bytes a batch has, decoded."""
    return work.pixel_bytes * min(_batch_rows(work), len(work)) // len(work)


def passes(work: Work) -> int:
    """Return how often one repeat reads everything."""
    return int(np.clip(-(-LEAST_BYTES // work.pixel_bytes), 1, MOST_PASSES))


def batches_of(rows: NDArray[np.int64], work: Work) -> list[NDArray[np.int64]]:
    """Return the rows in batches of 256, of fewer where images are large."""
    size = _batch_rows(work)
    return [rows[start : start + size] for start in range(0, len(rows), size)]


def _batch_rows(work: Work) -> int:
    return int(np.clip(BATCH_BYTES * len(work) // work.pixel_bytes, 1, BATCH))


def cold(lab: Lab, way: Way, use: Use, mode: str) -> Observed:
    """Return the seconds of one image with nothing of the files in memory: in shuffled batches, for browsing of a single read, p95.

    Opening is not timed: it counts by itself. A cell that cannot be made cold is an error.
    """
    work = lab.work(len(lab.sample))
    files = files_of(lab, way, work)
    read = _cold_singles(work, files) if use == "browse" else _cold_batches(work, mode)

    def opened() -> float:
        reader = _by_calls(way, lab.stored(way, work), work)
        try:
            return read(reader)
        finally:
            reader.close()

    found = read_from(COLD, files, opened, batch_bytes(work))
    return Observed(found.result, found.measures, found.proof)


def _by_calls(way: Way, place: Path, work: Work) -> Reader:
    """Return the open store, read by calls: so io="auto" opens what is large next to memory, and that is what cold reads stand for."""
    if isinstance(way, StoreWay):
        return StoreReader(pixstore.open(place / STORE, io="pread"), way.threads)
    return way.reader(place, work)


def _cold_batches(work: Work, mode: str) -> Callable[[Reader], float]:
    rows = np.random.default_rng(0).permutation(len(work)) if mode == FULL else windowed(len(work))
    batches = batches_of(rows, work)

    def read(reader: Reader) -> float:
        started = time.perf_counter()
        _read_all(reader, batches)
        return (time.perf_counter() - started) / len(work)

    return read


def _cold_singles(work: Work, files: Sequence[str]) -> Callable[[Reader], float]:
    rows = np.random.default_rng(0).permutation(len(work))[:LEAST_SINGLE_READS]
    # Images that share a file would come out of what the system read ahead for the one before.
    is_shared = len(files) < len(work)

    def read(reader: Reader) -> float:
        seconds = []
        for done, row in enumerate(rows.reshape(-1, 1)):
            if is_shared:
                _require_cold(make_cold(files), done / len(work))
            seconds.append(_single(reader, row))
        return float(np.quantile(seconds, PERCENTILE))

    return read


def _require_cold(found: Residency, part_read: float) -> None:
    """Raise CacheStateError where more stayed in memory than a reader that maps files holds of what it has read."""
    if found.part is None or found.part > part_read + MOST_STAYED:
        raise CacheStateError(f"not cold between two reads: {found.resident or 0:,} of {found.pages:,} pages stayed in memory")


def windowed(count: int) -> NDArray[np.int64]:
    """Return rows in the loader's order for shuffle="window", in windows that are an eighth of all."""
    window = max(2, count // WINDOWS)
    rows: NDArray[np.int64] = WindowShuffle(count, 0, 0, page_rows=max(1, window // PAGES_OF_A_WINDOW), window_rows=window).rows(
        np.arange(count)
    )
    return rows
