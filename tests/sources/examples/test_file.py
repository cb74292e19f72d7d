"""The framing of TFRecord: lengths, checksums, ends, gzip."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import foreign_tables as foreign
from pixstore.errors import CorruptStoreError, LimitExceededError, StoreTruncatedError
from pixstore.sources.examples import file as tfrecord_file
from pixstore.sources.examples.file import is_tfrecord, masked_checksum, record_data, records

PATH = Path("x.tfrecord")


def test_a_checksum_is_masked_as_published() -> None:
    # CRC-32C of 32 zero bytes is 8A9136AA (RFC 3720, B.4); masked: rotated by 15 bits, plus A282EAD8.
    assert masked_checksum(bytes(32)) == ((0x8A9136AA >> 15 | 0x8A9136AA << 17 & 0xFFFFFFFF) + 0xA282EAD8) & 0xFFFFFFFF


@given(st.lists(st.binary(max_size=300), max_size=5))
def test_records_are_where_they_are(contents: list[bytes]) -> None:
    data = b"".join(map(foreign.frame, contents))
    found = list(records(data, PATH))
    assert [content for _, content in found] == contents
    assert [data[begin : begin + len(content)] for begin, content in found] == contents


@given(st.integers(0, 1000), st.integers(1, 255))
def test_any_damaged_byte_is_found(place: int, change: int) -> None:
    data = bytearray(foreign.frame(b"some record") + foreign.frame(bytes(100)))
    data[place % len(data)] ^= change
    with pytest.raises((CorruptStoreError, StoreTruncatedError), match=r"x\.tfrecord"):
        list(records(bytes(data), PATH))


def test_a_length_above_the_limit_is_refused_before_it_is_followed() -> None:
    length = struct.pack("<Q", 1 << 62)
    with pytest.raises(LimitExceededError, match="record 0 has"):
        list(records(length + foreign.checksum(length) + bytes(50), PATH))


def test_gzip_is_unpacked_within_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.gz"
    content = foreign.frame(bytes(1000))
    path.write_bytes(gzip.compress(content))
    assert is_tfrecord(path)
    with record_data(path) as data:
        assert data[:] == content
    monkeypatch.setattr(tfrecord_file, "MAX_UNPACKED_BYTES", 500)
    with pytest.raises(LimitExceededError, match="unpacks to over 500 bytes"), record_data(path):
        pass


def test_gzip_that_is_cut_or_followed_is_refused(tmp_path: Path) -> None:
    path, packed = tmp_path / "x.gz", gzip.compress(foreign.frame(bytes(1000)))
    for content, expected in ((packed[:-9], "end too early"), (packed + b"more", "4 bytes follow"), (packed[:20] + b"\xff" * 20, "gzip")):
        path.write_bytes(content)
        with pytest.raises((CorruptStoreError, StoreTruncatedError), match=expected), record_data(path):
            pass


def test_other_files_are_not_taken(tmp_path: Path) -> None:
    for number, content in enumerate((b"", b"\x1f\x8b", gzip.compress(b"a tar or so, of some length"), bytes(100))):
        (tmp_path / str(number)).write_bytes(content)
        assert not is_tfrecord(tmp_path / str(number))
