"""Key and columns of many rows: numbers gathered at once, everything else made when it is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, cast

import pyarrow as pa
from numpy.typing import NDArray

from pixstore.columns import python_values
from pixstore.rows import Indices, Rows
from pixstore.samples import Deferred
from pixstore.schema import KEY


class Columns:
    """Key and columns of a dataset, ready to be gathered for any rows."""

    def __init__(self, rows: Rows, names: Sequence[str]) -> None:
        self._rows = rows
        self._names = list(dict.fromkeys([*names, KEY]))

    def numbers(self, rows: Indices) -> dict[str, NDArray[Any]]:
        """Return the columns that are numbers without nulls, for these rows."""
        return {name: _taken(column, rows) for name, column in self._columns.items() if name in self._numeric}

    def deferred(self, rows: Indices) -> dict[str, Deferred]:
        """Return what makes the other columns, key included, of these rows."""
        return {name: _deferred(column, rows) for name, column in self._columns.items() if name not in self._numeric}

    @cached_property
    def _columns(self) -> dict[str, pa.ChunkedArray]:
        table = self._rows.table
        return {name: table[name] for name in self._names}

    @cached_property
    def _numeric(self) -> frozenset[str]:
        return frozenset(name for name, column in self._columns.items() if _is_numeric(column))


def _is_numeric(column: pa.ChunkedArray) -> bool:
    kind = column.type
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)) and column.null_count == 0


def _taken(column: pa.ChunkedArray, rows: Indices) -> NDArray[Any]:
    # One chunk of numbers is a view of the mapped table; many would have to be copied whole.
    whole_is_a_view = column.num_chunks == 1 and not pa.types.is_boolean(column.type)
    taken: Any = column.chunk(0).to_numpy()[rows] if whole_is_a_view else python_values(column.take(pa.array(rows)))
    return cast("NDArray[Any]", taken)


def _deferred(column: pa.ChunkedArray, rows: Indices) -> Deferred:
    return Deferred(lambda: python_values(column.take(pa.array(rows))))
