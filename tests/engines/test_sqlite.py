"""The sqlite engine: the conformance suite, names of tables, places that cannot be written, and damage."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest

from pixstore.engines import sqlite
from pixstore.errors import CorruptStoreError
from pixstore.schema import Field, Schema
from pixstore.testing import EngineConformance, batch, noise, packed_records


class TestConformance(EngineConformance):
    engine = sqlite.ENGINE


def written(path: Path, *names: str) -> Path:
    writer = sqlite.ENGINE.create(path, Schema(tuple(map(Field, names))), durable=False, max_bytes=1 << 30)
    writer.append(batch(0, **{name: packed_records([noise(9000, row) for row in range(20)]) for name in names}))
    writer.seal()
    return path


def test_fields_that_sqlite_would_confuse_or_refuse_have_tables_of_their_own(tmp_path: Path) -> None:
    names = ("image", "Image", "sqlite_image", "depth.left", "select")
    path = written(tmp_path / "a.sqlite", *names)
    reader = sqlite.ENGINE.open(path, Schema())
    assert all(reader.read(name, [7]) == [noise(9000, 7)] for name in names)
    reader.close()
    database = sqlite3.connect(path)
    assert len({name.lower() for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}) == len(names)
    assert database.execute("SELECT key, length(record) FROM image WHERE row = 3").fetchone() == ("00000003", 9000)
    assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    database.close()


def test_reading_takes_no_lock_and_writes_nothing(tmp_path: Path) -> None:
    path = written(tmp_path / "a.sqlite", "image")
    other = sqlite3.connect(path)
    other.execute("BEGIN EXCLUSIVE")
    os.chmod(tmp_path, 0o500)
    reader = sqlite.ENGINE.open(path, Schema())
    assert reader.read("image", [0, 19]) == [noise(9000, 0), noise(9000, 19)]
    reader.close()
    os.chmod(tmp_path, 0o700)
    other.rollback()
    other.close()
    assert os.listdir(tmp_path) == ["a.sqlite"]


@pytest.mark.parametrize("place", [0, 100])
def test_a_damaged_database_is_refused(tmp_path: Path, place: int) -> None:
    path = written(tmp_path / "a.sqlite", "image")
    data = bytearray(path.read_bytes())
    data[place : place + 200] = b"\xff" * 200
    path.write_bytes(data)
    reader = sqlite.ENGINE.open(path, Schema())
    with pytest.raises(CorruptStoreError, match=r"a\.sqlite: SQLite refuses it"):
        reader.read("image", [0])
    reader.close()
