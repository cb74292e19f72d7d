"""Rows of bytes of any length in an HDF5 file (variable-length unsigned 8-bit), found in place.

A dataset of such rows holds, per row, u32 length, u64 address of a global heap collection, u32 number of the object in it. A collection:
"GCOL", version 1, 3 bytes, u64 size of all; then objects: u16 number, u16 count of uses, 4 bytes, u64 size, the bytes, padded to 8; number
0 is free space to the end. All little-endian (HDF5 file format, version 3, section III.E). Offsets and lengths of 8 bytes only.
"""

from __future__ import annotations

import os
import struct

import numpy as np
from numpy.typing import NDArray

from pixstore.errors import CorruptStoreError, LimitExceededError, UnsupportedImageError
from pixstore.schema import Format
from pixstore.sources.foreign_file import MAX_READ_BYTES, open_regular, read_range
from pixstore.sources.hdf5.chunks import chunks_of
from pixstore.sources.hdf5.file import Hdf5File
from pixstore.sources.hdf5.nodes import Node
from pixstore.sources.hdf5.parts import Images

ELEMENT = np.dtype([("length", "<u4"), ("address", "<u8"), ("number", "<u4")])
COLLECTION = struct.Struct("<4sB3xQ")
OBJECT = struct.Struct("<HHxxxxQ")
ALIGNMENT = 8


def rows_of(file: Hdf5File, node: Node, found: Format) -> Images:
    """Return where each row's bytes lie. Raises CorruptStoreError for a heap that contradicts itself, LimitExceededError."""
    elements = _elements(file, node)
    offsets = np.zeros(len(elements), np.int64)
    sizes = np.zeros(len(elements), np.int64)
    addresses, which = np.unique(elements["address"], return_inverse=True)
    order = np.argsort(which, kind="stable")
    starts = np.searchsorted(which[order], np.arange(len(addresses) + 1))
    descriptor = open_regular(file.path)
    try:
        for collection, address in enumerate(addresses.tolist()):
            rows = order[starts[collection] : starts[collection + 1]]
            if not elements["length"][rows].any():
                continue
            objects = _objects(file, descriptor, address)
            places = [objects.get(number, (0, -1)) for number in elements["number"][rows].tolist()]
            offsets[rows], sizes[rows] = np.array(places, np.int64).T
    finally:
        os.close(descriptor)
    length = elements["length"].astype(np.int64)
    if np.any(length > MAX_READ_BYTES):
        raise LimitExceededError(f"{file.path}: {node.name!r} has a row of {int(length.max())} bytes, the limit is {MAX_READ_BYTES}")
    lost = np.flatnonzero(sizes < length)
    if len(lost):
        raise CorruptStoreError(f"{file.path}: row {int(lost[0])} of {node.name!r} has no bytes in the file; get the file again")
    return Images(file.path, file.state, node.name, found, length, offsets)


def _elements(file: Hdf5File, node: Node) -> NDArray[np.void]:
    if node.itemsize != ELEMENT.itemsize:
        raise UnsupportedImageError(f"{file.path}: {node.name!r} has rows of a 32-bit file, which are not read; write it again")
    if node.declared > MAX_READ_BYTES:
        raise LimitExceededError(f"{file.path}: {node.name!r} has {node.count} rows, too many to be looked up")
    if node.table is not None:
        chunks = chunks_of(file.path, node, file.buffers[node.table], is_stack=True)
        return np.frombuffer(chunks.read(np.arange(node.count)).tobytes(), ELEMENT)
    if node.offset is None:
        raise UnsupportedImageError(f"{file.path}: {node.name!r} has its rows within the file's headers; write it again")
    return np.frombuffer(read_range(str(file.path), node.offset, node.declared), ELEMENT)


def _objects(file: Hdf5File, descriptor: int, address: int) -> dict[int, tuple[int, int]]:
    """Return (offset, size) of each object in a collection, by its number."""
    end_of_file = file.state[1]
    if address > end_of_file - COLLECTION.size:
        raise CorruptStoreError(f"{file.path}: rows lie at byte {address}, the file has {end_of_file}; get the file again")
    magic, version, size = COLLECTION.unpack(os.pread(descriptor, COLLECTION.size, address))
    end = address + size
    if magic != b"GCOL" or version != 1 or not COLLECTION.size <= size <= end_of_file - address:
        raise CorruptStoreError(f"{file.path}: no heap of rows at byte {address}; get the file again")
    found: dict[int, tuple[int, int]] = {}
    place = address + COLLECTION.size
    while place + OBJECT.size <= end:
        number, _, length = OBJECT.unpack(os.pread(descriptor, OBJECT.size, place))
        place += OBJECT.size
        if number == 0:
            break
        if length > end - place or number in found:
            raise CorruptStoreError(f"{file.path}: the heap of rows at byte {address} contradicts itself; get the file again")
        found[number] = place, length
        place += -(-length // ALIGNMENT) * ALIGNMENT
    return found
