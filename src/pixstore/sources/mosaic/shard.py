"""One MDS shard as arrays: where the value of each column of each sample lies.

A shard is the number of samples n (uint32), n + 1 offsets (uint32) of the samples and of their end, a JSON of its columns, and the samples:
the sizes (uint32) of the values that have no fixed size, then the values. Columns are in the order of their names. All is little-endian.
"""

from __future__ import annotations

import json
import mmap
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pixstore.errors import CorruptStoreError, LimitExceededError
from pixstore.rows import Indices
from pixstore.sources.foreign_file import open_regular, read_whole
from pixstore.sources.mosaic.index import MdsShard
from pixstore.sources.mosaic.values import fixed_size

MAX_UNPACKED_BYTES = 2 << 30
MAX_HEAD_BYTES = 1 << 20
UINT32_BYTES = 4


@dataclass(frozen=True)
class Values:
    """Where the values of one column lie: offset and length per sample."""

    offset: Indices
    length: Indices


@contextmanager
def shard_bytes(shard: MdsShard) -> Iterator[NDArray[np.uint8]]:
    """Yield the raw bytes of a shard, mapped, or unpacked in memory. Raises LimitExceededError for over 2 GiB unpacked."""
    if shard.is_compressed:
        yield np.frombuffer(unpacked(shard), np.uint8)
        return
    descriptor = open_regular(shard.path)
    try:
        size = os.fstat(descriptor).st_size
        # The array holds the map for as long as anything refers to it.
        yield np.frombuffer(mmap.mmap(descriptor, 0, prot=mmap.PROT_READ), np.uint8) if size else np.zeros(0, np.uint8)
    finally:
        os.close(descriptor)


def unpacked(shard: MdsShard) -> pa.Buffer:
    """Return the raw bytes of a compressed shard. Raises CorruptStoreError where they are not as many as stated."""
    if shard.raw_bytes > MAX_UNPACKED_BYTES:
        raise LimitExceededError(
            f"{shard.path}: unpacks to {shard.raw_bytes} bytes, the limit is {MAX_UNPACKED_BYTES}; unpack it to a file (zstd -d)"
        )
    packed = read_whole(shard.path, max_bytes=MAX_UNPACKED_BYTES)
    try:
        # Raises too where the data unpack to more bytes, or to fewer.
        return pa.Codec("zstd").decompress(packed, decompressed_size=shard.raw_bytes)
    except (pa.ArrowException, OSError) as error:
        raise CorruptStoreError(f"{shard.path}: does not unpack as zstd to {shard.raw_bytes} bytes: {error}; get the file again") from error


def values_in(shard: MdsShard, data: NDArray[np.uint8]) -> dict[str, Values]:
    """Return where the values of each column lie; all lie within the shard. Raises CorruptStoreError for numbers that cannot be."""
    begins = _offsets(shard, data)
    _refuse_other_columns(shard, data[UINT32_BYTES * (len(begins) + 1) : begins[0]])
    sizes = [fixed_size(encoding) for encoding in shard.encodings]
    variable = [number for number, size in enumerate(sizes) if size is None]
    head_bytes = UINT32_BYTES * len(variable)
    samples, first, last = len(begins) - 1, begins[:-1], begins[1:]
    if np.any(last - first < head_bytes):
        number = int(np.flatnonzero(last - first < head_bytes)[0])
        raise CorruptStoreError(
            f"{shard.path}: sample {number} has {last[number] - first[number]} bytes, its sizes alone take {head_bytes}"
        )
    heads = gathered(data, first, head_bytes).view("<u4").reshape(samples, len(variable))
    stated = np.empty((samples, len(sizes)), np.int64)
    for number, size in enumerate(sizes):
        stated[:, number] = heads[:, variable.index(number)] if size is None else size
    wrong = np.flatnonzero(first + head_bytes + stated.sum(axis=1) != last)
    if len(wrong):
        number = int(wrong[0])
        needed, there = head_bytes + int(stated[number].sum()), int(last[number] - first[number])
        raise CorruptStoreError(f"{shard.path}: sample {number} has {there} bytes, its sizes need {needed}; get the file again")
    ends = first[:, None] + head_bytes + np.cumsum(stated, axis=1)
    return {name: Values(ends[:, number] - stated[:, number], stated[:, number]) for number, name in enumerate(shard.names)}


def _refuse_other_columns(shard: MdsShard, head: NDArray[np.uint8]) -> None:
    """Raise CorruptStoreError where the JSON in a shard names other columns than its index, or in another order."""
    try:
        stated = json.loads(head[:MAX_HEAD_BYTES].tobytes())
        columns = stated["column_names"], stated["column_encodings"]
    except (ValueError, RecursionError, KeyError, TypeError) as error:
        raise CorruptStoreError(
            f"{shard.path}: what it says of its columns is not readable as JSON: {error}; get the file again"
        ) from error
    if columns != ([*shard.names], [*shard.encodings]):
        raise CorruptStoreError(
            f"{shard.path}: has the columns {str(columns[0])[:200]} of {str(columns[1])[:200]}, "
            f"its index states {', '.join(shard.names)[:200]} of {', '.join(shard.encodings)[:200]}; get both again"
        )


def gathered(data: NDArray[np.uint8], begins: Indices, size: int) -> NDArray[np.uint8]:
    """Return `size` bytes from each of these places, one row per place."""
    return (
        np.ascontiguousarray(data[begins[:, None] + np.arange(size)]) if size and len(begins) else np.zeros((len(begins), size), np.uint8)
    )


def _offsets(shard: MdsShard, data: NDArray[np.uint8]) -> Indices:
    """Return where samples begin, and the end of the last."""
    samples = int(data[:UINT32_BYTES].view("<u4")[0]) if len(data) >= UINT32_BYTES else 0
    if samples != shard.samples:
        raise CorruptStoreError(f"{shard.path}: holds {samples} samples, its index states {shard.samples}; get both again")
    head = UINT32_BYTES * (samples + 2)
    if head > len(data):
        raise CorruptStoreError(f"{shard.path}: {samples} offsets do not fit into its {len(data)} bytes; get the file again")
    begins = data[UINT32_BYTES:head].view("<u4").astype(np.int64)
    if np.any(np.diff(begins) < 0) or begins[0] < head or begins[-1] > len(data):
        raise CorruptStoreError(f"{shard.path}: its offsets go back, or leave its {len(data)} bytes; get the file again")
    return begins
