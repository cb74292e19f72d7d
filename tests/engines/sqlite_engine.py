"""An engine of somebody else's: a table of SQLite. No extents, so everything is read through `read`."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path

from pixstore.engine import Engine, RecordBatch, ShardReader, ShardWriter
from pixstore.errors import BadRow, MissingRecordError
from pixstore.rows import Buffer
from pixstore.schema import Schema


class SqliteWriter(ShardWriter):
    def __init__(self, path: Path, durable: bool) -> None:
        path.touch(exist_ok=False)
        self.path, self.rows = path, 0
        self.database = sqlite3.connect(path, isolation_level=None)
        self.database.execute("PRAGMA journal_mode=OFF")
        self.database.execute(f"PRAGMA synchronous={'FULL' if durable else 'OFF'}")
        self.database.execute("CREATE TABLE records (field TEXT, row INTEGER, bytes BLOB)")

    def append(self, records: RecordBatch) -> None:
        try:
            self.database.execute("BEGIN")
            for name, field in records.fields.items():
                numbered = enumerate(field.slices.views(), self.rows)
                values = ((name, row, bytes(view)) for row, view in numbered if view is not None)
                self.database.executemany("INSERT INTO records VALUES (?, ?, ?)", values)
            self.database.execute("COMMIT")
        except sqlite3.OperationalError as error:
            raise OSError(f"{self.path}: {error}") from error
        self.rows += len(records)

    def seal(self) -> None:
        self.database.execute("CREATE INDEX places ON records (field, row)")
        self.database.close()

    def abort(self) -> None:
        self.database.close()
        self.path.unlink(missing_ok=True)


class SqliteReader(ShardReader):
    def __init__(self, path: Path) -> None:
        self.database = sqlite3.connect(f"{path.resolve(strict=True).as_uri()}?mode=ro", uri=True)

    def read(self, field: str, rows: Sequence[int]) -> list[Buffer]:
        query = "SELECT bytes FROM records WHERE field = ? AND row = ?"
        found = [self.database.execute(query, (field, row)).fetchone() for row in rows]
        missing = [BadRow(row, "", field, "no record") for row, record in zip(rows, found, strict=True) if record is None]
        if missing:
            raise MissingRecordError("", missing)
        return [record[0] for record in found]

    def close(self) -> None:
        self.database.close()


class SqliteEngine(Engine):
    name, extension = "sqlite", ".sqlite"

    def create(self, path: Path, schema: Schema, *, durable: bool, max_bytes: int) -> ShardWriter:
        return SqliteWriter(path, durable)

    def open(self, path: Path, schema: Schema) -> ShardReader:
        return SqliteReader(path)


ENGINE = SqliteEngine()
