"""One SQLite database: a table per field, with row, key and record; a row without a record is not there.

    CREATE TABLE "image" (row INTEGER PRIMARY KEY, key TEXT NOT NULL, record BLOB NOT NULL)

SQLite does not tell large letters from small ones in names, so what is not a small letter, a digit, `_`, `-` or `.` is percent-encoded.
A shard is written without a journal, because it counts only when it is sealed, and read as what never changes: without locks.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from pixstore.engine import Engine, PlannedBytes, PlannedShard, RecordBatch, ShardReader, ShardWriter
from pixstore.engines.file_names import escape
from pixstore.engines.reading import missing_records, refusals, require
from pixstore.engines.sqlite_size import PAGE_BYTES, database_bytes
from pixstore.engines.writing import GuardedWriter, claim, raise_refusal, views
from pixstore.errors import CorruptStoreError, InvalidInputError
from pixstore.rows import Buffer
from pixstore.schema import Schema

MOST_RECORD_BYTES = 1_000_000_000 - 1_000_000
"""SQLite's own limit for a row is 1,000,000,000 bytes, with the key in it."""
RESERVED = "sqlite_"


class SqliteWriter(GuardedWriter):
    def __init__(self, path: Path, schema: Schema, *, durable: bool) -> None:
        super().__init__(path, schema, durable=durable)
        self._rows = 0
        self._descriptor = claim(path)
        with self._guarded():
            # No other process knows this file yet; without locks it may lie on any file system.
            self._database = sqlite3.connect(f"{path.resolve().as_uri()}?nolock=1", uri=True, isolation_level=None, check_same_thread=False)
            for pragma in (f"page_size={PAGE_BYTES}", "journal_mode=OFF", "synchronous=OFF"):
                self._database.execute(f"PRAGMA {pragma}")
            for name in schema.field_names:
                self._database.execute(f"CREATE TABLE {table_of(name)} (row INTEGER PRIMARY KEY, key TEXT NOT NULL, record BLOB NOT NULL)")

    def _append(self, records: RecordBatch) -> None:
        self._database.execute("BEGIN")
        for name in self.schema.field_names:
            slices = records.fields[name].slices
            if slices.length.max(initial=0) > MOST_RECORD_BYTES:
                raise InvalidInputError(
                    f"{self.path}: a record of {slices.length.max():,} bytes; SQLite takes {MOST_RECORD_BYTES:,} at most"
                )
            numbered = zip(range(self._rows, self._rows + len(records)), records.keys, views(slices), strict=True)
            values = (each for each in numbered if each[2] is not None)
            self._database.executemany(f"INSERT INTO {table_of(name)} VALUES (?, ?, ?)", values)
        self._database.execute("COMMIT")
        self._rows += len(records)

    def _seal(self) -> None:
        self._close()

    def _close(self) -> None:
        self._database.close()

    @contextmanager
    def _library_errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            if isinstance(error, sqlite3.OperationalError):
                raise_refusal(self.path)
            raise CorruptStoreError(f"{self.path}: SQLite refuses it: {error}; report this with what `pixstore --version` says") from error


def table_of(field: str) -> str:
    """Return the name of a field's table, in quotes."""
    name = escape(field)
    # SQLite keeps names that begin like this for itself.
    return f'"%73{name[1:]}"' if name.startswith(RESERVED) else f'"{name}"'


class SqliteReader(ShardReader):
    def __init__(self, path: Path) -> None:
        self._path = path
        require(path.is_file(), path)
        with refusals(path), sqlite_errors(path):
            address = f"{path.resolve().as_uri()}?mode=ro&immutable=1"
            self._database = sqlite3.connect(address, uri=True, check_same_thread=False)

    def read(self, field: str, rows: Sequence[int]) -> list[Buffer]:
        query = f"SELECT record FROM {table_of(field)} WHERE row = ?"
        with refusals(self._path), sqlite_errors(self._path):
            found = [self._database.execute(query, (int(row),)).fetchone() for row in rows]
        missing = [row for row, record in zip(rows, found, strict=True) if record is None]
        if missing:
            raise missing_records(self._path, field, missing)
        if not all(isinstance(record[0], bytes) for record in found):
            raise CorruptStoreError(f"{self._path}: a record of {field!r} is not bytes; restore it from a copy")
        return [record[0] for record in found]

    def close(self) -> None:
        self._database.close()


@contextmanager
def sqlite_errors(path: Path) -> Iterator[None]:
    """Turn SQLite's errors of reading into ours."""
    try:
        yield
    except sqlite3.Error as error:
        raise CorruptStoreError(f"{path}: SQLite refuses it: {error}; restore it from a copy") from error


class SqliteEngine(Engine):
    name = "sqlite"
    extension = ".sqlite"

    def create(self, path: Path, schema: Schema, *, durable: bool, max_bytes: int) -> ShardWriter:
        return SqliteWriter(path, schema, durable=durable)

    def open(self, path: Path, schema: Schema) -> ShardReader:
        return SqliteReader(path)

    def predicted_bytes(self, shard: PlannedShard) -> PlannedBytes:
        return PlannedBytes.in_one_file(database_bytes(shard.keys, list(shard.lengths.values())), shard)


ENGINE = SqliteEngine()
