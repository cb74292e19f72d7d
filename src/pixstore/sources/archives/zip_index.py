"""Where the members of a zip archive lie: its central directory, checked against each member's own header before it is believed.

Format: PKWARE's APPNOTE.TXT 6.3.10 (4.3.7 local file header, 4.3.12 central directory). zipfile reads the directory; nothing is unpacked
to disk. Encrypted members, links, members that overlap and names that lead out of a folder are refused.
"""

from __future__ import annotations

import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from pixstore.errors import CorruptStoreError, DuplicateKeyError, LimitExceededError, StoreTruncatedError, UnsafeInputError
from pixstore.rows import Indices
from pixstore.sources.foreign_file import MAX_READ_BYTES, open_regular, read_head

SIGNATURES = (b"PK\x03\x04", b"PK\x05\x06")
LOCAL = b"PK\x03\x04"
LOCAL_BYTES = 30
ENCRYPTED, UTF8 = 1 << 0, 1 << 11
STORED, DEFLATED = 0, 8
METHODS = {9: "deflate64", 12: "bzip2", 14: "lzma", 93: "zstd"}
MAX_MEMBERS = 10_000_000
MOST_DEFLATED = 1032
"""Deflate shrinks nothing by more than this factor."""


@dataclass(frozen=True)
class ZipMembers:
    """The files of an archive in the order of its directory: names, and per file where its bytes begin, how many, and of how many."""

    names: list[str]
    offset: Indices
    stored: Indices
    size: Indices
    crc: Indices
    is_deflated: NDArray[np.bool_]


def is_zip(path: Path) -> bool:
    """Return whether the first bytes are those of a zip archive."""
    return read_head(path, 4) in SIGNATURES


def members_of(path: Path) -> ZipMembers:
    """Return every file in the archive.

    Raises StoreTruncatedError, CorruptStoreError where directory and members contradict each other, UnsafeInputError, DuplicateKeyError.
    """
    descriptor = open_regular(path)
    with open(descriptor, "rb") as file:
        infos = [info for info in _directory(path, file) if not info.filename.endswith("/")]
        names = _names(path, infos)
        for info in infos:
            _refuse_unusable(path, info)
        starts = _starts(path, file, infos)
    stored = np.array([info.compress_size for info in infos], np.int64)
    _refuse_overlaps(path, names, np.array([info.header_offset for info in infos], np.int64), starts, stored)
    return ZipMembers(
        names,
        starts,
        stored,
        np.array([info.file_size for info in infos], np.int64),
        np.array([info.CRC for info in infos], np.int64),
        np.array([info.compress_type == DEFLATED for info in infos], np.bool_),
    )


def unpacked(data: bytes, size: int, crc: int, *, is_deflated: bool) -> bytes:
    """Return the bytes of a member. Raises ValueError where they are not as many as stated, or not those."""
    found = _inflated(data, size) if is_deflated else data
    if len(found) != size:
        raise ValueError(f"{size} bytes are stated, {'more' if len(found) > size else len(found)} came")
    if zlib.crc32(found) != crc:
        raise ValueError("its CRC differs from the one stated")
    return found


def _inflated(data: bytes, size: int) -> bytes:
    """Return what deflated bytes hold, one byte more than `size` where there is more. Raises ValueError where they are damaged."""
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        return inflater.decompress(data, size + 1)
    except zlib.error as error:
        raise ValueError(f"its deflated bytes are damaged: {error}") from error


def _directory(path: Path, file: BinaryIO) -> list[zipfile.ZipInfo]:
    try:
        with zipfile.ZipFile(file) as archive:
            infos: list[zipfile.ZipInfo] = archive.infolist()
    except zipfile.BadZipFile as error:
        raise StoreTruncatedError(
            f"{path}: the zip archive has no readable directory at its end ({error}); it was cut: get it again"
        ) from error
    except (ValueError, struct.error, OverflowError, NotImplementedError, UnicodeDecodeError) as error:
        raise CorruptStoreError(f"{path}: the directory of the zip archive is damaged: {error}; get it again") from error
    if len(infos) > MAX_MEMBERS:
        raise LimitExceededError(f"{path}: {len(infos)} members, the limit is {MAX_MEMBERS}")
    return infos


