"""Read images from chunked HDF5 data by plain reads: where each chunk lies is known, and its filters are undone here.

gzip is zlib's format. fletcher32 appends a checksum, u32 little-endian, over big-endian 16-bit words. shuffle puts the first bytes of all
values first, then all second bytes, and so on; bytes that make no whole value stay last. lzf: a byte below 32 begins that many literal
bytes plus one; any other byte has a length in its upper 3 bits (7: plus the next byte) and, with the next byte, a distance in its lower 5,
and copies that many bytes plus two.
"""

from __future__ import annotations

import math
import os
import zlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from pixstore.codec import usable_cpus
from pixstore.errors import CorruptStoreError, MissingRecordError, ReadFailedError, StoreTruncatedError
from pixstore.rows import Indices
from pixstore.sources.foreign_file import open_regular
from pixstore.sources.hdf5.nodes import FLETCHER32, GZIP, LZF, NUMBERS, SHUFFLE, Node

T = TypeVar("T")
CHECKSUM_BYTES = 4
WORDS_AT_ONCE = 1 << 20


@dataclass(frozen=True)
class Chunks:
    """Where the chunks of a stack of images lie, each of any number of axes: one row per chunk of the grid, in C order."""

    path: Path
    name: str
    shape: tuple[int, ...]
    chunk: tuple[int, ...]
    dtype: np.dtype[Any]
    """As in the file, in its byte order."""
    filters: tuple[int, ...]
    offset: NDArray[np.int64]
    size: NDArray[np.int64]
    mask: NDArray[np.int64]

    @property
    def grid(self) -> tuple[int, ...]:
        return tuple(-(-length // size) for length, size in zip(self.shape, self.chunk, strict=True))

    def offsets_of_images(self) -> NDArray[np.int64] | None:
        """Return where each image's bytes begin.

        None where filters, or borders of chunks within images, break them up, or their bytes are in the other order.
        """
        if self.filters or self.chunk[1:] != self.shape[1:] or self.dtype != little(self.dtype):
            return None
        row = np.arange(self.shape[0], dtype=np.int64)
        size = math.prod(self.shape[1:]) * self.dtype.itemsize
        offsets: NDArray[np.int64] = self.offset[row // self.chunk[0]] + row % self.chunk[0] * size
        return offsets

    def read(self, rows: Indices) -> NDArray[Any]:
        """Return these images, little-endian; each chunk is read and unpacked once, however many of them it holds.

        Raises MissingRecordError or CorruptStoreError for a chunk that is damaged.
        """
        images = np.empty((len(rows), *self.shape[1:]), little(self.dtype))
        block, within = rows // self.chunk[0], rows % self.chunk[0]
        order = np.argsort(block, kind="stable")
        numbers, starts = np.unique(block[order], return_index=True)
        cells = math.prod(self.grid[1:])
        together = zip(numbers.tolist(), np.split(order, starts[1:]), strict=False)
        pieces = [(number * cells + cell, cell, wanted) for number, wanted in together for cell in range(cells)]
        descriptor = open_regular(self.path)

        def fill(piece: tuple[int, int, Indices]) -> None:
            number, cell, wanted = piece
            place = self._within_image(cell)
            inner = tuple(slice(0, each.stop - each.start) for each in place)
            where: tuple[Any, ...] = (wanted, *place)
            images[where] = self._chunk(descriptor, number)[(slice(None), *inner)][within[wanted]]

        try:
            _each(fill, pieces, threads=usable_cpus() if self.filters else 1)
        finally:
            os.close(descriptor)
        return images

    def _within_image(self, cell: int) -> tuple[slice, ...]:
        """Return which part of an image the chunk at this place of the grid holds; the last ones are cut off by the image's edge."""
        starts = [int(start) * size for start, size in zip(np.unravel_index(cell, self.grid[1:]), self.chunk[1:], strict=True)]
        return tuple(
            slice(start, min(start + size, length)) for start, size, length in zip(starts, self.chunk[1:], self.shape[1:], strict=True)
        )

    def _chunk(self, descriptor: int, number: int) -> NDArray[Any]:
        offset, size, mask = int(self.offset[number]), int(self.size[number]), int(self.mask[number])
        try:
            data = os.pread(descriptor, size, offset)
        except OSError as error:
            raise ReadFailedError(f"{self.path}: cannot be read: {error.strerror}; check the disk") from error
        if len(data) < size:
            raise MissingRecordError(f"{self.path}: bytes {offset} to {offset + size} of {self.name!r} are gone; the file was changed")
        needed = math.prod(self.chunk) * self.dtype.itemsize
        try:
            for place, filter_number in reversed(list(enumerate(self.filters))):
                if not mask >> place & 1:
                    data = _undone(filter_number, data, needed + CHECKSUM_BYTES, self.dtype.itemsize)
            if len(data) != needed:
                raise ValueError(f"{len(data)} bytes come out, {needed} are needed")
        except (ValueError, IndexError, zlib.error) as error:
            raise CorruptStoreError(f"{self.path}: the chunk of {self.name!r} at byte {offset} is damaged: {error}") from error
        return np.frombuffer(data, self.dtype).reshape(self.chunk)


def _each(fill: Callable[[T], None], pieces: Sequence[T], *, threads: int) -> None:
    """Call `fill` for each piece, in threads: unpacking lets go of the interpreter. Raises what the first that fails raises."""
    if threads == 1 or len(pieces) < 2:
        for piece in pieces:
            fill(piece)
        return
    with ThreadPoolExecutor(min(threads, len(pieces))) as pool:
        for _ in pool.map(fill, pieces):
            pass


def little(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return the type with its bytes in the order that records have."""
    return dtype.newbyteorder("<")


def chunks_of(path: Path, node: Node, table: bytes, *, is_stack: bool) -> Chunks:
    """Return where the chunks of a dataset lie; one image is a stack of one.

    Raises StoreTruncatedError for a chunk beyond the file's end, CorruptStoreError where chunks overlap in the grid or are missing.
    """
    assert node.shape and node.chunks is not None
    shape, chunk = (node.shape, node.chunks) if is_stack else ((1, *node.shape), (1, *node.chunks))
    rank = len(node.shape)
    if len(table) % (8 * (rank + 3)):
        raise CorruptStoreError(f"{path}: the chunks of {node.name!r} cannot be found; get the file again")
    rows = np.frombuffer(table, "<i8").astype(np.int64).reshape(-1, rank + 3)
    place, (offset, size, mask) = rows[:, :rank], rows[:, rank:].T
    inside = ((place >= 0) & (place < np.array(node.shape)) & (place % np.array(node.chunks) == 0)).all(axis=1)
    grid = tuple(-(-length // each) for length, each in zip(node.shape, node.chunks, strict=True))
    number = np.ravel_multi_index(tuple((place[inside] // np.array(node.chunks)).T), grid)
    order = np.argsort(number, kind="stable")
    if not np.array_equal(number[order], np.arange(math.prod(grid))):
        raise CorruptStoreError(f"{path}: the chunks of {node.name!r} do not cover it once each; get the file again")
    offset, size, mask = (each[inside][order] for each in (offset, size, mask))
    _check_places(path, node, offset, size)
    filters = tuple(each for each, _ in node.filters)
    dtype = node.numbers if node.number in NUMBERS else np.dtype(f"V{node.itemsize}")
    return Chunks(path, node.name, shape, chunk, dtype, filters, offset, size, mask)


def _check_places(path: Path, node: Node, offset: NDArray[np.int64], size: NDArray[np.int64]) -> None:
    length = os.path.getsize(path)
    if np.any((offset < 0) | (size <= 0)):
        raise CorruptStoreError(f"{path}: a chunk of {node.name!r} has no place in the file; get the file again")
    if np.any((size > length) | (offset > length - size)):
        needed = int((offset.astype(object) + size).max())
        raise StoreTruncatedError(f"{path}: {node.name!r} needs {needed} bytes, the file has {length}; get the file again")
    assert node.chunks is not None
    whole = math.prod(node.chunks) * node.itemsize
    if np.any(size > whole + max(whole // 8, 4096)) or (not node.filters and np.any(size != whole)):
        raise CorruptStoreError(f"{path}: a chunk of {node.name!r} is of another size than its {whole} bytes; get the file again")
    if any(number == SHUFFLE and parameters not in ((), (node.itemsize,)) for number, parameters in node.filters):
        raise CorruptStoreError(f"{path}: {node.name!r} is shuffled as if its numbers were of another size; get the file again")


def _undone(number: int, data: bytes, limit: int, itemsize: int) -> bytes:
    """Return the bytes before this filter; at most `limit` of them are made."""
    if number == GZIP:
        unpacked = zlib.decompressobj()
        found = unpacked.decompress(data, limit + 1)
        if not unpacked.eof or len(found) > limit:
            raise ValueError("its gzip data end early, or are too many")
        return found
    if number == FLETCHER32:
        body, stated = data[:-CHECKSUM_BYTES], int.from_bytes(data[-CHECKSUM_BYTES:], "little")
        if fletcher32(body) != stated:
            raise ValueError("its checksum differs")
        return body
    if number == LZF:
        return unpack_lzf(data, limit)
    assert number == SHUFFLE
    return unshuffled(data, itemsize)


def unshuffled(data: bytes, itemsize: int) -> bytes:
    """Return bytes in the order that they had before all first bytes of values were put first."""
    count = len(data) // itemsize
    if itemsize == 1 or count < 2:
        return data
    values = np.frombuffer(data, np.uint8, count * itemsize).reshape(itemsize, count)
    return values.T.tobytes() + data[count * itemsize :]


def fletcher32(data: bytes) -> int:
    """Return Fletcher's checksum of 32 bits as HDF5 computes it: sums of big-endian words modulo 65535, never 0 unless all is 0."""
    words = np.frombuffer(data + b"\0" * (len(data) % 2), ">u2")
    first = second = 0
    for start in range(0, len(words), WORDS_AT_ONCE):
        part = words[start : start + WORDS_AT_ONCE].astype(np.int64)
        # Each word is in the second sum once for itself and once for every word after it.
        second += len(part) * first + int((part * np.arange(len(part), 0, -1)).sum())
        first += int(part.sum())
    return _folded(second) << 16 | _folded(first)


def _folded(number: int) -> int:
    return number % 65535 or (65535 if number else 0)


def unpack_lzf(data: bytes, limit: int) -> bytes:
    """Return what LZF packed. Raises ValueError or IndexError for damaged data, or for more than `limit` bytes."""
    found = bytearray()
    position = 0
    while position < len(data):
        code = data[position]
        position += 1
        if code < 32:
            found += data[position : position + code + 1]
            position += code + 1
        else:
            length = code >> 5
            if length == 7:
                length += data[position]
                position += 1
            distance = ((code & 31) << 8 | data[position]) + 1
            position += 1
            start = len(found) - distance
            if start < 0:
                raise ValueError("LZF data that copy from before their beginning")
            piece = found[start : start + length + 2]
            # A copy may reach into what it writes: then it repeats.
            found += (piece * (-(-(length + 2) // len(piece))))[: length + 2]
        if len(found) > limit:
            raise ValueError("LZF data that unpack to too much")
    return bytes(found)
