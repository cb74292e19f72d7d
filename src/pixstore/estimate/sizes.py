"""The bytes of a store before it is made: pixels as each engine keeps them, tables, key indices, manifests, in whole blocks."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike

from pixstore import registry
from pixstore.builder import MOST_SHARD_ROWS
from pixstore.engine import Engine, PlannedBytes, PlannedShard
from pixstore.incoming import ABSENT
from pixstore.keys import HEADER_BYTES, are_counted, counted_keys
from pixstore.manifest import TILE_BYTES, JobState, Manifest, ShardEntry, ShardFile, serialise
from pixstore.record_table import FOLDER, MOST_SMALL
from pixstore.rows import Indices
from pixstore.schema import KEY, Field, Format, Schema
from pixstore.shard import RecordColumns, write_table
from pixstore.store import shard_schema

NAME = "0123456789abcdef"
"""As long as the names of shards are."""
LOCK_BYTES = 150
KEY_ENTRY_BYTES = 12
FIXED_RECORD_BYTES = 8 + 8 + 8 + 1 + 4 + 1
"""What a table holds of a record, but for its shape and the number of its file: offset, length, checksum, codec, list of sizes, dtype."""
SIZE_BYTES = 4
USUAL_DIMENSIONS = 3


@dataclass(frozen=True)
class Sizes:
    """The bytes of a store: what its files hold together, and what the file system sets aside for files and folders."""

    apparent: int
    allocated: int
    shards: int


def predict(
    engine: str | Engine,
    lengths: Mapping[str, ArrayLike],
    *,
    folder: Path,
    schema: Schema | None = None,
    formats: Mapping[str, Format] | None = None,
    keys: pa.StringArray | None = None,
    columns: Mapping[str, pa.Array] | None = None,
    shard_bytes: int = 1 << 30,
    ends: ArrayLike | None = None,
    job: JobState | None = None,
) -> Sizes:
    """Return the bytes of a new store of these records, within 3 % where it is larger than some 100 kB.

    lengths: bytes of each stored record per field, -1 where it is missing. formats: how a field's records are stored; with shape and
    dtype where all have the same. Without keys there are default keys. `ends` are the rows at which shards end, where that is settled;
    otherwise they end at `shard_bytes`. `job` is what the manifest will say of the conversion.
    `folder` exists and lies on the file system that is to hold the store.
    """
    held = {name: np.asarray(each, np.int64) for name, each in lengths.items()}
    rows = len(next(iter(held.values())))
    plan = _Plan(
        registry.engine(engine) if isinstance(engine, str) else engine,
        schema or Schema(tuple(Field(name) for name in held), pa.schema([(name, each.type) for name, each in (columns or {}).items()])),
        {name: (formats or {}).get(name, ABSENT) for name in held},
        folder,
    )
    keys = counted_keys(0, rows) if keys is None else keys
    parts = _parts(held, keys, columns or {}, shard_bytes) if ends is None else _stretches(np.asarray(ends, np.int64))
    shards = [
        plan.shard(
            {name: each[part] for name, each in held.items()}, keys[part], {name: each[part] for name, each in (columns or {}).items()}
        )
        for part in parts
    ]
    return plan.store(shards, job)


def _stretches(ends: Indices) -> Iterator[slice]:
    start = 0
    for end in ends.tolist():
        yield slice(start, end)
        start = end


def _parts(held: Mapping[str, Indices], keys: pa.Array, columns: Mapping[str, pa.Array], shard_bytes: int) -> Iterator[slice]:
    """Yield the rows of each shard: as many as stay below `shard_bytes`, one at least."""
    rows = len(keys)
    others = (int(keys.nbytes) + sum(int(each.nbytes) for each in columns.values())) / max(rows, 1)
    sums = np.cumsum(sum(each.clip(0) for each in held.values()) + others)
    start = 0
    while start < rows:
        spent = sums[start - 1] if start else 0
        end = int(np.searchsorted(sums, spent + shard_bytes, "right"))
        end = min(max(end, start + 1), start + MOST_SHARD_ROWS, rows)
        yield slice(start, end)
        start = end


@dataclass(frozen=True)
class _Shard:
    entry: ShardEntry
    apparent: int
    allocated: int


@dataclass(frozen=True)
class _Plan:
    engine: Engine
    schema: Schema
    formats: Mapping[str, Format]
    folder: Path

    def shard(self, lengths: Mapping[str, Indices], keys: pa.Array, columns: Mapping[str, pa.Array]) -> _Shard:
        uniform = {name: each for name, each in self.formats.items() if each.is_known and bool((lengths[name] >= 0).all())}
        planned = PlannedShard(shard_schema(self.schema, uniform), lengths, self.formats, keys, self.folder)
        pixels = self.engine.predicted_bytes(planned)
        table = self._table_bytes(lengths, {KEY: keys, **columns}, pixels)
        index = 0 if are_counted(keys) else HEADER_BYTES + KEY_ENTRY_BYTES * len(keys)
        entry = ShardEntry(
            NAME, self.engine.name, len(keys), _file(".arrow", table), _file(".keys", index) if index else None,
            _file(self.engine.extension, pixels.apparent), uniform,
        )  # fmt: skip
        others = sum(planned.in_blocks(each) for each in (table, index))
        return _Shard(entry, pixels.apparent + table + index, pixels.allocated + others)

    def _table_bytes(self, lengths: Mapping[str, Indices], columns: Mapping[str, pa.Array], pixels: PlannedBytes) -> int:
        rows = len(columns[KEY])
        size = self._empty_table_bytes(columns) + sum(int(each.nbytes) for each in columns.values())
        for name, each in lengths.items():
            shape = self.formats[name].shape
            sizes = USUAL_DIMENSIONS if shape is None else len(shape)
            size += rows * (FIXED_RECORD_BYTES + SIZE_BYTES * sizes + (1 if pixels.paths <= MOST_SMALL else 4))
            size += -(-rows // 8) if bool((each < 0).any()) else 0
        if pixels.path_bytes:
            size += pixels.path_bytes + pixels.paths * (len(f"{FOLDER}/") + 4)
        return size

    def _empty_table_bytes(self, columns: Mapping[str, pa.Array]) -> int:
        """Return the bytes of a table without rows."""
        nothing = np.zeros(0, np.int64)
        fields = {
            name: RecordColumns([f"{FOLDER}/{NAME}{self.engine.extension}"], nothing.astype(np.int32), nothing, nothing,
                                nothing.astype(np.uint64), [each], nothing.astype(np.int32))
            for name, each in self.formats.items()
        }  # fmt: skip
        with tempfile.TemporaryDirectory(prefix="pixstore-") as folder:
            return (
                write_table(Path(folder, "empty.arrow"), {name: pa.array([], each.type) for name, each in columns.items()}, fields).bytes
                or 0
            )

    def store(self, shards: list[_Shard], job: JobState | None) -> Sizes:
        """Return the sum: the shards, the manifest and the same bytes as version 1, the lock, and three folders."""
        manifest = Manifest(
            1,
            None,
            "2000-01-01T00:00:00+00:00",
            self.engine.name,
            "power",
            self.schema,
            10**7,
            tuple(each.entry for each in shards),
            job=job,
        )
        written = len(serialise(manifest))
        nothing = PlannedShard(self.schema, {}, self.formats, pa.array([], pa.string()), self.folder)
        fixed = 2 * nothing.in_blocks(written) + nothing.in_blocks(LOCK_BYTES) + 3 * nothing.block_bytes
        apparent = sum(each.apparent for each in shards) + 2 * written + LOCK_BYTES
        return Sizes(apparent, sum(each.allocated for each in shards) + fixed, len(shards))


def _file(suffix: str, size: int) -> ShardFile:
    return ShardFile(f"{NAME}{suffix}", size, tuple(range(1 << 60, (1 << 60) + -(-size // TILE_BYTES))))
