"""What the leveldb and rocksdb engines share. Keys of records: `00000002/image`, the row in eight digits and the field.

Rows come in order and so do their keys, so what is written later never belongs between what is there.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import google_crc32c
import numpy as np
from numpy.typing import NDArray

from pixstore.engine import RecordBatch
from pixstore.engines.writing import raise_refusal, views
from pixstore.errors import CorruptStoreError, InvalidInputError
from pixstore.rows import Extents, Indices

MOST_ROWS = 10**8
DIGITS = 8
MOST_VALUE_BYTES = (1 << 32) - (1 << 20)
"""Lengths are numbers of 32 bits in LevelDB and RocksDB, and a batch has a little more in it than its records."""


def key_of(row: int, field: str) -> bytes:
    """Return the key of a record."""
    return b"%08d/%s" % (row, field.encode())


def items_of(records: RecordBatch, fields: Sequence[str], first: int, path: Path) -> Iterator[tuple[bytes, memoryview]]:
    """Yield key and bytes of each record of this batch, which begins with row `first`, in the order of their keys."""
    if first + len(records) > MOST_ROWS:
        raise InvalidInputError(f"{path}: more than {MOST_ROWS:,} rows in one shard; choose a smaller shard size")
    ordered = sorted(fields, key=str.encode)
    for name in ordered:
        longest = int(records.fields[name].slices.length.max(initial=0))
        if longest > MOST_VALUE_BYTES:
            raise InvalidInputError(f"{path}: a record of {longest:,} bytes; this engine takes {MOST_VALUE_BYTES:,} at most")
    columns = [views(records.fields[name].slices) for name in ordered]
    for row, values in enumerate(zip(*columns, strict=True), first):
        for name, view in zip(ordered, values, strict=True):
            if view is not None:
                yield key_of(row, name), view


class Places:
    """Where the records of one field lie: number of the file, offset and length for each row, a length of -1 without a record."""

    def __init__(self, rows: int) -> None:
        self.file: NDArray[np.uint32] = np.zeros(rows, np.uint32)
        self.offset: Indices = np.full(rows, -1, np.int64)
        self.length: Indices = np.full(rows, -1, np.int64)

    def extents(self, paths: Sequence[str]) -> Extents:
        """Return them as extents in these files."""
        return Extents(paths, self.file, self.offset, self.length.clip(0))


def placed(found: Iterator[tuple[int, bytes, int, int]], fields: Sequence[str], rows: int, path: Path) -> Mapping[str, Places]:
    """Return where each field's records lie, given number of the file, key, offset and length of all that was found.

    Raises CorruptStoreError for a key that is none of ours or comes twice.
    """
    names = {name.encode(): Places(rows) for name in fields}
    for file, key, offset, length in found:
        digits, _, name = key.partition(b"/")
        row = int(digits) if len(digits) == DIGITS and digits.isdigit() else rows
        if name not in names or row >= rows or names[name].length[row] >= 0:
            raise CorruptStoreError(f"{path}: key {key[:80]!r} is none of this shard's, or comes twice; restore it from a copy")
        places = names[name]
        places.file[row], places.offset[row], places.length[row] = file, offset, length
    return {name.decode(): places for name, places in names.items()}


def require_all(places: Mapping[str, Places], records: int, path: Path) -> None:
    """Raise OSError unless so many records were found: what these libraries write behind a writer's back may fail without a word."""
    found = sum(int((each.length >= 0).sum()) for each in places.values())
    if found != records:
        raise_refusal(path)
        raise OSError(errno.EIO, f"{found:,} of {records:,} records reached the disk", os.fspath(path))


def masked(data: bytes) -> int:
    """Return the CRC-32C of these bytes as RocksDB and LevelDB keep it."""
    found: int = google_crc32c.value(data)
    return ((found >> 15 | found << 17) + 0xA282EAD8) & 0xFFFFFFFF
