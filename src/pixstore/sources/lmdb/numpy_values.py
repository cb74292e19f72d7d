"""Values of an LMDB that are single images as `numpy.save` writes them: a .npy header, then H·W, H·W·C or C·H·W."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pixstore.errors import CorruptRecordError, UnsupportedImageError
from pixstore.schema import ChannelOrder, Format
from pixstore.sources.lmdb.environment import Database
from pixstore.sources.npy_header import HEAD_BYTES, MAGIC, ArrayHeader, parsed

MOST_CHANNELS = 4


@dataclass
class NumpyImages:
    """Finds arrays in values, and what they are; values that begin alike are taken apart once."""

    order: ChannelOrder
    offset: list[int] = field(default_factory=list)
    length: list[int] = field(default_factory=list)
    formats: list[Format] = field(default_factory=list)
    _known: dict[bytes, tuple[ArrayHeader, Format]] = field(default_factory=dict)

    def add(self, database: Database, row: int) -> None:
        """Take one value. Raises a PixstoreError naming the key where it is no array of an image, or not as long as its header says."""
        header, form = self._header(database, row)
        held = int(database.entries.length[row]) - header.start
        if held != header.size:
            raise CorruptRecordError(f"{database.origin(row)}: an array of shape {header.shape} needs {header.size} bytes, it has {held}")
        self.offset.append(int(database.entries.offset[row]) + header.start)
        self.length.append(header.size)
        self.formats.append(form)

    def places(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return offsets and lengths of the pixels in the file."""
        return np.array(self.offset, np.int64), np.array(self.length, np.int64)

    def _header(self, database: Database, row: int) -> tuple[ArrayHeader, Format]:
        head = database.head(row, 12)
        # A header of version 1 is its length, 10 bytes on, long; it is mostly the same for all values.
        whole = database.head(row, min(HEAD_BYTES, 12 + int.from_bytes(head[8:12] if head[6:7] > b"\x01" else head[8:10], "little")))
        if whole not in self._known:
            header = parsed(whole, database.origin(row))
            self._known[whole] = header, _format(header, self.order, database.origin(row))
        return self._known[whole]


def is_array(head: bytes) -> bool:
    """Return whether these first bytes are those of a .npy array."""
    return head.startswith(MAGIC)


def _format(header: ArrayHeader, order: ChannelOrder, origin: str) -> Format:
    dtype, shape = np.dtype(header.dtype), header.shape
    if dtype.kind not in "buif" or not 2 <= len(shape) <= 3 or 0 in shape:
        raise UnsupportedImageError(f"{origin}: an array of shape {shape} and type {dtype.str!r} is no image, which is H·W, H·W·C or C·H·W")
    is_planar = len(shape) == 3 and shape[2] > MOST_CHANNELS and shape[0] <= MOST_CHANNELS
    if is_planar:
        shape = (*shape[1:], shape[0])
    swaps = order == "bgr" and len(shape) == 3 and shape[2] in (3, 4)
    codec = "raw" + ("-planar" if is_planar else "") + ("-bgr" if swaps else "")
    return Format(codec, shape, dtype.name if dtype.isnative else dtype.str)
