"""Exact duplicates: samples whose stored bytes are, in every field, those of a sample that comes before them."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import closing

import numpy as np
from numpy.typing import NDArray

from pixstore import codec, executors
from pixstore.dataset import Dataset
from pixstore.incoming import joined
from pixstore.jobs.cut import cut, gaps
from pixstore.jobs.job import Job, Task
from pixstore.jobs.lists import Duplicate
from pixstore.jobs.plan import Plan
from pixstore.jobs.ranges import BATCH_ROWS, found_again
from pixstore.jobs.reading import find
from pixstore.rows import Indices
from pixstore.schema import ARRAY_CODECS, KEY

Hashes = NDArray[np.uint64]
SEEDS = (0, 1)
"""Two hashes of 64 bits find the candidates; their bytes decide."""


def hash_range(job: Job, task: Task) -> Hashes | None:
    """Return two hashes of each sample's stored bytes, 0 for one that cannot be read; None where the run has ended meanwhile."""
    found = np.zeros((len(task.rows), len(SEEDS)), np.uint64)
    here, kept = found_again(job, task)
    for start, stop in cut(here.bytes, 0, len(here.rows), job.batch_bytes, BATCH_ROWS):
        if executors.is_stopped():
            return None
        found[kept[start:stop]] = _hashes(job, here.rows[start:stop])
    return found


def _hashes(job: Job, rows: Indices) -> Hashes:
    found = np.zeros((len(rows), len(SEEDS)), np.uint64)
    readable = np.ones(len(rows), bool)
    for name in job.schema.field_names:
        stored, layouts, present, unread = _stored(job.dataset, name, rows, job.encoding.threads)
        readable[unread] = False
        each = np.zeros_like(found)
        slices = joined(stored)
        for place, seed in enumerate(SEEDS):
            seeds = np.array([codec.hash_bytes(f"{seed} {layout}".encode()) for layout in layouts], np.uint64)
            each[present, place] = codec.checksums(slices, seeds, threads=job.encoding.threads)
        # What a field adds depends on its place, so that image and mask exchanged are another sample.
        found = found * np.uint64(0x9E3779B97F4A7C15) + each + np.uint64(1)
    found[~readable] = 0
    return found


def _stored(dataset: Dataset, name: str, rows: Indices, threads: int | None) -> tuple[list[bytes], list[str], Indices, Indices]:
    """Return bytes and layout of those rows that have this field, the places of these, and the places of those that cannot be read."""
    found = find(dataset, name, rows, None)
    if found.records is None:
        return [], [], found.present, found.lost
    buffers, good, _ = codec.fetch_masked(found.records, threads=threads, io="pread")
    # The bytes of arrays do not say how wide an image is; those of all other formats do.
    layouts = [f"{each.shape} {each.dtype}" if each.codec in ARRAY_CODECS else "" for each in found.records.formats]
    each_layout = [layouts[number] for number in found.records.format.tolist()]
    return buffers, each_layout, found.present, np.concatenate([found.lost, found.present[~good]])


def find_duplicates(job: Job, plan: Plan, *, on: str, workers: int | None, range_bytes: int) -> tuple[Indices, list[Duplicate]]:
    """Return the positions in the plan of all duplicates, and their list. The whole source is read once."""
    hashes = np.zeros((len(plan), len(SEEDS)), np.uint64)
    size = plan.bytes
    ranges = [each for start, stop in gaps((), len(plan)) for each in cut(size, start, stop, range_bytes)]
    tasks = (plan.task(start, stop) for start, stop in ranges)
    with closing(executors.run(functools.partial(hash_range, job), tasks, on=on, workers=workers)) as results:  # type: ignore[type-var]
        for number, found in results:
            hashes[slice(*ranges[number])] = found
    keys = job.dataset.table[KEY]
    positions, listed = [], []
    for position, first in _confirmed(job, plan, hashes):
        row, like = int(plan.rows[position]), int(plan.rows[first])
        positions.append(position)
        listed.append(Duplicate(row, keys[row].as_py(), keys[like].as_py()))
    return np.array(positions, np.int64), listed


def _confirmed(job: Job, plan: Plan, hashes: Hashes) -> Iterator[tuple[int, int]]:
    """Yield (position, position of the first like it) for every sample whose bytes are those of the first with its hashes."""
    order = np.lexsort((np.arange(len(hashes)), hashes[:, 1], hashes[:, 0]))
    same = (hashes[order][1:] == hashes[order][:-1]).all(axis=1) & hashes[order][1:].any(axis=1)
    first = np.maximum.accumulate(np.where(np.concatenate(([True], ~same)), np.arange(len(order)), 0))
    suspects = np.flatnonzero(same) + 1
    suspects = suspects[np.argsort(order[suspects])]
    sizes = 2 * plan.bytes[order[suspects]]
    for start, stop in cut(sizes, 0, len(suspects), job.batch_bytes, BATCH_ROWS):
        later, earlier = order[suspects[start:stop]], order[first[suspects[start:stop]]]
        alike = np.ones(len(later), bool)
        for name in job.schema.field_names:
            alike &= _are_alike(job, name, plan.rows[later], plan.rows[earlier])
        yield from zip(later[alike].tolist(), earlier[alike].tolist(), strict=True)


def _are_alike(job: Job, name: str, later: Indices, earlier: Indices) -> NDArray[np.bool_]:
    both = []
    for rows in (later, earlier):
        stored, layouts, present, _ = _stored(job.dataset, name, rows, job.encoding.threads)
        whole: list[tuple[bytes, str] | None] = [None] * len(rows)
        for place, data, layout in zip(present.tolist(), stored, layouts, strict=True):
            whole[place] = (data, layout)
        both.append(whole)
    return np.array([one == two for one, two in zip(*both, strict=True)], bool)


def without_duplicates(plan: Plan, listed: list[Duplicate]) -> Plan:
    """Return the plan without the samples that are listed."""
    rows = np.array([each.row for each in listed], np.int64)
    return plan.without(np.flatnonzero(np.isin(plan.rows, rows)))
