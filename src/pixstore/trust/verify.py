"""`pixstore.verify`: whether a store holds exactly what was put in, byte for byte."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from pixstore import executors
from pixstore.core import usable_cpus
from pixstore.manifest import ShardEntry
from pixstore.rows import Indices
from pixstore.trust.findings import Finding, VerifyReport, in_order, parse_share
from pixstore.trust.library import Trial, try_library
from pixstore.trust.parts import PartResult, check_part, tasks_of
from pixstore.trust.survey import Survey, check_splits, survey

Progress = Callable[[int, int, int], None]
NO_ROWS: Indices = np.zeros(0, np.int64)


def verify(
    path: str | os.PathLike[str],
    *,
    sample: str | float | None = None,
    version: int | str | None = None,
    seed: int | None = None,
    library: bool | None = None,
    on: str = "threads",
    workers: int | None = None,
    progress: Progress | None = None,
) -> VerifyReport:
    """Check a store and return what was found; `report.ok` says whether everything is as it was written.

    Checked are all versions that are kept: manifests, tables and key indices against their digests and each other, files of pixels
    against theirs, every record against its checksum.

    sample: "1%" or 0.01 reads that share of the records, drawn by `seed`, and leaves out the digests of whole files of pixels.
    version: a number or a tag; only what that version needs is checked. library: whether lmdb and HDF5 are asked for records too, in a
    process that may die of it without harm; where not stated, for those files alone that digests do not prove. on, workers: "threads",
    "processes" or "ray[=ADDRESS]", and how many. progress: called as `progress(samples, all samples, bytes)`.

    Damage is never an error. Raises NotAStoreError where there is no store, InvalidInputError for a version that is not kept.
    """
    began = time.perf_counter()
    place = Path(path).absolute()
    share = parse_share(sample)
    drawn = secrets.randbits(32) if seed is None and share < 1 else seed
    found = survey(place, version)
    results = list(_checked(found, share, drawn or 0, on, workers, progress))
    outcomes = list(try_library(place, list(_trials(results, library))))
    results += [PartResult(each.trial.entry.id, damaged=each.damaged) for each in outcomes if each.trial.is_only_way]
    findings = [*found.findings, *check_splits(found), *(each for result in results for each in result.findings)]
    findings += [*_twice(found, results), *(each.finding for each in outcomes if each.finding is not None)]
    return VerifyReport(
        path=place,
        version=None if found.current is None else found.current.version,
        versions=tuple(sorted(found.kept)),
        durability=None if found.current is None else found.current.durability,
        findings=in_order(iter(findings)),
        samples=sum(each.samples for each in results),
        damaged=damaged_rows(found, results),
        bytes=sum(each.bytes for each in results),
        seconds=time.perf_counter() - began,
        share=share,
        seed=drawn if share < 1 else None,
        leftovers=tuple(found.leftovers),
        notes=(*found.notes, *_unproven(found), *(each.note for each in outcomes if each.note is not None)),
    )


def _checked(found: Survey, share: float, seed: int, on: str, workers: int | None, progress: Progress | None) -> Iterator[PartResult]:
    """Yield what was found in every part of every shard that a kept version names."""
    count = workers or usable_cpus()
    tasks = [
        task
        for entry, version in found.shards().values()
        for task in tasks_of(found.path, entry, version.schema, share=share, seed=seed, workers=count)
    ]
    total = sum(entry.rows for entry, _ in found.shards().values())
    done = read = 0
    results: Any = executors.run(check_part, tasks, on=on, workers=None if on.startswith("ray") else count)
    with closing(results):
        for number, result in results:
            yield result
            done, read = done + len(tasks[number].rows), read + result.bytes
            if progress is not None:
                progress(min(done, total), total, read)


def _trials(results: list[PartResult], library: bool | None) -> Iterator[Trial]:
    """Yield what the engines' libraries are to be asked: of all shards, of those that digests do not prove, or what they alone know."""
    damaged = {finding.shard for result in results for finding in result.findings if finding.kind in ("pixels", "size")}
    for trial in (each for result in results for each in result.trials):
        is_unproven = trial.entry.id in damaged or not trial.is_digested
        if trial.is_only_way or library or (library is None and is_unproven):
            yield trial


def damaged_rows(found: Survey, results: list[PartResult]) -> int:
    """Return how many samples of the version are damaged."""
    by_shard: dict[str, list[PartResult]] = {}
    for each in results:
        by_shard.setdefault(each.shard, []).append(each)
    shards = found.current.shards if found.current else ()
    return sum(_damaged_of(entry, by_shard.get(entry.id, [])) for entry in shards)


def _damaged_of(entry: ShardEntry, results: list[PartResult]) -> int:
    if not all(each.is_readable for each in results):
        return entry.rows - entry.deleted_rows
    return len(live_rows(entry, np.unique(np.concatenate([NO_ROWS, *(each.damaged for each in results)]))))


def live_rows(entry: ShardEntry, rows: Indices) -> Indices:
    """Return those of the rows of a shard's files that are not deleted."""
    for start, stop in entry.deleted:
        rows = rows[(rows < start) | (rows >= stop)]
    return rows


def _twice(found: Survey, results: list[PartResult]) -> Iterator[Finding]:
    """Yield the finding where a key stands in two samples of the version."""
    named = {entry.id for entry in (found.current.shards if found.current else ())}
    hashes = np.sort(np.concatenate([np.zeros(0, np.uint64), *(each.hashes for each in results if each.shard in named)]))
    twice = int((hashes[1:] == hashes[:-1]).sum())
    if twice:
        yield Finding("keys", f"{twice:,} keys stand twice among the samples of version {found.current.version}", "manifest.json")  # type: ignore[union-attr]


def _unproven(found: Survey) -> Iterator[str]:
    if found.current is not None and found.current.job is not None and found.current.is_unfinished:
        yield f"a conversion into it is not finished: {found.current.job.samples:,} of {found.current.job.rows:,} samples are there"
    for entry, _ in found.shards().values():
        file = entry.pixels
        if file is not None and file.bytes is not None and file.digests is None:
            yield f"shards/{file.name} was written without digests: its records are proven, what lies between them is not"
    entries = [entry for entry, _ in found.shards().values()]
    own = {entry.pixels.name for entry in entries if entry.pixels is not None}
    for name in sorted({name for entry in entries for name in entry.borrows} - own):
        yield f"shards/{name} holds records of other shards alone: these are proven, the bytes between records are not"
