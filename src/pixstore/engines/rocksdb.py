"""A RocksDB database in a folder: key `00000002/image` (row in eight digits, field), value = record, in blob files without compression.

Blob files hold values whole, one after another, so each has an extent. When a shard is sealed, everything is in files, a sample of it was
compared with what RocksDB itself returns, and RocksDB's lock and journal of events are removed. Opening a folder through rocksdict writes
into it, even for reading, so pixstore reads the blob files itself (rocksdb_blobs.py).
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rocksdict import DBCompressionType, Options, Rdict, WriteBatch, WriteOptions

from pixstore.engine import Engine, PlannedBytes, PlannedShard, RecordBatch, ShardReader, ShardWriter
from pixstore.engines.folder import FolderWriter
from pixstore.engines.inherited import hold, release
from pixstore.engines.reading import missing_records, refusals, require
from pixstore.engines.rocksdb_blobs import BlobFile
from pixstore.engines.rocksdb_size import folder_bytes
from pixstore.engines.row_keys import items_of, key_of, placed, require_all
from pixstore.engines.writing import prove, raise_refusal
from pixstore.errors import PixstoreError
from pixstore.rows import Buffer, Extents
from pixstore.schema import Schema

BUFFER_BYTES = 32 << 20
"""Gathered in memory before a blob file is written: the size of blob files."""
BATCH_BYTES = 4 << 20
PASSING = ("LOCK", "LOG")


def options() -> Any:
    """Return how a shard is written: bytes for keys and values, values apart from keys, nothing compressed."""
    # Not raw, rocksdict would pickle.
    found = Options(raw_mode=True)
    found.create_if_missing(True)
    found.set_error_if_exists(True)
    found.set_compression_type(DBCompressionType.none())
    found.set_enable_blob_files(True)
    found.set_min_blob_size(0)
    found.set_write_buffer_size(BUFFER_BYTES)
    found.set_keep_log_file_num(1)
    return found


class RocksdbWriter(FolderWriter):
    def __init__(self, path: Path, schema: Schema, *, durable: bool) -> None:
        super().__init__(path, schema, durable=durable)
        self._rows = self._records = 0
        with self._guarded():
            self._database = Rdict(os.fspath(path), options())
            hold(self._database)
            # What is not sealed does not count, so there is nothing to recover.
            unlogged: Any = WriteOptions()
            unlogged.disable_wal = True
            self._database.set_write_options(unlogged)

    def _append(self, records: RecordBatch) -> None:
        batch, size = WriteBatch(raw_mode=True), 0
        for key, view in items_of(records, self.schema.field_names, self._rows, self.path):
            if size and size + len(view) > BATCH_BYTES:
                self._database.write(batch)
                batch, size = WriteBatch(raw_mode=True), 0
            batch.put(key, bytes(view))
            size += len(view)
            self._records += 1
        self._database.write(batch)
        self._rows += len(records)

    def _seal(self) -> Mapping[str, Extents]:
        self._database.flush()
        files = BlobFiles(self.path)
        try:
            extents = self._extents(files)
            prove(self.path, extents, OpenReader(self.path, self._database))
        finally:
            files.close()
        self._close()
        for name in PASSING:
            (self.path / name).unlink(missing_ok=True)
        return extents

    def _extents(self, files: BlobFiles) -> Mapping[str, Extents]:
        places = placed(files.records(), self.schema.field_names, self._rows, self.path)
        require_all(places, self._records, self.path)
        paths = [f"{self.path.name}/{each.path.name}" for each in files.all]
        return {name: each.extents(paths or [f"{self.path.name}/CURRENT"]) for name, each in places.items()}

    def _close(self) -> None:
        self._database.close()
        release(self._database)

    @contextmanager
    def _library_errors(self) -> Iterator[None]:
        try:
            yield
        except (PixstoreError, OSError):
            raise
        except Exception as error:
            # rocksdict raises plain Exception for whatever RocksDB says.
            raise_refusal(self.path)
            raise OSError(errno.EIO, f"RocksDB refuses it: {error}", os.fspath(self.path)) from error


class BlobFiles:
    """All blob files of a shard, by their numbers."""

    def __init__(self, path: Path) -> None:
        with refusals(path):
            names = sorted(name for name in os.listdir(path) if name.endswith(".blob"))
            self.all = [BlobFile(path / name) for name in names]

    def records(self) -> Iterator[tuple[int, bytes, int, int]]:
        """Yield number of the file, key, offset and length of everything in them."""
        for number, file in enumerate(self.all):
            for key, start, end in file.records():
                yield number, key, start, end - start

    def close(self) -> None:
        for each in self.all:
            each.close()


class OpenReader(ShardReader):
    """What RocksDB returns of a database that is still open for writing."""

    def __init__(self, path: Path, database: Any) -> None:
        self._path = path
        self._database = database

    def read(self, field: str, rows: Sequence[int]) -> list[Buffer]:
        found = [self._database.get(key_of(row, field)) for row in rows]
        missing = [row for row, value in zip(rows, found, strict=True) if value is None]
        if missing:
            raise missing_records(self._path, field, missing)
        return found

    def close(self) -> None:
        """The database is the writer's."""


class RocksdbReader(ShardReader):
    """Reads the blob files; which record lies where is looked up once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        require(path.is_dir(), path)
        require((path / "CURRENT").is_file(), path / "CURRENT")
        self._files = BlobFiles(path)
        self._places: dict[bytes, tuple[int, int, int]] = {}

    def read(self, field: str, rows: Sequence[int]) -> list[Buffer]:
        if not self._places:
            self._places = {key: (number, start, length) for number, key, start, length in self._files.records()}
        found = [self._places.get(key_of(row, field)) for row in rows]
        missing = [row for row, place in zip(rows, found, strict=True) if place is None]
        if missing:
            raise missing_records(self._path, field, missing)
        places = [place for place in found if place is not None]
        return [self._files.all[number].bytes_at(start, start + length) for number, start, length in places]

    def close(self) -> None:
        self._places.clear()
        self._files.close()


class RocksdbEngine(Engine):
    name = "rocksdb"
    extension = ".rocksdb"

    def create(self, path: Path, schema: Schema, *, durable: bool, max_bytes: int) -> ShardWriter:
        return RocksdbWriter(path, schema, durable=durable)

    def open(self, path: Path, schema: Schema) -> ShardReader:
        return RocksdbReader(path)

    def predicted_bytes(self, shard: PlannedShard) -> PlannedBytes:
        return folder_bytes(shard)


ENGINE = RocksdbEngine()
