"""The two forms in which the zarr engine writes a field: one array, or records in byte arrays (see zarr.py)."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np

from pixstore.engine import FieldRecords
from pixstore.engines.field_writing import FieldWriter
from pixstore.engines.file_names import escape
from pixstore.engines.writing import runs, views
from pixstore.errors import SchemaError
from pixstore.rows import Buffer, Extents
from pixstore.schema import Field

CHUNK_BYTES = 1 << 20
FLUSH_BYTES = 16 << 20
MOST_CHUNK_BYTES = (1 << 32) - 1
MOST_NUMBER_BYTES = {"b": 1, "u": 8, "i": 8, "f": 8, "c": 16}
"""Kinds of numbers that Zarr has, and how long its longest is."""
PLAIN = {"compressors": None, "filters": None, "fill_value": 0, "config": {"write_empty_chunks": True}}
"""A chunk's file then holds the bytes of its numbers and nothing else, zeros too."""
METADATA = "zarr.json"


def node_name(field: str) -> str:
    """Return the name of a field's node: Zarr keeps its metadata's name and names that begin with `__` for itself."""
    name = escape(field)
    return f"%{ord(name[0]):02X}{name[1:]}" if name == METADATA or name.startswith("__") else name


def chunk_path(name: str, number: int, dimensions: int) -> str:
    """Return where the file of a chunk of whole rows is, in the shard's folder; `dimensions` are those of a record."""
    return f"{name}/c/{number}" + "/0" * dimensions


def bytes_path(name: str, number: int) -> str:
    """Return where the file of a byte array is, in the shard's folder."""
    return f"{name}/bytes/{number:05}/c/0"


def row_bytes(field: Field) -> int:
    """Return the bytes of one record of a field with shape and dtype."""
    assert field.shape is not None and field.dtype is not None
    return int(np.prod(field.shape, dtype=np.int64)) * np.dtype(field.dtype).itemsize


def is_array(field: Field) -> bool:
    """Return whether this field's records make one array, of a type that Zarr knows."""
    if field.codec != "raw" or field.shape is None or field.dtype is None:
        return False
    dtype = np.dtype(field.dtype)
    return dtype.itemsize <= MOST_NUMBER_BYTES.get(dtype.kind, 0) and 0 < row_bytes(field) <= MOST_CHUNK_BYTES


class ZarrFieldWriter(FieldWriter):
    """Writes one field; knows, once all is written, where each record lies."""

    def __init__(self, group: Any, field: Field) -> None:
        super().__init__()
        self.name = node_name(field.name)
        self._group = group

    @abstractmethod
    def extents(self, shard: str) -> Extents:
        """Return where the records lie in the shard of this name."""


class ArrayWriter(ZarrFieldWriter):
    """One array of N × shape in chunks of whole rows."""

    def __init__(self, group: Any, field: Field) -> None:
        super().__init__(group, field)
        self._field = field
        self._row_bytes = row_bytes(field)
        self._chunk_rows = max(1, CHUNK_BYTES // self._row_bytes)
        self._written = 0
        self._waiting = bytearray()
        self._array: Any = None

    def _append(self, records: FieldRecords) -> None:
        length = records.slices.length
        wrong = length[(length >= 0) & (length != self._row_bytes)]
        if len(wrong):
            raise SchemaError(
                f"field {self._field.name!r} takes records of {self._row_bytes:,} bytes in this shard, not of {int(wrong[0]):,}"
            )
        nothing = memoryview(bytes(self._row_bytes))
        is_whole = bool((length >= 0).all())
        for part in runs(records.slices) if is_whole else [nothing if view is None else view for view in views(records.slices)]:
            self._take(part)

    def _take(self, view: memoryview) -> None:
        chunk_bytes = self._chunk_rows * self._row_bytes
        while len(self._waiting) + len(view) >= chunk_bytes:
            if self._waiting:
                taken = chunk_bytes - len(self._waiting)
                self._waiting += view[:taken]
                self._write(bytes(self._waiting))
                self._waiting.clear()
            else:
                taken = chunk_bytes
                self._write(view[:taken])
            view = view[taken:]
        self._waiting += view

    def _write(self, data: Buffer) -> None:
        """Write the next rows: a chunk, or the last ones."""
        shape = self._field.shape or ()
        dtype = np.dtype(self._field.dtype).newbyteorder("<")
        rows = len(data) // self._row_bytes
        if self._array is None:
            self._array = self._group.create_array(self.name, shape=(0, *shape), chunks=(self._chunk_rows, *shape), dtype=dtype, **PLAIN)
        first, self._written = self._written, self._written + rows
        if rows:
            self._array.resize((self._written, *shape))
            self._array[first : self._written] = np.frombuffer(data, dtype).reshape(rows, *shape)

    def finish(self) -> None:
        if self._array is None:
            # A shard of less than a chunk gets one chunk of its own size.
            self._chunk_rows = max(1, len(self._waiting) // self._row_bytes)
        if self._waiting or self._array is None:
            self._write(self._waiting)
        missing = np.flatnonzero(self.lengths < 0)
        if len(missing):
            self._array.attrs["missing"] = missing.tolist()

    def extents(self, shard: str) -> Extents:
        lengths = self.lengths
        row = np.arange(len(lengths))
        dimensions = len(self._field.shape or ())
        paths = [f"{shard}/{chunk_path(self.name, chunk, dimensions)}" for chunk in range(-(-len(lengths) // self._chunk_rows))]
        offset = np.where(lengths < 0, -1, row % self._chunk_rows * self._row_bytes)
        return Extents(paths or [f"{shard}/{METADATA}"], (row // self._chunk_rows).astype(np.uint32), offset, lengths.clip(0))


class BytesWriter(ZarrFieldWriter):
    """Records gather until they are worth an array of their own."""

    def __init__(self, group: Any, field: Field) -> None:
        super().__init__(group, field)
        self._group = group.create_group(self.name)
        self._bytes = self._group.create_group("bytes")
        self._arrays = 0
        self._waiting = bytearray()
        self._places = [np.zeros((0, 3), np.int64)]

    def _append(self, records: FieldRecords) -> None:
        lengths = records.slices.length.tolist()
        places = np.full((len(lengths), 3), -1, np.int64)
        for row, view in enumerate(views(records.slices)):
            if view is None:
                continue
            if self._waiting and len(self._waiting) + len(view) > FLUSH_BYTES:
                self._flush()
            places[row] = self._arrays, len(self._waiting), len(view)
            self._waiting += view
        self._places.append(places)

    def _flush(self) -> None:
        data = np.frombuffer(bytes(self._waiting), np.uint8)
        array = self._bytes.create_array(f"{self._arrays:05}", shape=data.shape, chunks=data.shape, dtype=np.uint8, **PLAIN)
        array[:] = data
        self._arrays += 1
        self._waiting.clear()

    def finish(self) -> None:
        if self._waiting:
            self._flush()
        places = np.concatenate(self._places)
        rows = max(1, len(places))
        index = self._group.create_array("index", shape=places.shape, chunks=(rows, 3), dtype="<i8", **PLAIN)
        index[:] = places

    def extents(self, shard: str) -> Extents:
        places = np.concatenate(self._places)
        paths = [f"{shard}/{bytes_path(self.name, number)}" for number in range(self._arrays)]
        # Records without bytes may stand behind the last array, where no file is.
        file = places[:, 0].clip(0, max(self._arrays - 1, 0)).astype(np.uint32)
        offset = np.where(places[:, 2] > 0, places[:, 1], np.minimum(places[:, 2], 0))
        return Extents(paths or [f"{shard}/{METADATA}"], file, offset, places[:, 2].clip(0))
