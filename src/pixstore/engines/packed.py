"""Records end to end in one file: the plainest format and the fastest to write.

    records      row after row, within a row field after field; a missing record takes no bytes
    lengths      the length of each record in the same order, -1 where it is missing; i32, or i64 where one needs it
    directory    JSON: {"packed": 1, "rows": n, "fields": [name, …], "lengths": "<i4" or "<i8"}
    tail         bytes of the directory as u64, then b"PIXPACK1"

Numbers are little-endian. Offsets follow from the lengths, because records leave no gaps.
"""

from __future__ import annotations

import json
import mmap
import os
from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path

import numpy as np

from pixstore.engine import Engine, PlannedBytes, PlannedShard, RecordBatch, ShardReader, ShardWriter
from pixstore.engines.reading import missing_records, refusals, require
from pixstore.engines.writing import GuardedWriter, claim, extents_in, runs, views, write_all
from pixstore.errors import CorruptStoreError
from pixstore.rows import Buffer, Extents, Indices
from pixstore.schema import Schema

MAGIC = b"PIXPACK1"
TAIL_BYTES = 16


class PackedWriter(GuardedWriter):
    def __init__(self, path: Path, schema: Schema, *, durable: bool) -> None:
        super().__init__(path, schema, durable=durable)
        self._lengths: list[Indices] = []
        self._descriptor = claim(path)

    def _append(self, records: RecordBatch) -> None:
        slices = [records.fields[name].slices for name in self.schema.field_names]
        self._lengths.append(np.stack([each.length for each in slices], axis=1).astype(np.int64))
        if len(slices) == 1:
            return write_all(self._descriptor, runs(slices[0]))
        rows = zip(*(views(each) for each in slices), strict=True)
        write_all(self._descriptor, [view for view in chain.from_iterable(rows) if view is not None])

    def _seal(self) -> Mapping[str, Extents]:
        names = self.schema.field_names
        lengths = np.concatenate([np.zeros((0, len(names)), np.int64), *self._lengths])
        write_all(self._descriptor, [memoryview(ending(names, lengths))])
        begins = offsets(lengths)
        return {name: extents_in(self.path, begins[:, column], lengths[:, column]) for column, name in enumerate(names)}


def ending(names: Sequence[str], lengths: Indices) -> bytes:
    """Return what follows the records, given the rows × fields lengths."""
    dtype = "<i4" if lengths.max(initial=0) < 1 << 31 else "<i8"
    directory = json.dumps({"packed": 1, "rows": len(lengths), "fields": names, "lengths": dtype}).encode()
    return b"".join([lengths.astype(dtype).tobytes(), directory, len(directory).to_bytes(8, "little"), MAGIC])


def offsets(lengths: Indices) -> Indices:
    """Return where each record begins, given the rows × fields lengths."""
    taken = lengths.clip(0).ravel()
    begins: Indices = np.cumsum(taken) - taken
    return begins.reshape(lengths.shape)


class PackedReader(ShardReader):
    def __init__(self, path: Path) -> None:
        self._path = path
        require(path.is_file(), path)
        with refusals(path), open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size < TAIL_BYTES:
                raise self._damaged("shorter than its tail")
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        try:
            self._fields, self._lengths = self._index(size - TAIL_BYTES)
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise self._damaged(f"its index does not parse: {error}") from error
        self._offsets = offsets(self._lengths)

    def _index(self, end: int) -> tuple[list[str], Indices]:
        begin = end - int.from_bytes(self._map[end : end + 8], "little")
        if self._map[end + 8 :] != MAGIC or not 0 <= begin <= end:
            raise self._damaged("no tail where it should be")
        directory = json.loads(self._map[begin:end])
        fields, count = directory["fields"], directory["rows"] * len(directory["fields"])
        dtype = np.dtype({"<i4": "<i4", "<i8": "<i8"}[directory["lengths"]])
        start = begin - count * dtype.itemsize
        if not 0 <= start <= begin:
            raise self._damaged("more rows than bytes")
        lengths = np.frombuffer(self._map, dtype, count, start).astype(np.int64).reshape(-1, len(fields))
        if int(lengths.clip(0).sum()) != start:
            raise self._damaged("its lengths do not add up to its size")
        return fields, lengths

    def _damaged(self, why: str) -> CorruptStoreError:
        return CorruptStoreError(f"{self._path}: not a whole packed shard ({why}); restore it from a copy")

    def read(self, field: str, rows: Sequence[int]) -> list[Buffer]:
        column = self._fields.index(field)
        wanted = np.asarray(rows, np.int64)
        begins, lengths = self._offsets[wanted, column], self._lengths[wanted, column]
        if (lengths < 0).any():
            raise missing_records(self._path, field, wanted[lengths < 0].tolist())
        return [self._map[begin:end] for begin, end in zip(begins.tolist(), (begins + lengths).tolist(), strict=True)]

    def close(self) -> None:
        self._map.close()


class PackedEngine(Engine):
    name = "packed"
    extension = ".bin"

    def create(self, path: Path, schema: Schema, *, durable: bool, max_bytes: int) -> ShardWriter:
        return PackedWriter(path, schema, durable=durable)

    def open(self, path: Path, schema: Schema) -> ShardReader:
        return PackedReader(path)

    def predicted_bytes(self, shard: PlannedShard) -> PlannedBytes:
        lengths = np.stack([shard.lengths[name] for name in shard.schema.field_names], axis=1)
        return PlannedBytes.in_one_file(int(lengths.clip(0).sum()) + len(ending(shard.schema.field_names, lengths)), shard)


ENGINE = PackedEngine()
