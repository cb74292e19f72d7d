"""xxh3 of bytes, strings and tiles, and where buffers lie in memory."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import xxhash
from numpy.typing import NDArray

from pixstore.reference.buffers import Buffer, as_bytes


def hash_bytes(data: Buffer, seed: int = 0) -> int:
    """Return xxh3_64 of the bytes."""
    return xxhash.xxh3_64_intdigest(as_bytes(data).data, seed)


def hash_strings(prefix: bytes, data: Buffer, offsets: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Return xxh3_64(prefix + data[offsets[i]:offsets[i + 1]]) for each string."""
    text = bytes(data)
    ends = offsets.tolist()
    if ends and not (ends[0] >= 0 and ends[-1] <= len(text) and bool(np.all(np.diff(offsets) >= 0))):
        raise ValueError("offsets must ascend within the data")
    hashes = [xxhash.xxh3_64_intdigest(prefix + text[start:stop]) for start, stop in itertools.pairwise(ends)]
    return np.array(hashes, np.uint64)


def hash_tiles(data: Buffer, tile_bytes: int, *, threads: int = 0) -> NDArray[np.uint64]:
    """Return xxh3_64 of each tile of `tile_bytes` bytes, the last one shorter; none for empty data."""
    if tile_bytes < 1:
        raise ValueError(f"tile_bytes must be at least 1, not {tile_bytes}")
    view = as_bytes(data)
    return np.array([hash_bytes(view[start : start + tile_bytes]) for start in range(0, len(view), tile_bytes)], np.uint64)


def addresses(buffers: Sequence[Buffer]) -> NDArray[np.uint64]:
    """Return the memory address of the first byte of each buffer."""
    return np.array([np.frombuffer(each, np.uint8).ctypes.data for each in buffers], np.uint64)
