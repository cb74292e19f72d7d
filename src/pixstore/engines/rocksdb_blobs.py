"""Blob files of RocksDB: where it keeps values when it is told to keep them apart from keys.

A header of 30 bytes: magic number, version, column family (u32 each), flags and compression (a byte each), expiration (two u64). Then
records: a header of 32 bytes (length of key and of value, expiration, u64 each; a masked CRC-32C of those, and one of key and value),
key, value. A footer of 32 bytes: magic number, count of records, expiration, a masked CRC-32C. Little-endian; from RocksDB's
db/blob/blob_log_format.h, version 1. Only files without compression are read.
"""

from __future__ import annotations

import mmap
import os
import struct
from collections.abc import Iterator
from pathlib import Path

from pixstore.engines.row_keys import masked
from pixstore.errors import CorruptStoreError

HEADER = struct.Struct("<IIIBBQQ")
RECORD = struct.Struct("<QQQII")
FOOTER = struct.Struct("<IQQQI")
MAGIC, VERSION = 2395959, 1
CHECKED_BYTES = 24
"""Of a record's header, by its first checksum."""

Record = tuple[bytes, int, int]
"""A key, and where its value begins and ends in the file."""


class BlobFile:
    """One blob file, mapped. Raises CorruptStoreError where it is not what RocksDB writes without compression."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size < HEADER.size + FOOTER.size:
                raise self._damaged("shorter than its header and its end")
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        magic, version, _, _, compression, *_ = HEADER.unpack_from(self._map)
        end_magic, self._count, *_ = FOOTER.unpack_from(self._map, size - FOOTER.size)
        if (magic, version, compression, end_magic) != (MAGIC, VERSION, 0, MAGIC):
            raise self._damaged(f"magic numbers {magic} and {end_magic}, version {version}, compression {compression}")

    def records(self) -> Iterator[Record]:
        """Yield all that the file holds, in its order."""
        place, end, count = HEADER.size, len(self._map) - FOOTER.size, 0
        while place < end:
            if place + RECORD.size > end:
                raise self._damaged(f"a record is cut off at byte {place:,}")
            key_bytes, value_bytes, _, checksum, _ = RECORD.unpack_from(self._map, place)
            if masked(self._map[place : place + CHECKED_BYTES]) != checksum:
                raise self._damaged(f"the record at byte {place:,} does not match its checksum")
            value = place + RECORD.size + key_bytes
            if value + value_bytes > end:
                raise self._damaged(f"the record at byte {place:,} ends beyond the file")
            yield self._map[place + RECORD.size : value], value, value + value_bytes
            place, count = value + value_bytes, count + 1
        if count != self._count:
            raise self._damaged(f"{count:,} records where its end says {self._count:,}")

    def bytes_at(self, start: int, end: int) -> bytes:
        return self._map[start:end]

    def close(self) -> None:
        self._map.close()

    def _damaged(self, why: str) -> CorruptStoreError:
        return CorruptStoreError(f"{self.path}: not a whole blob file of RocksDB ({why}); restore it from a copy")
