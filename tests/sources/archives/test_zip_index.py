"""The directory of a zip archive: believed where each member's own header agrees, refused where it lies."""

from __future__ import annotations

import io
import struct
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pixstore.errors import (
    CorruptStoreError,
    DuplicateKeyError,
    LimitExceededError,
    PixstoreError,
    StoreTruncatedError,
    UnsafeInputError,
)
from pixstore.sources.archives.zip_index import is_zip, members_of, unpacked

MEMBERS = {"a/1.png": b"first" * 100, "a/2.png": bytes(range(256)) * 4, "ä.txt": b"", "b.png": b"last"}


def packed(members: dict[str, bytes] = MEMBERS, method: int = zipfile.ZIP_STORED) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return made.getvalue()


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def contents(path: Path) -> dict[str, bytes]:
    found, whole = members_of(path), path.read_bytes()
    result = {}
    for number, name in enumerate(found.names):
        data = whole[found.offset[number] : found.offset[number] + found.stored[number]]
        result[name] = unpacked(data, int(found.size[number]), int(found.crc[number]), is_deflated=bool(found.is_deflated[number]))
    return result


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_every_member_is_found_where_it_lies(tmp_path: Path, method: int) -> None:
    path = write(tmp_path / "a.zip", packed(method=method))
    assert is_zip(path) and contents(path) == MEMBERS


def test_an_archive_behind_other_bytes_and_one_written_as_a_stream_are_read(tmp_path: Path) -> None:
    assert contents(write(tmp_path / "a.zip", b"#!/bin/sh\n" + packed())) == MEMBERS

    class Stream(io.BytesIO):
        def seekable(self) -> bool:
            return False

        def seek(self, *_: int) -> int:
            raise OSError

        def tell(self) -> int:
            raise OSError

    stream = Stream()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, data in MEMBERS.items():
            archive.writestr(name, data)
    assert contents(write(tmp_path / "b.zip", stream.getvalue())) == MEMBERS


def test_folders_are_no_members(tmp_path: Path) -> None:
    assert contents(write(tmp_path / "a.zip", packed({"a/": b"", "a/1": b"x"}))) == {"a/1": b"x"}


@pytest.mark.parametrize("name", ["../evil", "/etc/passwd", "a/../../b", "C:evil"])
def test_names_that_lead_elsewhere_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UnsafeInputError, match="leads elsewhere"):
        members_of(write(tmp_path / "a.zip", packed({name: b"x"})))


def test_a_link_is_refused(tmp_path: Path) -> None:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        info = zipfile.ZipInfo("passwd.png")
        info.create_system, info.external_attr = 3, 0o120777 << 16
        archive.writestr(info, "/etc/passwd")
    with pytest.raises(UnsafeInputError, match=r"'passwd\.png' is a link"):
        members_of(write(tmp_path / "a.zip", made.getvalue()))


def changed(content: bytes, offset: int, form: str, value: int, member: int = 0) -> bytes:
    """Return the archive with a number in the directory entry of a member replaced."""
    made, at = bytearray(content), -1
    for _ in range(member + 1):
        at = content.index(b"PK\x01\x02", at + 1)
    struct.pack_into(form, made, at + offset, value)
    return bytes(made)


def test_a_member_without_a_name_is_refused(tmp_path: Path) -> None:
    content = changed(changed(packed({"x": b"1"}), 28, "<H", 0), 30, "<H", 1)
    with pytest.raises(UnsafeInputError, match="member '' has a name"):
        members_of(write(tmp_path / "a.zip", content))


def test_encrypted_members_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UnsafeInputError, match="is encrypted"):
        members_of(write(tmp_path / "a.zip", changed(packed(), 8, "<H", 1)))


def test_other_methods_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UnsafeInputError, match="packed by 'lzma'"):
        members_of(write(tmp_path / "a.zip", packed(method=zipfile.ZIP_LZMA)))


def test_members_that_share_bytes_are_a_bomb(tmp_path: Path) -> None:
    inner = packed({"inner": b"x" * 50})
    local = inner[: inner.index(b"PK\x01\x02")]
    content = packed({"outer": b"y" * 10 + local + b"z" * 10, "inner": b"x" * 50})
    place = content.index(local)
    with pytest.raises(UnsafeInputError, match="share the same bytes"):
        members_of(write(tmp_path / "a.zip", changed(content, 42, "<I", place, member=1)))


def test_a_member_that_is_there_twice_is_named_at_both_places(tmp_path: Path) -> None:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr("a.png", "1")
        archive.writestr("a.png", "2")
    with pytest.raises(DuplicateKeyError, match=r"'a\.png' is there twice, at byte 0 and at byte 36"):
        members_of(write(tmp_path / "a.zip", made.getvalue()))


def test_sizes_that_deflate_cannot_reach_are_refused(tmp_path: Path) -> None:
    content = packed({"a": bytes(100_000)}, zipfile.ZIP_DEFLATED)
    with pytest.raises(LimitExceededError, match="more than deflate can"):
        members_of(write(tmp_path / "a.zip", changed(content, 24, "<I", 1 << 29)))
    with pytest.raises(LimitExceededError, match="the limit is"):
        members_of(write(tmp_path / "b.zip", changed(content, 24, "<I", 0xF0000000)))


def test_wrongly_described_members_are_refused(tmp_path: Path) -> None:
    for number, (offset, form, value) in enumerate([(42, "<I", 7), (42, "<I", 1 << 30), (20, "<I", 1 << 20)]):
        with pytest.raises(CorruptStoreError):
            members_of(write(tmp_path / f"{number}.zip", changed(packed(), offset, form, value)))


def test_wrongly_described_a_cut_archive_has_no_directory(tmp_path: Path) -> None:
    content = packed()
    for size in (100, len(content) - 30):
        with pytest.raises(StoreTruncatedError, match="no readable directory"):
            members_of(write(tmp_path / "a.zip", content[:size]))


def test_inflating_stops_at_what_was_stated() -> None:
    found = packed({"a": bytes(10_000)}, zipfile.ZIP_DEFLATED)
    data = found[31 : found.index(b"PK\x01\x02")]
    with pytest.raises(ValueError, match="500 bytes are stated, more came"):
        unpacked(data, 500, 0, is_deflated=True)
    with pytest.raises(ValueError, match="CRC"):
        unpacked(data, 10_000, 1, is_deflated=True)
    with pytest.raises(ValueError, match="damaged"):
        unpacked(b"\xff" * 20, 100, 0, is_deflated=True)


@settings(max_examples=200)
@given(st.sampled_from([packed(), packed(method=zipfile.ZIP_DEFLATED)]), st.integers(0, 10_000), st.integers(0, 255))
def test_a_flipped_byte_is_other_data_or_one_of_our_errors(
    tmp_path_factory: pytest.TempPathFactory, sample: bytes, place: int, byte: int
) -> None:
    content = bytearray(sample)
    content[place % len(content)] = byte
    path = write(tmp_path_factory.getbasetemp() / "flipped.zip", bytes(content))
    try:
        contents(path)
    except PixstoreError as error:
        assert str(path) in str(error)
    except ValueError as error:
        assert "bytes" in str(error) or "CRC" in str(error)
