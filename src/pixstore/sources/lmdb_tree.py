"""Find every key and value of an LMDB file from its bytes, with each page number, pointer and length checked before it is followed.

The library trusts the file it maps: a flipped byte in a tree or a cut file ends the process. This walk never leaves the file, visits a
page once, lets no two records share one, needs no lock and no handle, and yields where each value lies. Format: LMDB 0.9 on 64-bit
little-endian machines; files of others are told by where their header has the magic number.
Page: number u64, pad u16, flags u16, lower and upper u16 (in the first of overflow pages: their count u32), u16 pointers to nodes.
Node: low u16, high u16, flags u16, key size u16, key, value; in a branch low, high and flags are the child's page number.
"""

from __future__ import annotations

import mmap
import os
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pixstore.errors import CorruptStoreError, IncompatibleStoreError, NotAStoreError, StoreTruncatedError, UnsafeInputError
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
HEADER_BYTES = 16
HEAD_BYTES = 32
NODE_BYTES = 8
META_BYTES = 152
MAX_DEPTH = 32
NO_PAGE = (1 << 64) - 1
BRANCH, LEAF, OVERFLOW, META, LEAF2 = 0x01, 0x02, 0x04, 0x08, 0x20
BIG_VALUE, SUB_DATABASE, DUPLICATES = 0x01, 0x02, 0x04

PAGE = struct.Struct("<QHHHH")
NODE = struct.Struct("<HHHH")


@dataclass(frozen=True)
class Entries:
    """The keys in their order, and where each value lies in the file."""

    keys: list[bytes]
    offset: NDArray[np.int64]
    length: NDArray[np.int64]


@dataclass(frozen=True)
class _Meta:
    page_bytes: int
    flags: int
    entries: int
    root: int
    last_page: int
    transaction: int


def data_file(path: Path) -> Path | None:
    """Return the LMDB file at this path (a file, or a folder with data.mdb), of whatever format; None where there is none."""
    file = path / DATA_FILE if path.is_dir() else path
    if not is_regular(file):
        return None
    head = read_head(file, HEAD_BYTES)
    return file if head.startswith(MAGIC, MAGIC_OFFSET) or _other_format(head) else None


def _other_format(head: bytes) -> str | None:
    """Return the name of another format of LMDB whose header this is, None where it is none of them."""
    return next((name for offset, magic, name in OTHER_HEADERS if head.startswith(magic, offset)), None)


def map_file(path: Path) -> mmap.mmap:
    """Return the file mapped for reading. Raises NotAStoreError for an empty one."""
    descriptor = open_regular(path)
    try:
        if not os.fstat(descriptor).st_size:
            raise NotAStoreError(f"{path}: is an empty file (0 bytes)")
        return mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ)
    finally:
        os.close(descriptor)


def read_entries(data: mmap.mmap, origin: Path, *, limit: int | None = None) -> Entries:
    """Return the entries of the unnamed database, or about the first `limit`.

    Raises StoreTruncatedError where the file ends before a page that is in use, IncompatibleStoreError for another format of LMDB,
    UnsafeInputError where the tree is not one, NotAStoreError for named databases or several values per key.
    """
    walk = _Walk(data, origin)
    entries = walk.entries(limit)
    if limit is None:
        if len(entries.keys) != walk.meta.entries:
            raise UnsafeInputError(f"{origin}: the tree holds {len(entries.keys)} keys, its header says {walk.meta.entries}; get it again")
        walk.check_overlaps()
    if any(first >= second for first, second in zip(entries.keys, entries.keys[1:], strict=False)):
        raise UnsafeInputError(f"{origin}: the keys of the tree are not in order; restore it from a copy")
    return entries


