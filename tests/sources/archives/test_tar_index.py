"""Headers of tar archives: what tarfile writes in any form is found where it lies, hostile sizes and names allocate nothing."""

from __future__ import annotations

import io
import struct
import tarfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pixstore.errors import CorruptStoreError, LimitExceededError, PixstoreError, StoreTruncatedError, UnsafeInputError
from pixstore.sources.archives.content import FileContent, MemoryContent
from pixstore.sources.archives.tar_index import Members, members_of

FORMS = [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]


def packed(members: dict[str, bytes], **options: Any) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", **options) as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return made.getvalue()


def found(content: bytes) -> Members:
    return members_of(MemoryContent(content), "there")


def contents(content: bytes) -> dict[str, bytes]:
    members = found(content)
    return {name: content[at : at + size] for name, at, size in zip(members.names, members.offset, members.size, strict=True)}


NAMES = st.from_regex(r"[a-zä-ö0-9]{1,60}(/[a-z.]{1,60}[a-z]){0,3}", fullmatch=True)


@pytest.mark.parametrize("form", FORMS[1:])
@given(members=st.dictionaries(NAMES, st.binary(max_size=1500), max_size=6))
def test_what_tarfile_writes_is_found(form: int, members: dict[str, bytes]) -> None:
    content = packed(members, format=form)
    assert contents(content) == members
    assert [tarfile.TarInfo.frombuf(content[at : at + 512], "utf-8", "surrogateescape").size for at in found(content).header] == list(
        map(len, members.values())
    )


def test_a_file_is_read_as_memory_is(tmp_path: Path) -> None:
    content = packed({f"{number}.txt": bytes(number * 7) for number in range(100)})
    (tmp_path / "a.tar").write_bytes(content)
    file = FileContent(tmp_path / "a.tar")
    assert members_of(file, "there") == found(content)
    file.close()


def test_bytes_that_are_not_utf8_stay_in_a_name() -> None:
    content = packed({"bild-\udcff.png": b"x"}, encoding="latin-1", errors="surrogateescape", format=tarfile.GNU_FORMAT)
    assert found(content).names == ["bild-\udcff.png"]


def header(name: str = "a", size: int = 0, kind: bytes = b"0") -> bytearray:
    info = tarfile.TarInfo(name)
    info.size, info.type = size, kind
    return bytearray(info.tobuf(tarfile.GNU_FORMAT))


def summed(block: bytearray) -> bytes:
    block[148:156] = b"%06o\0 " % (sum(block[:148]) + sum(block[156:]) + 8 * 32)
    return bytes(block)


def with_size(field: bytes) -> bytes:
    block = header()
    block[124:136] = field
    return summed(block)


END = bytes(1024)


@pytest.mark.parametrize(
    ("content", "error", "words"),
    [
        (bytes(header(size=8 << 60)) + END, LimitExceededError, "states 9223372036854775808 bytes"),
        (with_size(b"\x80" + b"\xff" * 11) + END, LimitExceededError, "the limit is"),
        (with_size(b"\xff" * 12) + END, CorruptStoreError, "negative size"),
        (with_size(b"-0000000100\0") + END, CorruptStoreError, "negative size"),
        (with_size(b"notanumber\0\0") + END, CorruptStoreError, "negative size"),
        (bytes(header(size=5000)) + END, StoreTruncatedError, "has 5000 bytes from 512, the archive ends at 1536"),
        (bytes(header(kind=b"x", size=1 << 30)) + END, LimitExceededError, "1073741824 bytes"),
        (bytes(header(kind=b"L", size=1 << 30)) + END, LimitExceededError, "1073741824 bytes"),
        (bytes(header(kind=b"g", size=1 << 30)) + END, LimitExceededError, "1073741824 bytes"),
        (bytes(header(kind=b"S", size=10)) + END, LimitExceededError, "is sparse"),
        (bytes(header(kind=b"2", size=10)) + END, UnsafeInputError, "is a link"),
        (bytes(header("../a")) + END, UnsafeInputError, "leads elsewhere"),
        (bytes(header()) + bytes(range(256)) * 4, CorruptStoreError, r"no header at byte 512, the last whole member is 'a' at byte 0"),
        (b"no archive at all" * 100, CorruptStoreError, "with no whole member before"),
        (bytes(header()), StoreTruncatedError, "without its end mark at byte 512"),
        (bytes(header())[:300], StoreTruncatedError, "within a header at byte 300"),
        (b"", StoreTruncatedError, "at byte 0"),
    ],
)
def test_headers_that_lie_are_refused_by_name_and_place(content: bytes, error: type[PixstoreError], words: str) -> None:
    with pytest.raises(error, match=words):
        found(content)


@pytest.mark.parametrize(
    ("attributes", "error"),
    [
        (b"30 GNU.sparse.major=1\n", LimitExceededError),
        (b"20 size=99999999999\n", LimitExceededError),
        (b"999 path=x\n", CorruptStoreError),
        (b"0 path=x\n", CorruptStoreError),
        (b"path=x\n", CorruptStoreError),
    ],
)
def test_pax_attributes_that_lie_are_refused(attributes: bytes, error: type[PixstoreError]) -> None:
    attributes = attributes.replace(b"30 ", b"%d " % len(attributes), 1)
    with pytest.raises(error):
        found(bytes(header(kind=b"x", size=len(attributes))) + attributes.ljust(512, b"\0") + bytes(header()) + END)


def test_a_long_name_is_for_the_next_member_only() -> None:
    long = b"long" * 40
    content = bytes(header(kind=b"L", size=len(long) + 1)) + long.ljust(512, b"\0") + bytes(header("a")) + bytes(header("b")) + END
    assert found(content).names == [long.decode(), "b"]


def test_unknown_kinds_are_noted_and_folders_passed_over() -> None:
    content = bytes(header("d/", kind=b"5")) + bytes(header("v", kind=b"V")) + bytes(header("a", kind=b"7")) + END
    assert found(content).names == ["a"] and "unknown kind b'V'" in found(content).notes[0]


SAMPLE = packed({"set/a.png": b"first" * 300, "set/" + "long" * 50: b"x", "b.cls": b"5"})


@settings(max_examples=300)
@given(place=st.integers(0, len(SAMPLE) - 1), noise=st.binary(min_size=1, max_size=12))
def test_changed_bytes_are_other_members_or_one_of_our_errors(place: int, noise: bytes) -> None:
    content = bytearray(SAMPLE)
    content[place : place + len(noise)] = noise
    try:
        members = found(bytes(content))
    except PixstoreError as error:
        assert "there" in str(error)
    else:
        assert all(at + size <= len(content) for at, size in zip(members.offset, members.size, strict=True))


def test_numbers_of_base_256_are_sizes() -> None:
    content = with_size(b"\x80" + struct.pack(">3xQ", 3)) + b"abc".ljust(512, b"\0") + END
    assert found(content).size == [3]
