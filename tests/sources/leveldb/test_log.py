"""Records of a log come as LevelDB wrote them, whole or in parts; an end that was cut is told, damage is refused."""

from __future__ import annotations

import struct
from pathlib import Path

import google_crc32c
import plyvel
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixstore.errors import CorruptStoreError, PixstoreError
from pixstore.sources.leveldb.log import BLOCK_BYTES, LogReader, unmasked


def log_of(path: Path, values: list[bytes]) -> bytes:
    """Return the log of a database into which each value was put in a batch of its own."""
    with plyvel.DB(str(path), create_if_missing=True) as database:
        for number, value in enumerate(values):
            database.put(b"%04d" % number, value)
    (log,) = path.glob("*.log")
    return log.read_bytes()


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return log_of(tmp_path_factory.mktemp("log") / "a", [bytes([number]) * 500 for number in range(20)])


@pytest.mark.parametrize(
    "sizes", [[1], [100] * 5, [40_000, 3], [BLOCK_BYTES - 7 - 12 - 8 - left for left in range(12)] * 2, [200_000, 0, 70_000]]
)
def test_records_whole_and_in_parts_are_those_that_were_written(tmp_path: Path, sizes: list[int]) -> None:
    values = [bytes([number + 1]) * size for number, size in enumerate(sizes)]
    data = log_of(tmp_path / "a", values)
    reader = LogReader(data, "log")
    records = list(reader)
    assert not reader.has_torn_end
    assert [record.content[-size:] if size else b"" for record, size in zip(records, sizes, strict=True)] == values
    for record in records:
        if record.is_whole:
            assert data[record.plain_begin : record.plain_begin + len(record.content)] == record.content
        again = LogReader(data[record.begin : record.end], "log", offset=record.begin)
        assert next(iter(again)).content == record.content


def test_a_log_that_was_cut_ends_before_the_record_that_does_not_end(content: bytes) -> None:
    whole = list(LogReader(content, "log"))
    for cut in (len(content) - 1, len(content) - 515, whole[-1].begin + 3):
        reader = LogReader(content[:cut], "log")
        assert list(reader) == whole[: len(list(LogReader(content[:cut], "log")))]
        assert reader.has_torn_end
    reader = LogReader(content[: whole[-1].begin], "log")
    assert list(reader) == whole[:-1] and not reader.has_torn_end


def test_space_that_was_reserved_and_not_written_is_the_end(content: bytes) -> None:
    reader = LogReader(content + bytes(100_000), "log")
    assert len(list(reader)) == 20 and not reader.has_torn_end


def part(kind: int, body: bytes) -> bytes:
    crc = google_crc32c.value(bytes([kind]) + body)
    return struct.pack("<IHB", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF, len(body), kind) + body


def test_a_checksum_is_masked_as_leveldb_masks_it() -> None:
    masked = struct.unpack_from("<I", part(1, b"abc"))[0]
    assert unmasked(masked) == google_crc32c.value(b"\x01abc")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (part(3, b"x"), "continues a record that does not begin"),
        (part(9, b"x"), "has type 9"),
        (part(1, b"x")[:-1] + b"y", "does not match its checksum"),
        (struct.pack("<IHB", 0, 40_000, 1) + bytes(40_000), "40000 bytes"),
    ],
)
def test_damage_is_refused_with_its_place(data: bytes, words: str) -> None:
    with pytest.raises(CorruptStoreError, match=f"here: the record at byte 0 .*{words}"):
        list(LogReader(data, "here"))


@given(st.lists(st.tuples(st.integers(0, 1 << 20), st.integers(0, 255)), max_size=3), st.integers(0, 1 << 20))
def test_a_damaged_log_is_fewer_records_or_one_of_our_errors(content: bytes, faults: list[tuple[int, int]], cut: int) -> None:
    damaged = bytearray(content)
    for place, byte in faults:
        damaged[place % len(damaged)] = byte
    whole = {record.content for record in LogReader(content, "log")}
    try:
        found = list(LogReader(bytes(damaged[: cut % len(damaged)]), "here"))
    except PixstoreError as error:
        assert "here" in str(error)
    else:
        assert {record.content for record in found} <= whole
