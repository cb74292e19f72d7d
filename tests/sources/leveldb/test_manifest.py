"""The files in use are found through CURRENT and the manifest; one that is missing, cut or of another program is named."""

from __future__ import annotations

import struct
from pathlib import Path

import google_crc32c
import plyvel
import pytest

from pixstore import wire
from pixstore.errors import CorruptStoreError, IncompatibleStoreError, PathNotFoundError, PixstoreError, StoreTruncatedError
from pixstore.sources.leveldb.manifest import files_in_use, is_leveldb


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A database with a table and a log."""
    with plyvel.DB(str(tmp_path / "a"), create_if_missing=True) as database:
        for number in range(100):
            database.put(b"%d" % number, bytes(500))
        database.compact_range()
        database.put(b"later", b"value")
    return tmp_path / "a"


def part(body: bytes) -> bytes:
    crc = google_crc32c.value(b"\x01" + body)
    return struct.pack("<IHB", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF, len(body), 1) + body


def text(content: bytes) -> bytes:
    return wire.varint_bytes(len(content)) + content


def test_tables_and_logs_in_use_are_found(path: Path) -> None:
    notes: list[str] = []
    tables, logs = files_in_use(path, notes)
    assert tables == list(path.glob("*.ldb")) and len(tables) == 1
    assert logs == sorted(path.glob("*.log")) and len(logs) == 1
    assert notes == []


def test_tables_of_early_versions_have_another_suffix(path: Path) -> None:
    (table,) = path.glob("*.ldb")
    table.rename(table.with_suffix(".sst"))
    assert files_in_use(path, [])[0] == [table.with_suffix(".sst")]


def test_folders_of_something_else_are_not_taken(path: Path, tmp_path: Path) -> None:
    assert is_leveldb(path)
    assert not is_leveldb(tmp_path) and not is_leveldb(path / "CURRENT") and not is_leveldb(tmp_path / "absent")
    (path / "CURRENT").write_bytes(b"../../etc/passwd\n")
    assert not is_leveldb(path)


def test_wrongly_described_tables_that_are_missing_or_cut_are_named(path: Path) -> None:
    (table,) = path.glob("*.ldb")
    with open(table, "ab") as file:
        file.write(b"more")
    with pytest.raises(
        StoreTruncatedError, match=rf"{table.name}: should have {table.stat().st_size - 4} bytes, has {table.stat().st_size}"
    ):
        files_in_use(path, [])
    table.unlink()
    with pytest.raises(PathNotFoundError, match=rf"missing: 1 \('{table.name}'\)"):
        files_in_use(path, [])


def test_wrongly_described_logs_that_are_missing_are_named(path: Path) -> None:
    (log,) = path.glob("*.log")
    log.unlink()
    with pytest.raises(PathNotFoundError, match=f"missing.*{log.name}"):
        files_in_use(path, [])


def test_a_manifest_that_was_cut_is_told(path: Path) -> None:
    (manifest,) = path.glob("MANIFEST-*")
    manifest.write_bytes(manifest.read_bytes() + b"\x01\x02\x03\x04\xff")
    notes: list[str] = []
    files_in_use(path, notes)
    assert "ends within a record" in notes[0]


@pytest.mark.parametrize(
    ("edit", "error", "words"),
    [
        (b"\x01" + text(b"mine.Comparator"), IncompatibleStoreError, "ordered by b'mine.Comparator'"),
        (b"\xc8\x01\x00", IncompatibleStoreError, "edit 200, which LevelDB has not"),
        (b"\x01\x7fabc", CorruptStoreError, "127 bytes at byte 2 of 5"),
        (b"\x07\x01", CorruptStoreError, "does not end"),
        (b"\x07\x00\x09\x64" + text(b"k" * 9) * 2, PathNotFoundError, "000009.ldb"),
    ],
)
def test_edits_that_are_not_leveldbs_are_refused(tmp_path: Path, edit: bytes, error: type[PixstoreError], words: str) -> None:
    (tmp_path / "CURRENT").write_bytes(b"MANIFEST-000002\n")
    (tmp_path / "MANIFEST-000002").write_bytes(part(edit))
    with pytest.raises(error, match=words):
        files_in_use(tmp_path, [])


def test_a_current_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "CURRENT").write_bytes(b"MANIFEST-../../x\n")
    with pytest.raises(CorruptStoreError, match="names no manifest"):
        files_in_use(tmp_path, [])
