"""Tables of LevelDB, read where they lie: opening a database through LevelDB writes into its folder.

A table has blocks: data, index, and what else there is; its last 48 bytes say where the index is (two handles of varints, empty bytes, a
magic number). A block has entries, then where some of them begin (u32 each, and their count), then a byte for its compression and a masked
CRC-32C. An entry: how many bytes its key shares with the key before, how many more it has, how many its value has (varints), then both.
A key ends with 8 bytes of LevelDB's own. Facts from LevelDB's doc/table_format.md. Only tables without compression are read.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator
from pathlib import Path

from pixstore.engines.row_keys import masked
from pixstore.errors import CorruptStoreError

MAGIC = (0xDB4775248B80FB57).to_bytes(8, "little")
FOOTER_BYTES = 48
TRAILER_BYTES = 5
OWN_KEY_BYTES = 8
VALUE_KIND = 1
MOST_VARINT_BYTES = 10

Entry = tuple[bytes, int, int]
"""A key, and where its value begins and ends in the file."""


class Table:
    """One table, mapped. Raises CorruptStoreError where it is not what LevelDB writes without compression."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size < FOOTER_BYTES:
                raise self._damaged("shorter than its end")
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        if self._map[size - 8 :] != MAGIC:
            raise self._damaged("no magic number at its end")
        place = size - FOOTER_BYTES
        for _ in range(2):
            _, place = self._varint(place)
        start, place = self._varint(place)
        length, _ = self._varint(place)
        self.blocks = [(key, *self._handle(begin)) for key, begin, _ in self._entries(start, length)]
        """The last key of each block, or one behind it; where the block begins; how long it is."""

    def entries(self) -> Iterator[Entry]:
        """Yield all that the table holds, in the order of the keys."""
        for _, start, length in self.blocks:
            yield from self._entries(start, length, is_data=True)

    @property
    def first_key(self) -> bytes:
        """The smallest key; the index knows only what lies between blocks."""
        return next(self.entries(), (b"", 0, 0))[0]

    def find(self, key: bytes) -> tuple[int, int] | None:
        """Return where the value of this key begins and ends, None where it is not here."""
        low, high = 0, len(self.blocks)
        while low < high:
            middle = (low + high) // 2
            if self.blocks[middle][0] < key:
                low = middle + 1
            else:
                high = middle
        if low == len(self.blocks):
            return None
        return next(((start, end) for found, start, end in self._entries(*self.blocks[low][1:], is_data=True) if found == key), None)

    def bytes_at(self, start: int, end: int) -> bytes:
        return self._map[start:end]

    def close(self) -> None:
        self._map.close()

    def _handle(self, place: int) -> tuple[int, int]:
        start, place = self._varint(place)
        return start, self._varint(place)[0]

    def _entries(self, start: int, length: int, *, is_data: bool = False) -> Iterator[Entry]:
        end = start + length
        if end + TRAILER_BYTES > len(self._map) or length < 4:
            raise self._damaged(f"a block of {length:,} bytes at byte {start:,} of {len(self._map):,}")
        self._check(start, end)
        restarts = int.from_bytes(self._map[end - 4 : end], "little")
        entries_end = end - 4 - 4 * restarts
        key, place = b"", start
        while place < entries_end:
            shared, place = self._varint(place)
            further, place = self._varint(place)
            size, place = self._varint(place)
            value = place + further
            if shared > len(key) or further + shared < OWN_KEY_BYTES or value + size > entries_end:
                raise self._damaged(f"an entry that cannot be, before byte {place:,}")
            key = key[:shared] + self._map[place:value]
            if is_data and key[-OWN_KEY_BYTES] != VALUE_KIND:
                raise self._damaged(f"a deleted key before byte {value:,}")
            yield key[:-OWN_KEY_BYTES], value, value + size
            place = value + size

    def _check(self, start: int, end: int) -> None:
        kind = self._map[end]
        if kind:
            raise self._damaged(f"a compressed block (kind {kind}) at byte {start:,}, which pixstore never writes")
        found = masked(self._map[start : end + 1])
        if found != int.from_bytes(self._map[end + 1 : end + TRAILER_BYTES], "little"):
            raise self._damaged(f"the block at byte {start:,} does not match its checksum")

    def _varint(self, place: int) -> tuple[int, int]:
        """Return a number of seven bits a byte, and the place behind it."""
        number = 0
        for shift, byte in enumerate(self._map[place : place + MOST_VARINT_BYTES]):
            number |= (byte & 0x7F) << 7 * shift
            if byte < 0x80:
                return number, place + shift + 1
        raise self._damaged(f"a number without an end at byte {place:,}")

    def _damaged(self, why: str) -> CorruptStoreError:
        return CorruptStoreError(f"{self.path}: not a whole table of LevelDB ({why}); restore it from a copy")
