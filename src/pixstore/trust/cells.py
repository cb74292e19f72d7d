"""Values of columns as one number each: equal for equal values, however wide their type is and however the column is cut."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pixstore.core import checksums, hash_bytes
from pixstore.errors import SchemaError
from pixstore.rows import Slices

Hashes = NDArray[np.uint64]

NULL = -1
"""As a length: there is no value, and its hash is 0. So a column full of nulls counts as one that is not there."""


def cell_hashes(name: str, values: pa.ChunkedArray | pa.Array, *, threads: int | None = None) -> Hashes:
    """Return xxh3_64 of each value, seeded by the column's name and the kind of value; 0 for null.

    Whole numbers are hashed as 8 bytes, fractions as float64, text as UTF-8, lists as the hashes of what they hold.
    Raises SchemaError for a type that no column has.
    """
    if isinstance(values, pa.ChunkedArray):
        values = values.combine_chunks() if values.num_chunks != 1 else values.chunk(0)
    if isinstance(values, pa.ChunkedArray):
        values = pa.concat_arrays(values.chunks) if values.num_chunks else pa.nulls(0, values.type)
    return _hashes(name, values, threads)


def _hashes(name: str, array: pa.Array, threads: int | None) -> Hashes:
    kind = array.type
    if pa.types.is_dictionary(kind):
        return _hashes(name, array.dictionary_decode(), threads)
    if pa.types.is_null(kind):
        return np.zeros(len(array), np.uint64)
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        return _seeded("list", name, _lists(name, array, threads), threads)
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind):
        return checksums(*_numbers(array, name), threads=threads)
    if not _is_text(kind) and not _is_bytes(kind):
        raise SchemaError(f"column {name!r} is {kind}; numbers, text, bytes, booleans and lists of them can be compared")
    return _seeded("text" if _is_text(kind) else "bytes", name, _strings(array), threads)


def _seeded(kind: str, name: str, slices: Slices, threads: int | None) -> Hashes:
    return checksums(slices, np.full(len(slices), _seed(kind, name), np.uint64), threads=threads)


def _seed(kind: str, name: str) -> int:
    return hash_bytes(f"{kind}\0{name}".encode())


def _numbers(array: pa.Array, name: str) -> tuple[Slices, Hashes]:
    """Return numbers as 8 bytes each, and the seeds of their kinds."""
    is_fraction = pa.types.is_floating(array.type)
    target = np.dtype("<f8") if is_fraction else np.dtype("<u8") if array.type == pa.uint64() else np.dtype("<i8")
    filled = array.fill_null(False if pa.types.is_boolean(array.type) else 0) if array.null_count else array
    numbers: NDArray[Any] = np.ascontiguousarray(filled.to_numpy(zero_copy_only=False).astype(target))
    kind = "fraction" if is_fraction else "truth" if pa.types.is_boolean(array.type) else "number"
    seeds = np.full(len(array), _seed(kind, name), np.uint64)
    if target == np.dtype("<u8"):
        # Those that int64 has not are the bytes of a negative number there.
        seeds[numbers >= 1 << 63] = _seed("number above int64", name)
    return Slices(numbers.view(np.uint8), np.arange(len(array)) * 8, _lengths(array, np.full(len(array), 8))), seeds


def _strings(array: pa.Array) -> Slices:
    whole = array.cast(pa.large_binary())
    _, offsets, data = whole.buffers()
    edges = np.frombuffer(offsets, np.int64, len(whole) + 1, whole.offset * 8) if len(whole) else np.zeros(1, np.int64)
    return Slices(b"" if data is None else np.frombuffer(data, np.uint8), edges[:-1], _lengths(array, np.diff(edges)))


def _lists(name: str, array: pa.Array, threads: int | None) -> Slices:
    inner = _hashes(name, array.flatten(), threads)
    counts = pc.list_value_length(array).fill_null(0).to_numpy().astype(np.int64)
    lengths = counts * 8
    return Slices(inner.view(np.uint8), np.cumsum(lengths) - lengths, _lengths(array, lengths))


def _lengths(array: pa.Array, lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    if not array.null_count:
        return lengths
    return np.where(array.is_valid().to_numpy(zero_copy_only=False), lengths, NULL)


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _is_bytes(kind: pa.DataType) -> bool:
    binary = pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind)
    return bool(binary or pa.types.is_binary_view(kind))
