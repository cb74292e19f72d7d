"""The header of an LMDB file is found, whatever its format, and says what is wrong with it."""

from __future__ import annotations

import struct
from contextlib import closing
from pathlib import Path

import lmdb
import pytest

from pixstore.errors import CorruptStoreError, IncompatibleStoreError, NotAStoreError
from pixstore.sources.lmdb.header import Meta, data_file, map_file, newest_meta

PAGE = 4096


def write(path: Path, items: dict[bytes, bytes]) -> Path:
    with lmdb.open(str(path), map_size=1 << 20, subdir=False, lock=False) as environment, environment.begin(write=True) as transaction:
        for key, value in items.items():
            transaction.put(key, value)
    return path


def meta_of(path: Path) -> Meta:
    with closing(map_file(path)) as data:
        return newest_meta(data, path)


def test_the_newest_of_both_headers_counts(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mdb", {b"a": b"1"})
    first = meta_of(path)
    second = meta_of(write(path, {b"b": b"2"}))
    assert (first.main.entries, second.main.entries) == (1, 2)
    assert second.transaction == first.transaction + 1
    assert second.page_bytes == PAGE and (second.last_page + 1) * PAGE <= path.stat().st_size


def test_the_data_file_is_found_in_a_folder_or_by_itself(tmp_path: Path) -> None:
    (tmp_path / "env").mkdir()
    path = write(tmp_path / "env" / "data.mdb", {b"a": b"b"})
    assert data_file(tmp_path / "env") == path == data_file(path)
    (tmp_path / "text").write_text("text" * 10)
    assert data_file(tmp_path) is None and data_file(tmp_path / "text") is None and data_file(tmp_path / "absent") is None


def test_an_empty_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.mdb").touch()
    with pytest.raises(NotAStoreError, match="empty file"):
        meta_of(tmp_path / "a.mdb")


def test_another_format_of_lmdb_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mdb", {b"a": b"b"})
    with open(path, "r+b") as file:
        for meta in (0, PAGE):
            file.seek(meta + 20)
            file.write(struct.pack("<I", 2))
    with pytest.raises(IncompatibleStoreError, match="LMDB format 2"):
        meta_of(path)


@pytest.mark.parametrize(
    ("offset", "magic", "name"),
    [
        (24, b"\xde\xc0\xef\xbe", "LMDB 1.0"),
        (12, b"\xde\xc0\xef\xbe", "32-bit"),
        (16, b"\xbe\xef\xc0\xde", "other byte order"),
        (12, b"\xbe\xef\xc0\xde", "32-bit machine of the other byte order"),
    ],
)
def test_a_file_of_another_machine_or_version_is_named(tmp_path: Path, offset: int, magic: bytes, name: str) -> None:
    path = tmp_path / "data.mdb"
    path.write_bytes((bytes(offset) + magic).ljust(2 * PAGE, b"\0"))
    assert data_file(path) == path == data_file(tmp_path)
    with pytest.raises(IncompatibleStoreError, match=name):
        meta_of(path)


@pytest.mark.parametrize("page_bytes", [0, 3, 1 << 31])
def test_an_impossible_page_size_is_damage(tmp_path: Path, page_bytes: int) -> None:
    path = write(tmp_path / "a.mdb", {b"a": b"1"})
    with open(path, "r+b") as file:
        file.seek(40)
        file.write(struct.pack("<I", page_bytes))
    with pytest.raises(CorruptStoreError, match="page size"):
        meta_of(path)
