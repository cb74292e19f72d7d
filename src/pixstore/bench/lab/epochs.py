"""Epochs of a training program's reader, in each order mode: which rows come when, and the reading itself, for a process of its own."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

import pixstore
from pixstore.bench import naming
from pixstore.bench.carried import Digest
from pixstore.bench.private_memory import PeakSampler, memory_of
from pixstore.bench.residency import Residency, files_below, make_warm, read_from_disk, residency
from pixstore.bench.ways import catalog
from pixstore.bench.ways.base import Reader, Work
from pixstore.bench.ways.ours import STORE, StoreReader
from pixstore.loader.loader import PAGES_OF_A_WINDOW
from pixstore.loader.options import WINDOW_ROWS
from pixstore.loader.order import FullShuffle, WindowShuffle

Mode: TypeAlias = Literal["in order", "shuffled", "window-shuffled", "pseudo-epochs"]
MODES: tuple[Mode, ...] = get_args(Mode)
PSEUDO: Mode = "pseudo-epochs"
Io: TypeAlias = Literal["as it opens", "map"]
OWN_IO: Io = "as it opens"
MAPPED: Io = "map"
WINDOW_PART = 4
"""A window is that of our loader, but never more than one part in so many of all rows."""
CHECKED_ROWS = 64
NEEDED_BATCHES = 8
LEAST_BATCHES = 2


@dataclass(frozen=True)
class Plan:
    """What a child is to read, as JSON carries it."""

    way: str
    threads: int
    folder: str
    shape: list[int] | None
    dtype: str
    images: int
    mode: Mode
    io: Io
    batch: int
    epochs: int
    seconds: float
    """No batch but the first few, and no half of pseudo-epochs but the first, begins after so many."""
    held_bytes: int = 0
    """What the program needs itself."""


def passes(mode: Mode, images: int, batch: int, epoch: int) -> NDArray[np.int64]:
    """Return every row once, in the order of this epoch; of pseudo-epochs, one pass over either half."""
    places = np.arange(images)
    if mode == "shuffled":
        return FullShuffle(images, 0, epoch).rows(places)
    if mode == "window-shuffled":
        window = min(WINDOW_ROWS, max(batch, images // WINDOW_PART))
        return WindowShuffle(images, 0, epoch, page_rows=max(1, window // PAGES_OF_A_WINDOW), window_rows=window).rows(places)
    if mode == PSEUDO:
        return np.concatenate([half[0] + _within(half, number, epoch) for number, half in enumerate(halves(images))])
    return places


def halves(images: int) -> list[range]:
    """Return the rows of each half."""
    return [range(images // 2), range(images // 2, images)]


def need(request: dict[str, Any]) -> int:
    """Return what the program itself needs: the peak of private memory of a process that reads batches, one held while the next is made.

    Raises DependencyError where the system does not tell.
    """
    plan = Plan(**request)
    rows = checked_rows(plan.images, NEEDED_BATCHES * plan.batch)
    reader = _opened(plan)
    try:
        with PeakSampler(os.getpid()) as sampler:
            for start in range(0, len(rows), plan.batch):
                held = reader.read(rows[start : start + plan.batch])
            assert held is not None
        return max(sampler.peak.private_bytes, memory_of().private_bytes)
    finally:
        reader.close()


def read(request: dict[str, Any]) -> dict[str, Any]:
    """Read the epochs of a plan as they are after the first: the files have been read from end to end before, as far as memory held.

    Return seconds, images read in them, bytes the disk gave, what part of the files lay in memory before and after, and a digest of some
    rows read afterwards. The time is that of the batches, without opening; where it ran out, fewer images have been read.
    """
    plan = Plan(**request)
    files = files_below(Path(plan.folder))
    part_before = _filled(plan, files).part
    reader = _opened(plan)
    try:
        disk_before = read_from_disk()
        seconds, images = _timed(plan, reader)
        disk_after = read_from_disk()
        part_after = residency(files).part
        digest = Digest(is_lossy=naming.is_lossy(plan.way))
        rows = checked_rows(plan.images)
        for start in range(0, len(rows), plan.batch):
            digest.add(reader.read(rows[start : start + plan.batch]))
    finally:
        reader.close()
    disk_bytes = None if disk_before is None or disk_after is None else disk_after - disk_before
    parts = {"part_before": part_before, "part_after": part_after}
    return {"seconds": seconds, "images": images, "disk_bytes": disk_bytes, "digest": digest.text, **parts}


def checked_rows(images: int, most: int = CHECKED_ROWS) -> NDArray[np.int64]:
    """Return some rows from all over; of these a digest shows that the right images were read."""
    return np.random.default_rng(images).permutation(images)[:most]


def _filled(plan: Plan, files: list[str]) -> Residency:
    """Read the files from end to end, the memory that the program needs being taken meanwhile; return what of them lies in memory."""
    taken = np.ones(max(0, plan.held_bytes - memory_of().private_bytes), np.uint8)
    found = make_warm(files)
    del taken
    return found


def _opened(plan: Plan) -> Reader:
    if plan.io == MAPPED:
        return StoreReader(pixstore.open(Path(plan.folder) / STORE, io="map"), plan.threads)
    way = catalog.find(plan.way, None, plan.threads)
    # Readers look at the number of images and whether they are alike, never at the pixels: this array takes no memory.
    images: Any = [] if plan.shape is None else np.broadcast_to(np.zeros((), plan.dtype), (plan.images, *plan.shape))
    return way.reader(Path(plan.folder), Work(images, np.zeros(plan.images, np.int64)))


def _timed(plan: Plan, reader: Reader) -> tuple[float, int]:
    """Return the seconds that reading took, and how many images were read in them."""
    images = 0
    started = time.perf_counter()
    for number, count in enumerate(_batches(plan, reader), 1):
        images += count
        is_enough = plan.mode == PSEUDO or number >= LEAST_BATCHES
        if is_enough and time.perf_counter() - started > plan.seconds:
            break
    return time.perf_counter() - started, images


def _batches(plan: Plan, reader: Reader) -> Iterator[int]:
    """Read all epochs and yield how many images have come since the last time."""
    if plan.mode == PSEUDO:
        for number, half in enumerate(halves(plan.images)):
            _read_from_memory(plan, reader, half, number)
            yield len(half) * plan.epochs
        return
    for epoch in range(plan.epochs):
        rows = passes(plan.mode, plan.images, plan.batch, epoch)
        for start in range(0, len(rows), plan.batch):
            batch = rows[start : start + plan.batch]
            reader.read(batch)
            yield len(batch)


def _read_from_memory(plan: Plan, reader: Reader, half: range, number: int) -> None:
    """Load a half, then make the shuffled batches of every epoch from memory."""
    assert plan.shape is not None, "images of many sizes have no pseudo-epochs"
    images, labels = np.empty((len(half), *plan.shape), plan.dtype), np.empty(len(half), np.int64)
    for start in range(0, len(half), plan.batch):
        some = slice(start, start + plan.batch)
        found = reader.read(np.asarray(half[some]))
        images[some], labels[some] = np.asarray(found.images), np.asarray(found.labels)
    for epoch in range(plan.epochs):
        rows = _within(half, number, epoch)
        for start in range(0, len(half), plan.batch):
            chosen = rows[start : start + plan.batch]
            images[chosen], labels[chosen]


def _within(half: range, number: int, epoch: int) -> NDArray[np.int64]:
    return FullShuffle(len(half), number, epoch).rows(np.arange(len(half)))
