"""Tables are read as LevelDB wrote them, and whatever is changed in one is refused before it is followed."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import google_crc32c
import plyvel
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixstore import wire
from pixstore.errors import CorruptStoreError, IncompatibleStoreError, LimitExceededError, PixstoreError, StoreTruncatedError
from pixstore.sources.leveldb.tables import MAGIC, ROCKSDB_MAGIC, Handle, read_block, read_table


def table_of(path: Path, items: dict[bytes, bytes], compression: str | None) -> Path:
    """Return the table of a database that holds these."""
    with plyvel.DB(str(path), create_if_missing=True, compression=compression) as database:
        for key, value in items.items():
            database.put(key, value)
        database.compact_range()
    (found,) = path.glob("*.ldb")
    return found


@contextmanager
def descriptor_of(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def items_of(path: Path) -> dict[bytes, bytes]:
    with descriptor_of(path) as descriptor:
        return {entry.key: block.content[entry.begin : entry.end] for block, entry in read_table(descriptor, str(path)) if entry.has_value}


@pytest.mark.parametrize("compression", ["snappy", None])
def test_entries_are_those_that_leveldb_wrote(tmp_path: Path, compression: str | None) -> None:
    items = {b"key%05d" % number: bytes([number % 251]) * (number % 9000) for number in range(0, 4000, 7)}
    path = table_of(tmp_path / "a", items, compression)
    assert items_of(path) == items
    content = path.read_bytes()
    with descriptor_of(path) as descriptor:
        plain = [(block, entry) for block, entry in read_table(descriptor, str(path)) if block.is_plain]
    assert all(content[block.handle.offset :][entry.begin : entry.end] == items[entry.key] for block, entry in plain[:100])
    assert (len(plain) == len(items)) == (compression is None)


def stored(content: bytes, kind: int) -> bytes:
    crc = google_crc32c.value(content + bytes([kind]))
    return content + bytes([kind]) + struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)


@pytest.mark.parametrize("codec", ["zstd", "snappy"])
def test_packed_blocks_are_unpacked(tmp_path: Path, codec: str) -> None:
    for content in (b"abc" * 1000, b"x", bytes(70_000)):
        packed = pa.Codec(codec).compress(content, asbytes=True)
        (tmp_path / "a").write_bytes(b"before" + stored(packed, 2 if codec == "zstd" else 1))
        with descriptor_of(tmp_path / "a") as descriptor:
            assert read_block(descriptor, Handle(6, len(packed)), "a").content == content


@pytest.mark.parametrize(
    ("content", "kind", "error", "words"),
    [
        (b"abc", 7, CorruptStoreError, "compression 7"),
        (wire.varint_bytes(1 << 40) + b"abc", 1, LimitExceededError, "unpack to 1099511627776"),
        (wire.varint_bytes(100) + b"\xff\xff", 1, CorruptStoreError, "does not unpack"),
        (b"no frame", 2, CorruptStoreError, "no Zstandard frame"),
        (b"\x28\xb5\x2f\xfd\xe0" + struct.pack("<Q", 1 << 50), 2, LimitExceededError, "1125899906842624"),
    ],
)
def test_blocks_that_do_not_unpack_are_refused(tmp_path: Path, content: bytes, kind: int, error: type[PixstoreError], words: str) -> None:
    (tmp_path / "a").write_bytes(stored(content, kind))
    with descriptor_of(tmp_path / "a") as descriptor, pytest.raises(error, match=f"here.*{words}"):
        read_block(descriptor, Handle(0, len(content)), "here")


def test_handles_that_leave_the_file_are_refused_before_anything_is_read(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(stored(b"abc", 0))
    with descriptor_of(tmp_path / "a") as descriptor:
        with pytest.raises(StoreTruncatedError, match="a block ends at byte 105, the file at 8"):
            read_block(descriptor, Handle(97, 3), "here")
        with pytest.raises(LimitExceededError, match="a block of 1099511627776 bytes"):
            read_block(descriptor, Handle(0, 1 << 40), "here")


@pytest.mark.parametrize(
    ("content", "error", "words"),
    [
        (b"", StoreTruncatedError, "does not end like a table of LevelDB"),
        (bytes(100), StoreTruncatedError, "does not end like a table of LevelDB"),
        (bytes(100) + ROCKSDB_MAGIC, IncompatibleStoreError, "RocksDB"),
        (b"\xff" * 40 + MAGIC, CorruptStoreError, "does not end"),
    ],
)
def test_what_is_no_table_is_refused(tmp_path: Path, content: bytes, error: type[PixstoreError], words: str) -> None:
    (tmp_path / "a").write_bytes(content)
    with descriptor_of(tmp_path / "a") as descriptor, pytest.raises(error, match=f"here.*{words}"):
        list(read_table(descriptor, "here"))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\0\0\0", "restarts"),
        (struct.pack("<I", 1 << 30), "1073741824 restarts"),
        (b"\x05\x01\x01ab" + struct.pack("<2I", 0, 1), "an entry leaves it: 5, 1 and 1 bytes"),
        (b"\x00\x09\x7fabcdefghi" + struct.pack("<2I", 0, 1), "an entry leaves it"),
        (b"\x00\x02\x01abc" + struct.pack("<2I", 0, 1), "a key of 2 bytes"),
    ],
)
def test_entries_that_leave_their_block_are_refused(tmp_path: Path, content: bytes, words: str) -> None:
    block = stored(content, 0)
    index = b"\x00\x01\x02k" + bytes([0, len(content)]) + struct.pack("<2I", 0, 1)
    footer = (bytes([0, 0]) + wire.varint_bytes(len(block)) + wire.varint_bytes(len(index))).ljust(40, b"\0") + MAGIC
    (tmp_path / "a").write_bytes(block + stored(index, 0) + footer)
    with descriptor_of(tmp_path / "a") as descriptor, pytest.raises(CorruptStoreError, match=f"here.*{words}"):
        list(read_table(descriptor, "here"))


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    items = {b"%04d" % number: bytes([number]) * (number * 30) for number in range(120)}
    return table_of(tmp_path_factory.mktemp("table") / "a", items, "snappy").read_bytes()


@given(st.lists(st.tuples(st.integers(0, 1 << 20), st.integers(0, 255)), min_size=1, max_size=3), st.booleans())
def test_a_damaged_table_is_the_same_or_one_of_our_errors(
    tmp_path_factory: pytest.TempPathFactory, sample: bytes, faults: list[tuple[int, int]], at_end: bool
) -> None:
    damaged = bytearray(sample)
    for place, byte in faults:
        damaged[-1 - place % 300 if at_end else place % len(damaged)] = byte
    path = tmp_path_factory.getbasetemp() / "damaged.ldb"
    path.write_bytes(damaged)
    try:
        found = items_of(path)
    except PixstoreError as error:
        assert str(path) in str(error)
    else:
        assert found == {b"%04d" % number: bytes([number]) * (number * 30) for number in range(120)}
