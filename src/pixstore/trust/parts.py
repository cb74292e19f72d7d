"""A part of a shard, checked: what threads, processes or a cluster do for `verify`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pixstore import codec
from pixstore.errors import CorruptStoreError
from pixstore.manifest import TILE_BYTES, ShardEntry
from pixstore.record_table import FOLDER
from pixstore.rows import Indices
from pixstore.schema import KEY, Schema
from pixstore.shard import Shard
from pixstore.trust.contents import RECORDS_AT_ONCE, Checked, check_records, check_tiles, no_records, records_of_tiles
from pixstore.trust.findings import Finding
from pixstore.trust.folders import check_folder
from pixstore.trust.library import Trial, trials_of
from pixstore.trust.own_files import check_names
from pixstore.trust.structure import bytes_there, check_keys, check_places, check_sizes, open_table, without

PART_BYTES = 256 << 20
PART_ROWS = 1 << 17


@dataclass(frozen=True)
class PartTask:
    """Part `part` of `parts` of a shard: the first one is also asked whether the shard's files agree; `share` of the records are read."""

    store: Path
    entry: ShardEntry
    schema: Schema
    part: int
    parts: int
    share: float
    seed: int

    @property
    def rows(self) -> range:
        """The rows of the shard's files that this part counts."""
        return range(self.entry.rows * self.part // self.parts, self.entry.rows * (self.part + 1) // self.parts)


@dataclass
class PartResult:
    """What was found in a part, and what is still to be asked of the engine's library.

    `damaged` are rows of the shard's files, none where not even the table `is_readable`: then all are. `hashes` are those of the keys of
    all rows that are not deleted.
    """

    shard: str
    findings: list[Finding] = field(default_factory=list)
    damaged: Indices = field(default_factory=lambda: np.zeros(0, np.int64))
    hashes: NDArray[np.uint64] = field(default_factory=lambda: np.zeros(0, np.uint64))
    trials: list[Trial] = field(default_factory=list)
    samples: int = 0
    bytes: int = 0
    is_readable: bool = True


def tasks_of(store: Path, entry: ShardEntry, schema: Schema, *, share: float, seed: int, workers: int) -> list[PartTask]:
    """Return the parts of a shard: as many as there are workers, where it is worth it, more where it is large."""
    size = bytes_there(store, entry.pixels)
    least = min(workers, -(-size // TILE_BYTES))
    # A row takes more than a byte of its table.
    rows = min(entry.rows, bytes_there(store, entry.table))
    parts = max(1, least, -(-size // PART_BYTES), -(-rows // PART_ROWS))
    return [PartTask(store, entry, schema, part, parts, share, seed) for part in range(parts)]


def check_part(task: PartTask) -> PartResult:
    """Return what is wrong with this part of the shard; damage is a finding, never an error."""
    result = PartResult(task.entry.id)
    if task.part == 0:
        result.findings += check_sizes(task.store, task.entry)
        result.findings += check_folder(task.store, task.entry, is_read=task.share >= 1)
        result.bytes += sum(each.bytes for each in task.entry.pixels.files) if task.entry.pixels and task.share >= 1 else 0
    try:
        shard = open_table(task.store, task.entry, task.schema)
        if task.part == 0:
            _check_structure(task, shard, result)
        _check_records(task, shard, result)
    except CorruptStoreError as error:
        _check_without_table(task, error, result)
    return result


def _check_without_table(task: PartTask, error: CorruptStoreError, result: PartResult) -> None:
    path = task.store / FOLDER / task.entry.table.name
    result.is_readable = False
    if task.part == 0:
        rows = task.entry.rows - task.entry.deleted_rows
        result.findings.append(Finding("table", without(path, error), f"{FOLDER}/{path.name}", task.entry.id, rows=rows))
    if (tiles := _tiles(task)) is not None and task.entry.pixels is not None:
        checked = check_tiles(task.store, task.entry, task.entry.pixels, tiles, no_records(), None)
        result.findings += checked.findings
        result.bytes += checked.bytes


def _tiles(task: PartTask) -> range | None:
    """Return the tiles of this part, None where the file is not to be proven as a whole, or is not there."""
    file = task.entry.pixels
    if task.share < 1 or file is None or file.digests is None or not (task.store / FOLDER / file.name).is_file():
        return None
    edges = np.linspace(0, len(file.digests), task.parts + 1).astype(int)
    return range(int(edges[task.part]), int(edges[task.part + 1]))


def _check_structure(task: PartTask, shard: Shard, result: PartResult) -> None:
    keys = shard.whole[KEY]
    result.findings += check_keys(task.store, task.entry, keys)
    result.findings += check_places(task.store, task.entry, shard)
    result.findings += check_names(shard)
    live = np.setdiff1d(np.arange(task.entry.rows), _deleted(task.entry))
    result.hashes = codec.hash_keys(keys.take(pa.array(live)))


def _check_records(task: PartTask, shard: Shard, result: PartResult) -> None:
    rows = np.array(task.rows, np.int64)
    if task.share < 1:
        rng = np.random.default_rng([task.seed, int(task.entry.id[:12].encode().hex(), 16), task.part])
        rows = np.sort(rng.choice(rows, int(np.ceil(task.share * len(rows))), replace=False))
    result.samples = len(rows)
    file = task.entry.pixels
    if file is not None and not (task.store / FOLDER / file.name).exists():
        # The finding that it is missing stands for all of them.
        result.damaged = rows
        return
    checked = list(_checked(task, shard, rows))
    result.findings += [finding for each in checked for finding in each.findings]
    result.damaged = np.unique(np.concatenate([np.zeros(0, np.int64), *(each.damaged for each in checked)]))
    result.bytes += sum(each.bytes for each in checked)
    result.trials = list(trials_of(task.entry, shard, rows))


def _checked(task: PartTask, shard: Shard, rows: Indices) -> Iterator[Checked]:
    """Yield what was found in the records: with the file's tiles where it has digests, else in the records alone."""
    tiles, file = _tiles(task), task.entry.pixels
    if tiles is not None and file is not None:
        records = records_of_tiles(shard, tiles, len(file.digests or ()))
        yield check_tiles(task.store, task.entry, file, tiles, records, shard)
        return
    for start in range(0, len(rows), RECORDS_AT_ONCE):
        for name in shard.schema.field_names:
            yield check_records(shard, name, rows[start : start + RECORDS_AT_ONCE])


def _deleted(entry: ShardEntry) -> Indices:
    return np.concatenate([np.zeros(0, np.int64), *(np.arange(start, stop) for start, stop in entry.deleted)])
