"""A LevelDB database in a folder: key `00000002/image` (row in eight digits, field), value = record; uncompressed.

Rows are written in order, so no table is ever written again, and values lie whole in tables: each has an extent. When a shard is sealed,
everything is in tables, and LevelDB's lock and journal of events are removed. LevelDB writes into a folder whenever it opens it, so
pixstore reads the tables itself (leveldb_tables.py).
"""

from __future__ import annotations

import errno
import os
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import plyvel

from pixstore.engine import Engine, PlannedBytes, PlannedShard, RecordBatch, ShardReader, ShardWriter
from pixstore.engines.folder import FolderWriter
from pixstore.engines.inherited import hold, release
from pixstore.engines.leveldb_size import folder_bytes
from pixstore.engines.leveldb_tables import Table
from pixstore.engines.reading import missing_records, refusals, require
from pixstore.engines.row_keys import items_of, key_of, placed, require_all
from pixstore.engines.writing import prove, raise_refusal
from pixstore.rows import Buffer, Extents
from pixstore.schema import Schema

BUFFER_BYTES = 32 << 20
"""Gathered in memory before a table is written: the size of tables."""
BATCH_BYTES = 4 << 20
PASSING = ("LOCK", "LOG", "LOG.old")
BEYOND = (b"\xfe", b"\xff")
"""Behind every key: compacting there writes what is in memory into a table, and moves nothing."""


class LeveldbWriter(FolderWriter):
    def __init__(self, path: Path, schema: Schema, *, durable: bool) -> None:
        super().__init__(path, schema, durable=durable)
        self._rows = self._records = 0
        with self._guarded():
            self._database = plyvel.DB(
                os.fspath(path), create_if_missing=True, error_if_exists=True, compression=None, write_buffer_size=BUFFER_BYTES
            )
            hold(self._database)

    def _append(self, records: RecordBatch) -> None:
        batch, size = self._database.write_batch(), 0
        for key, view in items_of(records, self.schema.field_names, self._rows, self.path):
            if size and size + len(view) > BATCH_BYTES:
                batch.write()
                batch, size = self._database.write_batch(), 0
            batch.put(key, bytes(view))
            size += len(view)
            self._records += 1
        batch.write()
        self._rows += len(records)

    def _seal(self) -> Mapping[str, Extents]:
        self._database.compact_range(start=BEYOND[0], stop=BEYOND[1])
        self._close()
        for name in PASSING:
            (self.path / name).unlink(missing_ok=True)
        reader = LeveldbReader(self.path)
        try:
            extents = self._extents(reader)
            prove(self.path, extents, reader)
        finally:
            reader.close()
        return extents

    def _extents(self, reader: LeveldbReader) -> Mapping[str, Extents]:
        found = ((number, key, start, end - start) for number, table in enumerate(reader.tables) for key, start, end in table.entries())
        places = placed(found, self.schema.field_names, self._rows, self.path)
        require_all(places, self._records, self.path)
        paths = [f"{self.path.name}/{table.path.name}" for table in reader.tables]
        return {name: each.extents(paths or [f"{self.path.name}/CURRENT"]) for name, each in places.items()}

    def _close(self) -> None:
        self._database.close()
        release(self._database)

    @contextmanager
    def _library_errors(self) -> Iterator[None]:
        try:
            yield
        except plyvel.Error as error:
            raise_refusal(self.path)
            raise OSError(errno.EIO, f"LevelDB refuses it: {error}", os.fspath(self.path)) from error


class LeveldbReader(ShardReader):
    def __init__(self, path: Path) -> None:
        self._path = path
        require(path.is_dir(), path)
        self.tables: list[Table] = []
        """In the order of their keys."""
        with refusals(path):
            require((path / "CURRENT").is_file(), path / "CURRENT")
            names = sorted(name for name in os.listdir(path) if name.endswith(".ldb"))
            self.tables += sorted((each for each in map(self._table, names) if each.blocks), key=lambda table: table.first_key)
        self._begins = [table.first_key for table in self.tables]

    def _table(self, name: str) -> Table:
        return Table(self._path / name)

    def read(self, field: str, rows: Sequence[int]) -> list[Buffer]:
        found = [self._find(key_of(row, field)) for row in rows]
        missing = [row for row, value in zip(rows, found, strict=True) if value is None]
        if missing:
            raise missing_records(self._path, field, missing)
        return [value for value in found if value is not None]

    def _find(self, key: bytes) -> bytes | None:
        number = bisect_right(self._begins, key) - 1
        if number < 0:
            return None
        place = self.tables[number].find(key)
        return None if place is None else self.tables[number].bytes_at(*place)

    def close(self) -> None:
        for table in self.tables:
            table.close()
        self.tables.clear()


class LeveldbEngine(Engine):
    name = "leveldb"
    extension = ".leveldb"

    def create(self, path: Path, schema: Schema, *, durable: bool, max_bytes: int) -> ShardWriter:
        return LeveldbWriter(path, schema, durable=durable)

    def open(self, path: Path, schema: Schema) -> ShardReader:
        return LeveldbReader(path)

    def predicted_bytes(self, shard: PlannedShard) -> PlannedBytes:
        return folder_bytes(shard)


ENGINE = LeveldbEngine()
