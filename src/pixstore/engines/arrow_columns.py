"""Records as columns of Arrow: one of keys, and of bytes for each field, null where a record is missing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from pixstore.engine import RecordBatch
from pixstore.engines.writing import runs
from pixstore.rows import Buffer, Indices, Slices
from pixstore.schema import KEY


def column_schema(fields: Sequence[str]) -> pa.Schema:
    """Return the schema of such a table: keys, then the fields."""
    return pa.schema([pa.field(KEY, pa.string(), nullable=False), *(pa.field(name, pa.large_binary()) for name in fields)])


def columns_of(records: RecordBatch, fields: Sequence[str]) -> pa.RecordBatch:
    """Return these rows as one batch; records that lie end to end are not copied."""
    arrays = [pa.array(records.keys, pa.string()), *(_bytes_array(records.fields[name].slices) for name in fields)]
    return pa.RecordBatch.from_arrays(arrays, schema=column_schema(fields))


def _bytes_array(slices: Slices) -> pa.Array:
    views = runs(slices)
    data = views[0] if len(views) == 1 else b"".join(views)
    offsets = np.concatenate([[0], np.cumsum(slices.length.clip(0))]).astype(np.int64)
    missing = slices.length < 0
    valid = pa.py_buffer(np.packbits(~missing, bitorder="little")) if missing.any() else None
    return pa.Array.from_buffers(pa.large_binary(), len(offsets) - 1, [valid, pa.py_buffer(offsets), pa.py_buffer(data)])


def places_in(column: pa.Array) -> tuple[Indices, Indices, pa.Buffer | None]:
    """Return offset and length of each value in the buffer of a large_binary array, -1 as the length of a null."""
    _, offsets, data = column.buffers()
    ends = np.frombuffer(offsets, np.int64, len(column) + 1, column.offset * 8) if len(column) else np.zeros(1, np.int64)
    lengths = np.diff(ends)
    if column.null_count:
        lengths[column.is_null().to_numpy(zero_copy_only=False)] = -1
    return ends[:-1].astype(np.int64), lengths, data


def value_of(column: pa.Array, place: int) -> Buffer:
    """Return a value of a large_binary array, without a copy."""
    found = column[place].as_buffer()
    return memoryview(found) if found is not None and found.size else b""
