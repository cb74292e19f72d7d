"""Columns and attributes of a dataset as HDF5 holds them, and which of them it does not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pixstore.dataset import Dataset
from pixstore.layout import Loss
from pixstore.rows import Indices, arrow_rows

MOST_WIDTH = 1024
MOST_ATTRIBUTE_BYTES = 60_000
"""HDF5 holds at most 64 KiB of a file's attribute."""


def kept_columns(dataset: Dataset) -> list[str]:
    """Return the columns that HDF5 holds: numbers, truths, text and lists of as many numbers each, without gaps."""
    taken = {*dataset.schema.field_names, *(f"{name}_classes" for name in dataset.schema.classes)}
    return [name for name in dataset.schema.columns.names if name not in taken and "/" not in name and name != "." and _fits(dataset, name)]


def _fits(dataset: Dataset, name: str) -> bool:
    column = dataset.table[name]
    kind = column.type
    if column.null_count:
        return False
    if _is_text(kind):
        # HDF5 ends text of any length at its first zero.
        return not pc.any(pc.match_substring(column, "\0")).as_py()
    if pa.types.is_list(kind) and _is_number(kind.value_type):
        lengths = pc.unique(pc.list_value_length(column)).to_pylist()
        return len(lengths) == 1 and 1 < lengths[0] <= MOST_WIDTH and not pc.list_flatten(column).null_count
    return _is_number(kind)


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind))


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def column_values(column: pa.ChunkedArray, rows: Indices) -> NDArray[Any] | list[str]:
    """Return a column's values of these rows: an array of N or N·K numbers, or a list of texts."""
    chosen = column.take(arrow_rows(rows)).combine_chunks()
    if _is_text(chosen.type):
        return list(chosen.to_pylist())
    flat = pc.list_flatten(chosen) if pa.types.is_list(chosen.type) else chosen
    values = np.asarray(flat.to_numpy(zero_copy_only=False))
    return values.reshape(len(chosen), -1) if pa.types.is_list(chosen.type) else values


def attributes_lost(dataset: Dataset) -> list[Loss]:
    """Return the loss of attributes that are too large."""
    large = [name for name, value in dataset.schema.attributes.items() if not _is_small(value)]
    return [Loss("columns", f"attributes of more than {MOST_ATTRIBUTE_BYTES:,} bytes: {', '.join(large[:5])}")] if large else []


def write_attributes(dataset: Dataset, opened: h5py.File) -> None:
    """Write attributes to the file; those of `/name` to that dataset or group where the file has it."""
    for name, value in dataset.schema.attributes.items():
        if not _is_small(value):
            continue
        if name.startswith("/") and isinstance(value, dict) and name[1:] in opened:
            for inner, each in value.items():
                opened[name].attrs[inner] = _as_hdf5(each)
        else:
            opened.attrs[name] = _as_hdf5(value)


def _is_small(value: Any) -> bool:
    return len(json.dumps(value).encode()) <= MOST_ATTRIBUTE_BYTES


def _as_hdf5(value: Any) -> Any:
    """Return numbers, text and lists of either as they are, everything else as JSON text."""
    texts = value if isinstance(value, list) else [value]
    if texts and all(isinstance(each, str) and "\0" not in each for each in texts):
        return np.array(value, h5py.string_dtype()) if isinstance(value, list) else value
    kinds = {type(each) for each in _leaves(value)}
    try:
        found = np.asarray(value)
    except ValueError:
        # Rows of different lengths.
        return json.dumps(value)
    # An integer beyond 64 bits is none for NumPy.
    return found if len(kinds) == 1 and kinds < {int, float, bool} and found.dtype.kind in "iufb" else json.dumps(value)


def _leaves(value: Any) -> Iterator[Any]:
    if not isinstance(value, list):
        yield value
        return
    for each in value:
        yield from _leaves(each)
