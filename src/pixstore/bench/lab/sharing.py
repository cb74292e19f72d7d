"""How work is shared among workers: how many there are, and what each of them does."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from pixstore.bench.lab.workers import Share
from pixstore.bench.ways.base import Way, Work
from pixstore.bench.ways.ours import StoreWay
from pixstore.bench.ways.source import SourceWay

THREADS = "threads"
PROCESSES = "processes"
APART = "processes, a store each"
MORE_THAN_CPUS = 4
"""Workers where there are two CPUs: what happens when there are more workers than CPUs is seen too."""


def worker_counts(cpus: int, images: int) -> list[int]:
    """Return 1, 2, 4 … and all CPUs; 1 and 2 on a single CPU, 4 too on two; never more than there are images."""
    powers = {1 << bit for bit in range(cpus.bit_length())}
    counts = {1, 2, cpus, *powers} | ({MORE_THAN_CPUS} if cpus == 2 else set())
    return sorted(count for count in counts if count <= images)


def bounds(images: int, workers: int) -> list[tuple[int, int]]:
    """Return the range of images of each worker: one after another, as equal as can be."""
    edges = [images * number // workers for number in range(workers + 1)]
    return list(pairwise(edges))


def rows_of_each(order: NDArray[np.int64], workers: int) -> list[NDArray[np.int64]]:
    """Return which rows each worker reads of one store, in the order of the whole."""
    return [order[start:stop] for start, stop in bounds(len(order), workers)]


def part_of(work: Work, start: int, stop: int) -> Work:
    """Return these images as a work of their own."""
    encoded = None if work.encoded is None else work.encoded[start:stop]
    return Work(work.images[start:stop], work.labels[start:stop], encoded, None if work.rows is None else work.rows[start:stop])


def with_threads(way: Way, threads: int) -> Way | None:
    """Return the way as it is with so many threads of its own; None where it knows no threads, and callers bring theirs."""
    if isinstance(way, StoreWay):
        return StoreWay(way.name, way.engine, way.codec, way.durability, threads)
    return None


def has_processes(way: Way) -> bool:
    """Return whether other processes can read what this way stores: the source is open in this one alone."""
    return not isinstance(way, SourceWay)


def shares_of_one(folder: str, order: NDArray[np.int64], workers: int) -> list[Share]:
    """Return the shares of workers that read one store together."""
    return [Share(folder, 0, len(order), rows.tolist()) for rows in rows_of_each(order, workers)]


def shares_apart(folders: Sequence[str], images: int) -> list[Share]:
    """Return the shares of workers that have a store each: the images that belong into it, all of them read in a shuffled order."""
    found = []
    for folder, (start, stop) in zip(folders, bounds(images, len(folders)), strict=True):
        rows = np.random.default_rng(stop - start).permutation(stop - start)
        found.append(Share(folder, start, stop, rows.tolist()))
    return found