class _Walk:
    def __init__(self, data: mmap.mmap, origin: Path) -> None:
        self.data = data
        self.origin = origin
        self.meta = _newest_meta(data, origin)
        self.seen: dict[int, int] = {}

    def entries(self, limit: int | None) -> Entries:
        if self.meta.flags & DUPLICATES:
            raise NotAStoreError(f"{self.origin}: an LMDB with several values per key, which is not supported")
        keys: list[bytes] = []
        places: list[tuple[int, int]] = []
        pending = [] if self.meta.root == NO_PAGE else [(self.meta.root, 1)]
        while pending and (limit is None or len(keys) < limit):
            number, depth = pending.pop()
            start, flags, pointers = self.page(number)
            if flags & BRANCH and depth < MAX_DEPTH:
                pending += [(child, depth + 1) for child in reversed(self.children(start, pointers))]
            elif flags & LEAF and not flags & LEAF2:
                for pointer in pointers:
                    key, place = self.leaf_node(start, pointer)
                    keys.append(key)
                    places.append(place)
            else:
                raise self.damaged(f"page {number} has flags {flags:#x} at depth {depth}")
        table = np.array(places, np.int64).reshape(-1, 2)
        return Entries(keys, table[:, 0].copy(), table[:, 1].copy())

    def page(self, number: int) -> tuple[int, int, tuple[int, ...]]:
        """Return where a page begins, its flags, and its pointers to nodes."""
        start = self.start(number, 1)
        if number in self.seen:
            raise self.damaged(f"page {number} is used twice")
        self.seen[number] = 1
        stated, _, flags, lower, upper = PAGE.unpack_from(self.data, start)
        count = (lower - HEADER_BYTES) // 2
        if stated != number or not HEADER_BYTES <= lower <= upper <= self.meta.page_bytes or lower % 2:
            raise self.damaged(f"page {number} says it is {stated}, with bounds {lower} and {upper}")
        return start, flags, struct.unpack_from(f"<{count}H", self.data, start + HEADER_BYTES)

    def start(self, number: int, count: int) -> int:
        """Return where `count` pages from this one begin, all of them inside the file."""
        if not 2 <= number <= self.meta.last_page or number + count - 1 > self.meta.last_page:
            raise self.damaged(f"it points to page {number} (+{count - 1}), the last one is {self.meta.last_page}")
        if (number + count) * self.meta.page_bytes > len(self.data):
            needed = (self.meta.last_page + 1) * self.meta.page_bytes
            raise StoreTruncatedError(f"{self.origin}: needs {needed} bytes, has {len(self.data)}; get the file again")
        return number * self.meta.page_bytes

    def node(self, start: int, pointer: int) -> tuple[int, int, int, int, int]:
        """Return low, high, flags, where the key begins and where it ends."""
        if not HEADER_BYTES <= pointer <= self.meta.page_bytes - NODE_BYTES:
            raise self.damaged(f"a node lies at {pointer} of a page of {self.meta.page_bytes}")
        low, high, flags, key_size = NODE.unpack_from(self.data, start + pointer)
        key = start + pointer + NODE_BYTES
        if key + key_size > start + self.meta.page_bytes:
            raise self.damaged(f"a key of {key_size} bytes leaves its page")
        return low, high, flags, key, key + key_size

    def children(self, start: int, pointers: tuple[int, ...]) -> list[int]:
        nodes = [self.node(start, pointer) for pointer in pointers]
        return [low | high << 16 | flags << 32 for low, high, flags, _, _ in nodes]

    def leaf_node(self, start: int, pointer: int) -> tuple[bytes, tuple[int, int]]:
        """Return a key, and offset and length of its value."""
        low, high, flags, key, key_end = self.node(start, pointer)
        length = low | high << 16
        if flags & (SUB_DATABASE | DUPLICATES):
            raise NotAStoreError(f"{self.origin}: an LMDB with named databases or several values per key, a layout that is not supported")
        if flags & BIG_VALUE:
            return self.data[key:key_end], (self.overflow(key_end, start, length), length)
        if key_end + length > start + self.meta.page_bytes:
            raise self.damaged(f"a value of {length} bytes leaves its page")
        return self.data[key:key_end], (key_end, length)

    def overflow(self, reference: int, start: int, length: int) -> int:
        if reference + 8 > start + self.meta.page_bytes:
            raise self.damaged("a reference to a large value leaves its page")
        number = int.from_bytes(self.data[reference : reference + 8], "little")
        count = -(-(HEADER_BYTES + length) // self.meta.page_bytes)
        place = self.start(number, count)
        stated, _, flags, pages_low, pages_high = PAGE.unpack_from(self.data, place)
        if stated != number or not flags & OVERFLOW or pages_low | pages_high << 16 < count or number in self.seen:
            raise self.damaged(f"page {number} does not hold the large value of {length} bytes it should")
        self.seen[number] = count
        return place + HEADER_BYTES

    def check_overlaps(self) -> None:
        """Refuse a tree in which a page belongs to a large value and to something else."""
        first = np.fromiter(self.seen.keys(), np.int64, len(self.seen))
        count = np.fromiter(self.seen.values(), np.int64, len(self.seen))
        order = np.argsort(first)
        first, beyond = first[order], first[order] + count[order]
        shared = first[1:][beyond[:-1] > first[1:]]
        if len(shared):
            raise self.damaged(f"page {int(shared[0])} is used twice")

    def damaged(self, what: str) -> UnsafeInputError:
        return UnsafeInputError(f"{self.origin}: not a sound LMDB file: {what}; restore it from a copy")


def _newest_meta(data: mmap.mmap, origin: Path) -> _Meta:
    first = _meta(data, 0, origin)
    second = _meta(data, first.page_bytes, origin) if len(data) >= first.page_bytes + META_BYTES else first
    return max(first, second, key=lambda meta: meta.transaction)


def _meta(data: mmap.mmap, start: int, origin: Path) -> _Meta:
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
    _pad, flags, _depth, _branch, _leaf, _overflow, entries, root = struct.unpack_from("<IHHQQQQQ", data, start + 88)
    last_page, transaction = struct.unpack_from("<QQ", data, start + 136)
    return _Meta(page_bytes, flags, entries, root, last_page, transaction)