def _names(path: Path, infos: Sequence[zipfile.ZipInfo]) -> list[str]:
    first: dict[str, int] = {}
    for info in infos:
        name, place = info.filename, info.header_offset
        if not name or name.startswith("/") or ".." in name.split("/") or "\\" in name or name[1:2] == ":":
            raise UnsafeInputError(f"{path}: member {name!r} has a name that leads elsewhere; pack the archive again")
        if name in first:
            raise DuplicateKeyError(f"{path}: member {name!r} is there twice, at byte {first[name]} and at byte {place}; remove one")
        first[name] = place
    return list(first)


def _refuse_unusable(path: Path, info: zipfile.ZipInfo) -> None:
    name = info.filename
    if info.flag_bits & ENCRYPTED:
        raise UnsafeInputError(f"{path}: member {name!r} is encrypted; unpack the archive with its password, and open the folder")
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG):
        what = "a link" if kind == stat.S_IFLNK else "a special file"
        raise UnsafeInputError(f"{path}: member {name!r} is {what}, which is not followed; pack the archive again without it")
    if info.compress_type not in (STORED, DEFLATED):
        method = METHODS.get(info.compress_type, f"method {info.compress_type}")
        raise UnsafeInputError(f"{path}: member {name!r} is packed by {method!r}, only deflate is read; unpack the archive")
    if info.file_size > MAX_READ_BYTES:
        raise LimitExceededError(f"{path}: member {name!r} states {info.file_size} bytes, the limit is {MAX_READ_BYTES}")
    if info.compress_type == STORED and info.file_size != info.compress_size:
        raise CorruptStoreError(
            f"{path}: member {name!r} is stored as {info.compress_size} bytes and states {info.file_size}; get it again"
        )
    if info.file_size > MOST_DEFLATED * info.compress_size + 64:
        raise LimitExceededError(f"{path}: member {name!r} states {info.file_size} bytes from {info.compress_size}, more than deflate can")


def _starts(path: Path, file: BinaryIO, infos: Sequence[zipfile.ZipInfo]) -> Indices:
    """Return where the bytes of each member begin, from its own header. Raises CorruptStoreError where that is another's."""
    descriptor = file.fileno()
    starts = np.zeros(len(infos), np.int64)
    end = os.fstat(descriptor).st_size
    for number, info in enumerate(infos):
        name = info.orig_filename.encode("utf-8" if info.flag_bits & UTF8 else "cp437")
        head = os.pread(descriptor, LOCAL_BYTES + len(name), info.header_offset) if 0 <= info.header_offset < end else b""
        if len(head) < LOCAL_BYTES + len(name) or head[:4] != LOCAL or head[LOCAL_BYTES:] != name:
            raise CorruptStoreError(
                f"{path}: at byte {info.header_offset} is not the header of member {info.filename!r}, as the directory says; get it again"
            )
        name_length, more = struct.unpack_from("<HH", head, 26)
        starts[number] = info.header_offset + LOCAL_BYTES + name_length + more
        if name_length != len(name) or starts[number] + info.compress_size > end:
            raise CorruptStoreError(f"{path}: member {info.filename!r} at byte {info.header_offset} ends beyond the archive; get it again")
    return starts


def _refuse_overlaps(path: Path, names: Sequence[str], header: Indices, start: Indices, stored: Indices) -> None:
    """Raise UnsafeInputError where two members share bytes: a small archive that unpacks to any size is made so."""
    order = np.argsort(header, kind="stable")
    overlapping = np.flatnonzero((start + stored)[order][:-1] > header[order][1:])
    if len(overlapping):
        one, other = (names[order[index]] for index in (overlapping[0], overlapping[0] + 1))
        raise UnsafeInputError(f"{path}: members {one!r} and {other!r} share the same bytes, as in a bomb; it was not unpacked")
