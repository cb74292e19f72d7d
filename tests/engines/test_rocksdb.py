"""The rocksdb engine: the conformance suite, what RocksDB itself reads, and that reading changes nothing."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
import rocksdict

from pixstore.engines import rocksdb
from pixstore.schema import Schema
from pixstore.testing import EngineConformance, batch, noise, packed_records


class TestConformance(EngineConformance):
    engine = rocksdb.ENGINE


@pytest.fixture
def path(tmp_path: Path) -> Path:
    writer = rocksdb.ENGINE.create(tmp_path / "a.rocksdb", Schema(), durable=False, max_bytes=1 << 30)
    for first in range(0, 40, 10):
        writer.append(batch(first, image=packed_records([noise(1_000_000, first + row) for row in range(10)])))
    writer.seal()
    return tmp_path / "a.rocksdb"


def test_rocksdb_reads_every_record(path: Path, tmp_path: Path) -> None:
    copy = os.fspath(shutil.copytree(path, tmp_path / "copy"))
    with rocksdict.Rdict(copy, rocksdict.Options(raw_mode=True), access_type=rocksdict.AccessType.read_only()) as database:
        assert all(database[b"%08d/image" % row] == noise(1_000_000, row) for row in (0, 17, 39))
        assert b"00000040/image" not in database


def test_reading_changes_nothing_and_asks_for_no_right_to(path: Path) -> None:
    before = {each.name: each.stat().st_mtime_ns for each in path.iterdir()}
    assert not {"LOCK", "LOG"} & set(before)
    os.chmod(path, 0o500)
    reader = rocksdb.ENGINE.open(path, Schema())
    assert reader.read("image", [39, 0]) == [noise(1_000_000, 39), noise(1_000_000, 0)]
    reader.close()
    os.chmod(path, 0o700)
    assert {each.name: each.stat().st_mtime_ns for each in path.iterdir()} == before
