"""The leveldb engine: the conformance suite, what LevelDB itself reads, and that reading changes nothing."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import plyvel
import pytest

from pixstore.engines import leveldb
from pixstore.schema import Field, Schema
from pixstore.testing import EngineConformance, batch, noise, packed_records

SCHEMA = Schema((Field("image"), Field("mask")))


class TestConformance(EngineConformance):
    engine = leveldb.ENGINE


@pytest.fixture
def path(tmp_path: Path) -> Path:
    writer = leveldb.ENGINE.create(tmp_path / "a.leveldb", SCHEMA, durable=False, max_bytes=1 << 30)
    for first in range(0, 40, 10):
        stored = [noise(2_000_000, first + row) for row in range(10)]
        writer.append(batch(first, image=packed_records(stored), mask=packed_records([None if row % 2 else b"m" for row in range(10)])))
    writer.seal()
    return tmp_path / "a.leveldb"


def test_leveldb_reads_every_record(path: Path, tmp_path: Path) -> None:
    database = plyvel.DB(os.fspath(shutil.copytree(path, tmp_path / "copy")), compression=None)
    assert [key for key, _ in database.iterator()][:3] == [b"00000000/image", b"00000000/mask", b"00000001/image"]
    assert all(database.get(b"%08d/image" % row) == noise(2_000_000, row) for row in (0, 17, 39))
    database.close()


def test_tables_are_written_once_and_nothing_passing_is_left(path: Path) -> None:
    names = os.listdir(path)
    assert len([name for name in names if name.endswith(".ldb")]) > 1 and not {"LOCK", "LOG", "LOG.old"} & set(names)
    assert sum(each.stat().st_size for each in path.iterdir()) < 40 * 2_000_000 + 100_000


def test_reading_changes_nothing_and_asks_for_no_right_to(path: Path) -> None:
    before = {each.name: each.stat().st_mtime_ns for each in path.iterdir()}
    for each in (*path.iterdir(), path):
        os.chmod(each, each.stat().st_mode & 0o555)
    reader = leveldb.ENGINE.open(path, SCHEMA)
    assert reader.read("image", [39, 0]) == [noise(2_000_000, 39), noise(2_000_000, 0)]
    reader.close()
    assert {each.name: each.stat().st_mtime_ns for each in path.iterdir()} == before
    os.chmod(path, 0o700)
