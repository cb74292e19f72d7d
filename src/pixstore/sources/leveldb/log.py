"""Records of LevelDB's log files, which hold what was written last, and the history of a database's tables.

A file is blocks of 32 KiB. A record lies whole in a block, or in parts over several. Part: masked CRC-32C u32 of type and content, length
u16, type u8 (1 whole, 2 first, 3 middle, 4 last), content; fewer than 7 bytes at a block's end are zeros. A writer that was stopped leaves
a record that does not end: LevelDB takes no notice of it, and says nothing.
Format: LevelDB, doc/log_format.md.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

import google_crc32c

from pixstore.errors import CorruptStoreError

BLOCK_BYTES = 1 << 15
HEADER = struct.Struct("<IHB")
WHOLE, FIRST, MIDDLE, LAST = 1, 2, 3, 4
MASK_DELTA = 0xA282EAD8


@dataclass(frozen=True)
class LogRecord:
    """A record: its content, where in the file it begins and ends, and whether the content lies there in one piece."""

    content: bytes
    begin: int
    end: int
    is_whole: bool

    @property
    def plain_begin(self) -> int:
        """Where the content of a record in one piece begins in the file."""
        return self.begin + HEADER.size


def unmasked(crc: int) -> int:
    """Return the CRC-32C that a masked one stands for."""
    rotated = (crc - MASK_DELTA) & 0xFFFFFFFF
    return (rotated >> 17 | rotated << 15) & 0xFFFFFFFF


class LogReader:
    """Yields the records of a log file; afterwards `has_torn_end` says whether the last one does not end."""

    def __init__(self, data: bytes, origin: str, *, offset: int = 0) -> None:
        """`data` begins `offset` bytes into the file, at a record."""
        self.data = data
        self.origin = origin
        self.offset = offset
        self.has_torn_end = False

    def __iter__(self) -> Iterator[LogRecord]:
        parts: list[bytes] = []
        begin = place = 0
        while (part := self._part(place)) is not None:
            start, kind, content = part
            place = start + HEADER.size + len(content)
            if kind in (WHOLE, FIRST):
                begin, parts = start, [content]
            elif not parts:
                raise self._damaged(start, "continues a record that does not begin")
            else:
                parts.append(content)
            if kind in (WHOLE, LAST):
                yield LogRecord(b"".join(parts), self.offset + begin, self.offset + place, kind == WHOLE)
                parts = []
        self.has_torn_end |= bool(parts)

    def _part(self, place: int) -> tuple[int, int, bytes] | None:
        """Return where the next part begins, its type and content; None at the end."""
        while True:
            left = BLOCK_BYTES - (self.offset + place) % BLOCK_BYTES
            if left < HEADER.size:
                place += left
                continue
            if place + HEADER.size > len(self.data):
                self.has_torn_end |= place < len(self.data)
                return None
            masked, length, kind = HEADER.unpack_from(self.data, place)
            if kind == 0 and length == 0:
                # Space that was reserved and never written: the rest of the block is zeros.
                place += left
                continue
            break
        if length > left - HEADER.size or kind not in (WHOLE, FIRST, MIDDLE, LAST):
            raise self._damaged(place, f"has type {kind} and {length} bytes")
        if place + HEADER.size + length > len(self.data):
            self.has_torn_end = True
            return None
        content = self.data[place + HEADER.size : place + HEADER.size + length]
        if google_crc32c.value(bytes([kind]) + content) != unmasked(masked):
            raise self._damaged(place, "does not match its checksum")
        return place, kind, content

    def _damaged(self, place: int, what: str) -> CorruptStoreError:
        return CorruptStoreError(f"{self.origin}: the record at byte {self.offset + place} {what}; restore it from a copy")
