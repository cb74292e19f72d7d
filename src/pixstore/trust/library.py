"""Records through the engine's own library (lmdb, HDF5), in a process that damage may kill: does it give what the extents give?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pixstore import child, registry
from pixstore.child import Answer, Limits
from pixstore.core import core
from pixstore.errors import DependencyError, ForeignFileCrashedError, LimitExceededError, PixstoreError, RecordError
from pixstore.manifest import ShardEntry
from pixstore.record_table import FOLDER, missing_places
from pixstore.rows import Indices
from pixstore.schema import Schema
from pixstore.shard import Shard
from pixstore.store import shard_schema
from pixstore.trust.cells import Hashes
from pixstore.trust.findings import Finding
from pixstore.trust.identity import NOT_WRITTEN
from pixstore.trust.structure import bytes_there

OUR_OWN = ("packed", "files")
"""Engines without a library: their files are read by our code alone, as plain bytes."""
TRIED_ROWS = 16
"""Of each part of a shard whose file is proven by digests, as sealing tried them; all rows of other files."""
ROWS_AT_ONCE = 16
MOST_REASONS = 100
MEMORY_BYTES = 1 << 30
BYTES_PER_SECOND = 20 << 20
"""What the slowest disk gives; a child that takes longer hangs."""


SYSTEM_LIBRARIES = ("/usr/lib", "/lib", "/lib64", "/usr/lib64", "/usr/local/lib", "/etc/ld.so.cache", "/dev/urandom")
"""Where an engine's module may find what it is linked with, and random numbers, without which TileDB does not start; the process imports it
only when it has seen which one is asked for."""


@dataclass(frozen=True)
class Trial:
    """Rows of a shard's files to read by its library, with the checksums that the table says and their seeds.

    `is_only_way` where the engine keeps no plain bytes: then nothing else reads these records.
    """

    entry: ShardEntry
    schema: Schema
    field: str
    rows: Indices
    seeds: Hashes
    checksums: Hashes
    is_only_way: bool

    @property
    def is_digested(self) -> bool:
        """Whether the manifest has digests of the whole file, or of all in the folder."""
        return is_digested(self.entry)

    @property
    def file(self) -> str:
        assert self.entry.pixels is not None, "a shard without pixels has no library"
        return f"{FOLDER}/{self.entry.pixels.name}"


@dataclass(frozen=True)
class Outcome:
    """What a trial found: a finding or none, the rows that the library did not give, what could not be tried."""

    trial: Trial
    finding: Finding | None
    damaged: Indices
    note: str | None = None


def is_digested(entry: ShardEntry) -> bool:
    """Return whether the manifest has digests of all that a shard's pixels are in."""
    return entry.pixels is not None and (entry.pixels.digests is not None or bool(entry.pixels.files))


def trials_of(entry: ShardEntry, shard: Shard, rows: Indices) -> Iterator[Trial]:
    """Yield what is to be tried of these rows: a few where the file is proven by digests, all where it is not."""
    if entry.pixels is None or entry.engine in OUR_OWN:
        return
    for field in shard.schema.field_names:
        table = shard.records(field)
        chosen = np.delete(rows, missing_places(table, rows))
        if table is None or not len(chosen):
            continue
        if table.is_located and is_digested(entry):
            chosen = chosen[np.unique(np.linspace(0, len(chosen) - 1, TRIED_ROWS).astype(np.int64))]
        yield Trial(entry, shard.schema, field, chosen, shard.seeds(field, chosen), table.checksum[chosen], not table.is_located)


