"""Columns: what users hand in as labels and the like, as Arrow arrays of a type that lasts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from pixstore.errors import SchemaError
from pixstore.schema import Schema, type_to_name


def column_array(name: str, values: Any, schema: Schema) -> pa.Array:
    """Return values of one column as an Arrow array, of the column's type where that is settled.

    Whole numbers become int64 (uint64 where they are that), fractions float64. Raises SchemaError naming column and value.
    """
    settled = schema.columns.field(name).type if name in schema.columns.names else pa.null()
    try:
        array = _plain(pa.array(values))
        return array if settled == pa.null() or array.type == settled else array.cast(settled)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OverflowError) as error:
        wanted = "one type of numbers, text, bytes, booleans or lists" if settled == pa.null() else f"{settled}, as before"
        raise SchemaError(f"column {name!r} takes {wanted}; {_shown(values)} does not fit ({error})") from error


def _plain(array: pa.Array | pa.ChunkedArray) -> pa.Array:
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if pa.types.is_integer(array.type) and array.type != pa.uint64():
        return array.cast(pa.int64())
    if pa.types.is_floating(array.type):
        return array.cast(pa.float64())
    return array


def settle_type(schema: Schema, name: str, found: pa.DataType) -> Schema:
    """Return the schema with this column's type, if it had none yet: a column is null until its first value."""
    if name not in schema.columns.names:
        raise SchemaError(f"unknown column {name!r}; columns of this dataset: {', '.join(schema.columns.names) or 'none'}")
    settled = schema.columns.field(name).type
    if found == settled or found == pa.null():
        return schema
    if settled != pa.null():
        raise SchemaError(f"column {name!r} is {settled}, not {found}")
    type_to_name(found)
    index = schema.columns.get_field_index(name)
    return Schema(schema.fields, schema.columns.set(index, pa.field(name, found)), schema.classes)


def python_values(array: pa.ChunkedArray) -> np.ndarray[Any, Any] | list[Any]:
    """Return a column as users hold it: a NumPy array for numbers and booleans without nulls, else a list."""
    numeric = pa.types.is_integer(array.type) or pa.types.is_floating(array.type) or pa.types.is_boolean(array.type)
    if numeric and array.null_count == 0:
        numbers: np.ndarray[Any, Any] = array.to_numpy()
        return numbers
    values: list[Any] = array.to_pylist()
    return values


def _shown(values: Any) -> str:
    text = repr(values)
    return text if len(text) <= 60 else text[:57] + "…"
