"""The two forms in which the tiledb engine writes a field: one array, or records in an array of bytes (see tiledb.py)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tiledb

from pixstore.engine import FieldRecords
from pixstore.engines.field_writing import FieldWriter
from pixstore.engines.file_names import escape
from pixstore.engines.writing import runs, views
from pixstore.errors import SchemaError
from pixstore.schema import Field

FLUSH_BYTES = 16 << 20
"""Of one fragment: what is written at once."""
TILE_BYTES = 1 << 20
RECORDS_TILE_BYTES = 1 << 16
MOST_ROWS = 10**8
MOST_BYTES = 1 << 50
MOST_DIMENSIONS = 16
NUMBER_BYTES = {"u": (1, 8), "i": (1, 8), "f": (4, 8)}
"""Kinds of numbers that TileDB has, and how long its shortest and longest are."""
INDEX, BYTES = "index", "bytes"


def row_bytes(field: Field) -> int:
    """Return the bytes of one record of a field with shape and dtype."""
    assert field.shape is not None and field.dtype is not None
    return int(np.prod(field.shape, dtype=np.int64)) * np.dtype(field.dtype).itemsize


def is_array(field: Field) -> bool:
    """Return whether this field's records make one array, of a type that TileDB knows."""
    if field.codec != "raw" or field.shape is None or field.dtype is None or len(field.shape) > MOST_DIMENSIONS:
        return False
    dtype = np.dtype(field.dtype)
    least, most = NUMBER_BYTES.get(dtype.kind, (1, 0))
    return least <= dtype.itemsize <= most and row_bytes(field) > 0


class DenseArray:
    """An array that grows along its first dimension, in whole tiles but for the last."""

    def __init__(self, context: Any, path: Path, shape: Sequence[int], dtype: Any, *, most: int, tile_rows: int) -> None:
        self._context, self._path = context, str(path)
        self._shape, self._dtype = tuple(shape), np.dtype(dtype).newbyteorder("=")
        self._most, self._tile_rows = most, tile_rows
        self._row_bytes = int(np.prod(self._shape, dtype=np.int64)) * self._dtype.itemsize
        self._waiting = bytearray()
        self.rows: int | None = None
        """What was written; None before the array is made."""

    def take(self, view: memoryview) -> None:
        """Add bytes of whole or half rows."""
        self._waiting += view
        if len(self._waiting) >= FLUSH_BYTES:
            tile = self._tile_rows * self._row_bytes
            self._write(max(len(self._waiting) // tile, 1) * tile if len(self._waiting) >= tile else 0)

    def finish(self) -> None:
        """Write what is left; the tile of what fills less than one is as large as that."""
        if self.rows is None:
            self._tile_rows = max(1, min(self._tile_rows, len(self._waiting) // self._row_bytes))
            self._create()
        self._write(len(self._waiting))

    def _write(self, size: int) -> None:
        if self.rows is None:
            self._create()
        first = self.rows or 0
        self.rows = first + size // self._row_bytes
        if size:
            data = np.frombuffer(bytes(self._waiting[:size]), self._dtype).reshape(-1, *self._shape)
            with tiledb.open(self._path, "w", ctx=self._context) as array:
                array[first : self.rows] = data
            del self._waiting[:size]

    def _create(self) -> None:
        self.rows = 0
        sizes = [(self._most, self._tile_rows), *((each, each) for each in self._shape)]
        dimensions = [
            tiledb.Dim(f"axis{axis}", domain=(0, size - 1), tile=tile, dtype=np.uint64, ctx=self._context)
            for axis, (size, tile) in enumerate(sizes)
        ]
        values = tiledb.Attr(dtype=self._dtype, filters=tiledb.FilterList([]), ctx=self._context)
        schema = tiledb.ArraySchema(tiledb.Domain(*dimensions, ctx=self._context), attrs=[values], ctx=self._context)
        tiledb.Array.create(self._path, schema, ctx=self._context)


class ArrayWriter(FieldWriter):
    """One array of N × shape."""

    def __init__(self, context: Any, shard: Path, field: Field) -> None:
        super().__init__()
        self._context, self._path, self._name = context, shard / escape(field.name), field.name
        self._row_bytes = row_bytes(field)
        tile_rows = max(1, TILE_BYTES // self._row_bytes)
        self._array = DenseArray(context, self._path, field.shape or (), field.dtype, most=MOST_ROWS, tile_rows=tile_rows)

    def _append(self, records: FieldRecords) -> None:
        length = records.slices.length
        wrong = length[(length >= 0) & (length != self._row_bytes)]
        if len(wrong):
            problem = f"takes records of {self._row_bytes:,} bytes in this shard, not of {int(wrong[0]):,}"
            raise SchemaError(f"field {self._name!r} {problem}")
        nothing = memoryview(bytes(self._row_bytes))
        is_whole = bool((length >= 0).all())
        for part in runs(records.slices) if is_whole else [nothing if view is None else view for view in views(records.slices)]:
            self._array.take(part)

    def finish(self) -> None:
        self._array.finish()
        missing = np.flatnonzero(self.lengths < 0)
        if len(missing):
            with tiledb.open(str(self._path), "w", ctx=self._context) as array:
                array.meta["missing"] = missing.astype(np.int64)


class BytesWriter(FieldWriter):
    """Records end to end in an array of bytes, and where each begins."""

    def __init__(self, context: Any, shard: Path, field: Field) -> None:
        super().__init__()
        self._context, self._path = context, shard / escape(field.name)
        self._path.mkdir()
        self._bytes = DenseArray(context, self._path / BYTES, (), np.uint8, most=MOST_BYTES, tile_rows=RECORDS_TILE_BYTES)

    def _append(self, records: FieldRecords) -> None:
        for part in runs(records.slices):
            self._bytes.take(part)

    def finish(self) -> None:
        self._bytes.finish()
        lengths = self.lengths
        taken = lengths.clip(0)
        places = np.stack([np.cumsum(taken) - taken, lengths], axis=1)
        index = DenseArray(self._context, self._path / INDEX, (2,), np.int64, most=MOST_ROWS, tile_rows=RECORDS_TILE_BYTES)
        index.take(memoryview(places.tobytes()))
        index.finish()