def try_library(store: Path, trials: Sequence[Trial]) -> Iterator[Outcome]:
    """Yield what each trial found; where the process dies of several, they are tried in halves to find the one that kills it."""
    if not trials:
        return
    sizes = [bytes_there(store, each.entry.pixels) for each in trials]
    # What a library maps counts as memory.
    limits = Limits(
        MEMORY_BYTES + 4 * max(sizes), cpu_seconds=60 + sum(sizes) // BYTES_PER_SECOND, seconds=120.0 + sum(sizes) / BYTES_PER_SECOND
    )
    try:
        system = [each for each in SYSTEM_LIBRARIES if Path(each).exists()]
        answer = child.run(read_by_library, store, [_request(each) for each in trials], reads=system, limits=limits)
    except (ForeignFileCrashedError, LimitExceededError) as error:
        if len(trials) == 1:
            reason = f"its own library does not survive it: {error}"
            yield _outcome(trials[0], {index: reason for index in range(len(trials[0].rows))})
            return
        for half in (trials[: len(trials) // 2], trials[len(trials) // 2 :]):
            yield from try_library(store, half)
        return
    for trial, said, buffer in zip(trials, answer.value, answer.buffers, strict=True):
        yield _judged(trial, said, np.frombuffer(buffer, np.uint64))


def _judged(trial: Trial, said: Any, found: Hashes) -> Outcome:
    if "note" in said and trial.is_only_way:
        return _outcome(trial, {index: str(said["note"]) for index in range(len(trial.rows))})
    if "note" in said:
        return Outcome(trial, None, np.zeros(0, np.int64), f"{trial.file}: {said['note']}")
    reasons = {int(index): str(reason) for index, reason in said["reasons"]}
    for index in np.flatnonzero(found != trial.checksums).tolist():
        reasons.setdefault(index, NOT_WRITTEN)
    return _outcome(trial, reasons)


def _outcome(trial: Trial, reasons: dict[int, str]) -> Outcome:
    rows = trial.rows[sorted(reasons)]
    if not reasons:
        return Outcome(trial, None, rows)
    first = reasons[min(reasons)]
    words = f"its own library does not give {len(rows):,} of {len(trial.rows):,} records of {trial.field!r} that were tried ({first})"
    return Outcome(trial, Finding("library", words, trial.file, trial.entry.id, rows=len(rows)), rows)


def _request(trial: Trial) -> dict[str, Any]:
    schema = shard_schema(trial.schema, trial.entry.formats).to_json()
    rows, seeds = trial.rows.tolist(), trial.seeds.tolist()
    return {"engine": trial.entry.engine, "file": trial.file, "schema": schema, "field": trial.field, "rows": rows, "seeds": seeds}


def read_by_library(store: str, requests: Sequence[dict[str, Any]]) -> Answer:
    """Return for each request the checksums of its rows, read by the engine's own library, and why some could not be; runs in the child."""
    told, buffers = [], []
    for each in requests:
        found = np.zeros(len(each["rows"]), np.uint64)
        told.append(_tell(Path(store), each, found))
        buffers.append(found.tobytes())
    return Answer(told, buffers)


def _tell(store: Path, request: dict[str, Any], found: Hashes) -> dict[str, Any]:
    """Put checksums into `found`; return what could not be read, and why."""
    rows = request["rows"]
    try:
        reader = registry.engine(request["engine"]).open(store / request["file"], Schema.from_json(request["schema"]))
    except DependencyError as error:
        return {"note": f"its own library was not asked: {error}"}
    except PixstoreError as error:
        return {"reasons": [[index, str(error)] for index in range(len(rows))]}
    reasons: list[list[Any]] = []
    with closing(reader):
        for start in range(0, len(rows), ROWS_AT_ONCE):
            places = list(range(start, min(start + ROWS_AT_ONCE, len(rows))))
            seeds = np.array([request["seeds"][place] for place in places], np.uint64)
            reasons += _read(reader, request["field"], [rows[place] for place in places], seeds, found[start : places[-1] + 1], start)
    return {"reasons": [[index, reason[:MOST_REASONS]] for index, reason in reasons]}


def _read(reader: Any, field: str, rows: list[int], seeds: Hashes, found: Hashes, start: int) -> Iterator[list[Any]]:
    """Put the checksums of these rows into `found`; yield those that the library does not give."""
    try:
        found[:] = core().checksum(reader.read(field, rows), seeds, threads=1)[0]
    except Exception as error:
        # The library is another's, the file damaged: whatever it raises says that it does not give these rows.
        if len(rows) == 1:
            said = error.bad_rows[0].reason if isinstance(error, RecordError) and error.bad_rows else f"{type(error).__name__}: {error}"
            yield [start, said]
            return
        for place in range(len(rows)):
            yield from _read(reader, field, rows[place : place + 1], seeds[place : place + 1], found[place : place + 1], start + place)
