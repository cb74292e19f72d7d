"""TileDB arrays in a folder: a uniform raw field is one dense N·H·W·C array, the records of any other field lie in an array of bytes.

    image             uniform: the array, uncompressed; rows without a record are zeros, and its metadata `missing` lists them
    image/bytes       otherwise: records end to end, uint8
    image/index       and their places, N × 2 int64: offset in the bytes, length; a length of -1 without a record

TileDB keeps tiles in pieces with headers between them, so records have no extents. Types that TileDB does not have (bool, float16, complex)
and arrays without elements take the second form.

A child of a fork reads with a context of its own. It must end as children of multiprocessing do, by os._exit: at a full exit of the
interpreter TileDB itself waits for threads that only the parent has, and it warns of that when a process forks.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import tiledb
from numpy.typing import NDArray

from pixstore.engine import Engine, PlannedBytes, PlannedShard, RecordBatch, ShardReader, ShardWriter
from pixstore.engines.field_writing import FieldWriter
from pixstore.engines.file_names import escape
from pixstore.engines.folder import FolderWriter
from pixstore.engines.inherited import hold, release
from pixstore.engines.reading import missing_records, refusals, require
from pixstore.engines.tiledb_fields import BYTES, INDEX, ArrayWriter, BytesWriter, is_array
from pixstore.engines.tiledb_size import folder_bytes
from pixstore.engines.writing import raise_refusal
from pixstore.errors import CorruptStoreError, PixstoreError
from pixstore.rows import Buffer
from pixstore.schema import Schema

MOST_TOGETHER = 64
"""Records that follow one another and are read at once."""
# One thread each: pixstore has threads of its own, and a shard is one of many.
SETTINGS = {"sm.compute_concurrency_level": "1", "sm.io_concurrency_level": "1"}


class TiledbWriter(FolderWriter):
    def __init__(self, path: Path, schema: Schema, *, durable: bool) -> None:
        super().__init__(path, schema, durable=durable)
        with self._guarded():
            self._context = tiledb.Ctx(SETTINGS)
            hold(self._context)
            self._fields: list[FieldWriter] = [
                (ArrayWriter if is_array(field) else BytesWriter)(self._context, path, field) for field in schema.fields
            ]

    def _append(self, records: RecordBatch) -> None:
        self._require_place()
        for field, writer in zip(self.schema.fields, self._fields, strict=True):
            writer.append(records.fields[field.name])

    def _seal(self) -> None:
        self._require_place()
        for writer in self._fields:
            writer.finish()
        self._close()

    def _close(self) -> None:
        release(self._context)

    @contextmanager
    def _library_errors(self) -> Iterator[None]:
        try:
            yield
        except tiledb.TileDBError as error:
            raise_refusal(self.path)
            raise OSError(errno.EIO, f"TileDB refuses it: {error}", os.fspath(self.path)) from error


@contextmanager
def tiledb_errors(path: Path) -> Iterator[None]:
    """Turn TileDB's errors of reading into ours."""
    try:
        yield
    except PixstoreError:
        raise
    except (tiledb.TileDBError, ValueError, IndexError, TypeError, KeyError) as error:
        raise CorruptStoreError(f"{path}: TileDB refuses it: {error}; restore it from a copy") from error


class TiledbReader(ShardReader):
    def __init__(self, path: Path) -> None:
        self._path = path
        require(path.is_dir(), path)
        self._context = tiledb.Ctx(SETTINGS)
        hold(self._context)
        self._arrays: dict[str, Any] = {}
        self._known: dict[str, NDArray[np.int64]] = {}

    def read(self, field: str, rows: Sequence[int]) -> list[Buffer]:
        name = escape(field)
        with refusals(self._path), tiledb_errors(self._path):
            if (self._path / name / INDEX).is_dir():
                return self._records(field, name, np.asarray(rows, np.int64))
            missing = sorted(set(rows) & set(self._missing(name).tolist()))
            if missing:
                raise missing_records(self._path, field, missing)
            wanted = np.asarray(rows, np.int64)
            return self._stretches(name, wanted, wanted + 1)

    def _records(self, field: str, name: str, rows: NDArray[np.int64]) -> list[Buffer]:
        places = self._places(f"{name}/{INDEX}")[rows]
        if (places[:, 1] < 0).any():
            raise missing_records(self._path, field, rows[places[:, 1] < 0].tolist())
        found: list[Buffer] = [b""] * len(rows)
        filled = np.flatnonzero(places[:, 1])
        begins = places[filled, 0]
        for place, record in zip(filled.tolist(), self._stretches(f"{name}/{BYTES}", begins, begins + places[filled, 1]), strict=True):
            found[place] = record
        return found

    def _stretches(self, name: str, begins: NDArray[np.int64], ends: NDArray[np.int64]) -> list[Buffer]:
        """Return the bytes of these stretches of an array; those that follow one another are read together."""
        # Before anything is allocated for one that leads out of the array.
        outside = (begins < 0) | (ends <= begins) | (ends > self._size(name))
        if outside.any():
            first = int(outside.argmax())
            raise CorruptStoreError(f"{self._path}: {name!r} has nothing at {begins[first]:,}–{ends[first]:,}; restore it from a copy")
        found: list[Buffer] = []
        for run in np.split(np.arange(len(begins)), np.flatnonzero(begins[1:] != ends[:-1]) + 1):
            for part in np.array_split(run, -(-len(run) // MOST_TOGETHER) or 1):
                found += self._run(name, begins[part], ends[part]) if len(part) else []
        return found

    def _run(self, name: str, begins: NDArray[np.int64], ends: NDArray[np.int64]) -> list[Buffer]:
        start, stop = int(begins[0]), int(ends[-1])
        data = memoryview(self._array(name)[start:stop].tobytes())
        size = len(data) // (stop - start)
        return [data[begin:end] for begin, end in zip(((begins - start) * size).tolist(), ((ends - start) * size).tolist(), strict=True)]

    def _size(self, name: str) -> int:
        domain = self._array(name).nonempty_domain()
        return 0 if domain is None else int(domain[0][1]) + 1

    def _missing(self, name: str) -> NDArray[np.int64]:
        if name not in self._known:
            self._known[name] = np.atleast_1d(np.asarray(dict(self._array(name).meta).get("missing", []), np.int64))
        return self._known[name]

    def _places(self, name: str) -> NDArray[np.int64]:
        if name not in self._known:
            rows = self._size(name)
            self._known[name] = self._array(name)[0:rows] if rows else np.zeros((0, 2), np.int64)
        return self._known[name]

    def _array(self, name: str) -> Any:
        if name not in self._arrays:
            self._arrays[name] = tiledb.open(str(self._path / name), "r", ctx=self._context)
            hold(self._arrays[name])
        return self._arrays[name]

    def close(self) -> None:
        while self._arrays:
            array = self._arrays.popitem()[1]
            array.close()
            release(array)
        release(self._context)


class TiledbEngine(Engine):
    name = "tiledb"
    extension = ".tiledb"

    def create(self, path: Path, schema: Schema, *, durable: bool, max_bytes: int) -> ShardWriter:
        return TiledbWriter(path, schema, durable=durable)

    def open(self, path: Path, schema: Schema) -> ShardReader:
        return TiledbReader(path)

    def predicted_bytes(self, shard: PlannedShard) -> PlannedBytes:
        return folder_bytes(shard)


ENGINE = TiledbEngine()
