"""Where an LMDB file is, which format it is of, and what its newest header says.

A file begins with two headers, in its first two pages; each transaction writes the older of them. Read is LMDB 0.9 of 64-bit little-endian
machines; files of others are told by where their header has the magic number.
Header: page header of 16 bytes, magic u32, version u32, address u64, map size u64, the free and the main database, last page u64,
transaction u64. Database, 48 bytes: pad u32 (page size in the first), flags u16, depth u16, branch, leaf and overflow pages, entries and
root page u64.
Format: LMDB's source, mdb.c.
"""

from __future__ import annotations

import mmap
import os
import struct
from dataclasses import dataclass
from pathlib import Path

from pixstore.errors import CorruptStoreError, IncompatibleStoreError, InvalidInputError, NotAStoreError, StoreTruncatedError
from pixstore.sources.folders.listing import has_image
from pixstore.sources.foreign_file import is_regular, open_regular, read_head

DATA_FILE = "data.mdb"
MAGIC = struct.pack("<I", 0xBEEFC0DE)
MAGIC_OFFSET = 16
OTHER_HEADERS = (
    (24, MAGIC, "LMDB 1.0"),
    (12, MAGIC, "LMDB from a 32-bit machine"),
    (16, MAGIC[::-1], "LMDB from a machine of the other byte order"),
    (12, MAGIC[::-1], "LMDB from a 32-bit machine of the other byte order"),
)
VERSION = 1
HEAD_BYTES = 32
META_BYTES = 152
MAIN_DATABASE = 88

DATABASE = struct.Struct("<IHHQQQQQ")


@dataclass(frozen=True)
class Tree:
    """One database: its flags, how many entries it says it has, and its first page."""

    flags: int
    entries: int
    root: int

    @classmethod
    def of(cls, record: bytes) -> Tree:
        """Return the tree that a record of 48 bytes describes."""
        _pad, flags, _depth, _branch, _leaf, _overflow, entries, root = DATABASE.unpack(record)
        return cls(flags, entries, root)


@dataclass(frozen=True)
class Meta:
    """What a header says of its file."""

    page_bytes: int
    main: Tree
    last_page: int
    transaction: int


def data_file(path: Path) -> Path | None:
    """Return the LMDB file at this path (a file, or a folder with data.mdb), of whatever format; None where there is none."""
    file = path / DATA_FILE if path.is_dir() else path
    if not is_regular(file):
        return None
    head = read_head(file, HEAD_BYTES)
    return file if head.startswith(MAGIC, MAGIC_OFFSET) or _other_format(head) else None


def refuse_images_beside(path: Path) -> None:
    """Raise InvalidInputError for a folder with images, here or below, beside its data.mdb: which of the two is meant is not known."""
    if path.is_dir() and has_image(path):
        raise InvalidInputError(
            f"{path}: holds an LMDB ({DATA_FILE}) and images; open {path / DATA_FILE} for the LMDB, or move it away to open the images"
        )


def map_file(path: Path) -> mmap.mmap:
    """Return the file mapped for reading. Raises NotAStoreError for an empty one."""
    descriptor = open_regular(path)
    try:
        if not os.fstat(descriptor).st_size:
            raise NotAStoreError(f"{path}: is an empty file (0 bytes)")
        return mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ)
    finally:
        os.close(descriptor)


def newest_meta(data: mmap.mmap, origin: Path) -> Meta:
    """Return the header of the last transaction.

    Raises StoreTruncatedError, IncompatibleStoreError for another format of LMDB, CorruptStoreError for what is none.
    """
    first = _meta(data, 0, origin)
    second = _meta(data, first.page_bytes, origin) if len(data) >= first.page_bytes + META_BYTES else first
    return max(first, second, key=lambda meta: meta.transaction)


def _meta(data: mmap.mmap, start: int, origin: Path) -> Meta:
    if len(data) < start + META_BYTES:
        raise StoreTruncatedError(f"{origin}: {len(data)} bytes are too few for an LMDB file; get the file again")
    magic, version = data[start + MAGIC_OFFSET : start + MAGIC_OFFSET + 4], int.from_bytes(data[start + 20 : start + 24], "little")
    if magic != MAGIC and (other := _other_format(data[:HEAD_BYTES])):
        raise IncompatibleStoreError(
            f"{origin}: {other}, only LMDB 0.9 of 64-bit little-endian machines is read; copy it with mdb_dump and mdb_load"
        )
    if magic != MAGIC:
        raise CorruptStoreError(f"{origin}: no LMDB header at byte {start}; restore it from a copy")
    if version != VERSION:
        raise IncompatibleStoreError(f"{origin}: LMDB format {version}, only {VERSION} is read; convert it with mdb_dump and mdb_load")
    page_bytes = int.from_bytes(data[start + 40 : start + 44], "little")
    if page_bytes not in [1 << power for power in range(8, 17)]:
        raise CorruptStoreError(f"{origin}: an LMDB page size of {page_bytes}; restore it from a copy")
    main = Tree.of(data[start + MAIN_DATABASE : start + MAIN_DATABASE + DATABASE.size])
    last_page, transaction = struct.unpack_from("<QQ", data, start + MAIN_DATABASE + DATABASE.size)
    return Meta(page_bytes, main, last_page, transaction)


def _other_format(head: bytes) -> str | None:
    """Return the name of another format of LMDB whose header this is, None where it is none of them."""
    return next((name for offset, magic, name in OTHER_HEADERS if head.startswith(magic, offset)), None)
