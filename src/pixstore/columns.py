"""Columns: what users hand in as labels and the like, as Arrow arrays of a type that lasts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from pixstore.errors import SchemaError
from pixstore.schema import Schema, type_to_name


def column_array(name: str, values: Any, schema: Schema) -> pa.Array:
    """Return values of one column as an Arrow array, of the column's type where that is settled.

    Whole numbers become int64 (uint64 where they are that), fractions float64, rows of an N·D array lists. Numbers may become
    numbers where nothing is lost; nothing else changes its kind. Raises SchemaError naming column and value.
    """
    settled = _settled(schema, name)
    try:
        array = _arrow(values)
        found = _lasting(array.type)
        type_to_name(found)
        joint = joint_type(settled, found)
        if joint is not None:
            return array.cast(joint)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OverflowError, UnicodeEncodeError) as error:
        raise SchemaError(f"{_wanted(name, settled)}; {_shown(values)} does not fit ({error})") from error
    raise SchemaError(f"{_wanted(name, settled)}; {_shown(values)} is {found}")


def _arrow(values: Any) -> pa.Array:
    try:
        array = pa.array(list(values) if isinstance(values, np.ndarray) and values.ndim == 2 else values)
    except OverflowError:
        # Arrow looks no further than int64 by itself.
        array = pa.array(values, pa.uint64())
    return array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array


def _wanted(name: str, settled: pa.DataType) -> str:
    kind = "one type of numbers, text, bytes, booleans or lists" if settled == pa.null() else f"{settled}, as before"
    return f"column {name!r} takes {kind}"


def _lasting(found: pa.DataType) -> pa.DataType:
    """Return the type in which values of this type are kept."""
    if pa.types.is_dictionary(found):
        return _lasting(found.value_type)
    if pa.types.is_list(found) or pa.types.is_large_list(found) or pa.types.is_fixed_size_list(found):
        return pa.list_(_lasting(found.value_type))
    if pa.types.is_integer(found) and found != pa.uint64():
        return pa.int64()
    if pa.types.is_floating(found):
        return pa.float64()
    if _is_text(found):
        return pa.string()
    return found


def joint_type(settled: pa.DataType, found: pa.DataType) -> pa.DataType | None:
    """Return the settled type, completed where it was null so far, or None where these values are of another kind."""
    if settled == found or found == pa.null():
        return settled
    if settled == pa.null():
        return found
    if pa.types.is_list(settled) and pa.types.is_list(found):
        inner = joint_type(settled.value_type, found.value_type)
        return None if inner is None else pa.list_(inner)
    kinds = (_is_number, _is_text, _is_bytes)
    return settled if any(kind(settled) and kind(found) for kind in kinds) else None


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _is_bytes(kind: pa.DataType) -> bool:
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def settle_type(schema: Schema, name: str, found: pa.DataType) -> Schema:
    """Return the schema with this column's type, if it had none yet: a column is null until its first value."""
    settled = _settled(schema, name)
    joint = joint_type(settled, found)
    if joint is None:
        raise SchemaError(f"column {name!r} is {settled}, not {found}")
    if joint == settled:
        return schema
    type_to_name(joint)
    return replace(schema, columns=schema.columns.set(schema.columns.get_field_index(name), pa.field(name, joint)))


def _settled(schema: Schema, name: str) -> pa.DataType:
    if name not in schema.columns.names:
        raise SchemaError(f"unknown column {name!r}; columns of this dataset: {', '.join(schema.columns.names) or 'none'}")
    return schema.columns.field(name).type


def python_values(array: pa.ChunkedArray) -> np.ndarray[Any, Any] | list[Any]:
    """Return a column as users hold it: a NumPy array for numbers and booleans without nulls, else a list."""
    numeric = pa.types.is_integer(array.type) or pa.types.is_floating(array.type) or pa.types.is_boolean(array.type)
    if numeric and array.null_count == 0:
        numbers: np.ndarray[Any, Any] = array.to_numpy()
        # Values of one chunk are a view of the table, which is mapped from a sealed file.
        return numbers if numbers.flags.writeable else numbers.copy()
    values: list[Any] = array.to_pylist()
    return values


def _shown(values: Any) -> str:
    text = repr(values)
    return text if len(text) <= 60 else text[:57] + "…"
