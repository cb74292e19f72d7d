"""Find every key and value of an LMDB file from its bytes, with each page number, pointer and length checked before it is followed.

The library trusts the file it maps: a flipped byte in a tree or a cut file ends the process. This walk never leaves the file, visits a
page once, lets no two records share one, needs no lock and no handle, and yields where each value lies.
Page: number u64, pad u16, flags u16, lower and upper u16 (in the first of overflow pages: their count u32), u16 pointers to nodes.
Node: low u16, high u16, flags u16, key size u16, key, value; in a branch low, high and flags are the child's page number.
A named database is an entry of the unnamed one whose value is the record of its tree.
"""

from __future__ import annotations

import itertools
import mmap
import struct
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pixstore.errors import NotAStoreError, StoreTruncatedError, UnsafeInputError
from pixstore.sources.labels import shown
from pixstore.sources.lmdb.header import DATABASE, Tree, newest_meta

HEADER_BYTES = 16
NODE_BYTES = 8
MAX_DEPTH = 32
NO_PAGE = (1 << 64) - 1
BRANCH, LEAF, OVERFLOW, LEAF2 = 0x01, 0x02, 0x04, 0x20
BIG_VALUE, SUB_DATABASE, DUPLICATES = 0x01, 0x02, 0x04
REVERSED_KEYS, INTEGER_KEYS = 0x02, 0x08

PAGE = struct.Struct("<QHHHH")
NODE = struct.Struct("<HHHH")


@dataclass(frozen=True)
class Entries:
    """The keys in their order, and where each value lies in the file. Keys that are integers come as decimal digits."""

    keys: list[bytes]
    offset: NDArray[np.int64]
    length: NDArray[np.int64]


@dataclass
class _Found:
    keys: list[bytes] = field(default_factory=list)
    places: list[tuple[int, int]] = field(default_factory=list)
    databases: dict[bytes, Tree] = field(default_factory=dict)


def database_names(data: mmap.mmap, origin: Path, *, limit: int | None = None) -> list[str]:
    """Return the names of the databases that have entries or are described, "" for the unnamed one, as far as `limit` entries tell.

    Raises what `read_entries` does.
    """
    walk = _Walk(data, origin)
    found = walk.found(walk.meta.main, limit)
    return [*([""] if found.keys else []), *_texts(found.databases)]


def read_entries(data: mmap.mmap, origin: Path, *, name: str | None = None, limit: int | None = None) -> Entries:
    """Return the entries of one database, or about the first `limit`: the one of this name, the unnamed one for "" or where it is alone.

    A file with one named database and nothing else needs no name. Raises StoreTruncatedError where the file ends before a page that is in
    use, IncompatibleStoreError for another format of LMDB, UnsafeInputError where a tree is not one, NotAStoreError, naming the databases
    there are, where none or more than one can be meant, and for several values per key.
    """
    walk = _Walk(data, origin)
    tree = walk.meta.main
    # A name may stand behind any number of other entries; without one, the first page tells whether there are databases.
    found = walk.found(tree, None if name else limit)
    wanted = _wanted(found, origin, name)
    if wanted is not None:
        tree = wanted
        found = walk.found(tree, limit)
        if found.databases:
            raise NotAStoreError(f"{origin}: has named databases within a named database, which is not supported")
    if limit is None:
        held = len(found.keys) + len(found.databases)
        if held != tree.entries:
            raise UnsafeInputError(f"{origin}: the tree holds {held} keys, its header says {tree.entries}; get it again")
        walk.check_overlaps()
    table = np.array(found.places, np.int64).reshape(-1, 2)
    return Entries(_ordered(found.keys, tree.flags, origin), table[:, 0].copy(), table[:, 1].copy())


def _wanted(found: _Found, origin: Path, name: str | None) -> Tree | None:
    """Return the named database that is meant, None for the unnamed one."""
    names = _texts(found.databases)
    if name:
        if name.encode() not in found.databases:
            there = f"databases here: {', '.join(names)}" if names else "there is only the unnamed one; leave '::' and the name out"
            raise NotAStoreError(f"{origin}: no named database {name!r}; {there}")
        return found.databases[name.encode()]
    if name is not None or not names:
        return None
    if len(names) == 1 and not found.keys:
        return next(iter(found.databases.values()))
    others = " and entries beside them ('::' with no name)" if found.keys else ""
    raise NotAStoreError(
        f"{origin}: an LMDB with named databases: {shown(names)}{others}; say which one is meant as '{origin}::{names[0]}'"
    )


def _texts(names: dict[bytes, Tree]) -> list[str]:
    return [name.decode("utf-8", "backslashreplace") for name in names]


def _ordered(keys: list[bytes], flags: int, origin: Path) -> list[bytes]:
    """Return the keys, integers as decimal digits. Raises UnsafeInputError where they are not in the order that the flags say."""
    if flags & INTEGER_KEYS:
        numbers = [int.from_bytes(key, "little") for key in keys]
        in_order = all(first < second for first, second in itertools.pairwise(numbers))
        keys = [b"%d" % number for number in numbers]
    else:
        compared = [key[::-1] for key in keys] if flags & REVERSED_KEYS else keys
        in_order = all(first < second for first, second in itertools.pairwise(compared))
    if not in_order:
        raise UnsafeInputError(f"{origin}: the keys of the tree are not in order; restore it from a copy")
    return keys


class _Walk:
    def __init__(self, data: mmap.mmap, origin: Path) -> None:
        self.data = data
        self.origin = origin
        self.meta = newest_meta(data, origin)
        self.seen: dict[int, int] = {}

    def found(self, tree: Tree, limit: int | None) -> _Found:
        """Return what is in one tree, or about its first `limit` entries. Raises NotAStoreError for several values per key."""
        if tree.flags & DUPLICATES:
            raise NotAStoreError(f"{self.origin}: an LMDB with several values per key, which is not supported")
        found = _Found()
        pending = [] if tree.root == NO_PAGE else [(tree.root, 1)]
        while pending and (limit is None or len(found.keys) < limit):
            number, depth = pending.pop()
            start, flags, pointers = self.page(number)
            if flags & BRANCH and depth < MAX_DEPTH:
                pending += [(child, depth + 1) for child in reversed(self.children(start, pointers))]
            elif flags & LEAF and not flags & LEAF2:
                for pointer in pointers:
                    self.leaf_node(start, pointer, found)
            else:
                raise self.damaged(f"page {number} has flags {flags:#x} at depth {depth}")
        return found

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

    def leaf_node(self, start: int, pointer: int, found: _Found) -> None:
        """Add a key, and offset and length of its value, or a named database."""
        low, high, flags, key, key_end = self.node(start, pointer)
        length = low | high << 16
        if flags & DUPLICATES:
            raise NotAStoreError(f"{self.origin}: an LMDB with several values per key, which is not supported")
        if flags & BIG_VALUE and not flags & SUB_DATABASE:
            found.places.append((self.overflow(key_end, start, length), length))
        elif key_end + length > start + self.meta.page_bytes:
            raise self.damaged(f"a value of {length} bytes leaves its page")
        elif flags & SUB_DATABASE:
            if length != DATABASE.size:
                raise self.damaged(f"a named database is described in {length} bytes instead of {DATABASE.size}")
            found.databases[self.data[key:key_end]] = Tree.of(self.data[key_end : key_end + length])
            return
        else:
            found.places.append((key_end, length))
        found.keys.append(self.data[key:key_end])

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
