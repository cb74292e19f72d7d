"""The two forms in which the hdf5 engine writes a field: one array, or records in byte datasets (see hdf5.py)."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np

from pixstore.engine import FieldRecords
from pixstore.engines.field_writing import FieldWriter
from pixstore.engines.writing import runs, views
from pixstore.errors import CorruptStoreError, SchemaError
from pixstore.rows import Buffer, Indices
from pixstore.schema import Field

LIBRARY_VERSIONS = ("v110", "v110")
CHUNK_BYTES = 1 << 20
FLUSH_BYTES = 16 << 20
MOST_CHUNK_BYTES = (1 << 32) - 1
MOST_DIMENSIONS = 32


def row_bytes(field: Field) -> int:
    """Return the bytes of one record of a field with shape and dtype."""
    assert field.shape is not None and field.dtype is not None
    return int(np.prod(field.shape, dtype=np.int64)) * np.dtype(field.dtype).itemsize


def is_array(field: Field) -> bool:
    """Return whether this field's records make one dataset, of a type that every HDF5 library knows."""
    if field.codec != "raw" or field.shape is None or field.dtype is None:
        return False
    dtype = np.dtype(field.dtype)
    return dtype.kind in "buif" and dtype.itemsize <= 8 and 0 < row_bytes(field) <= MOST_CHUNK_BYTES and len(field.shape) < MOST_DIMENSIONS


class Hdf5FieldWriter(FieldWriter):
    """Writes one field; knows, once the file is closed, where each record begins."""

    def __init__(self, file: Any, name: str) -> None:
        super().__init__()
        self.name = name
        self._file = file

    @abstractmethod
    def places(self, file: Any) -> Indices:
        """Return the byte offset of each record in the finished file, opened again; any number for a missing one."""


class ArrayWriter(Hdf5FieldWriter):
    """Whole chunks go from the caller's memory into the file; only what does not fill one waits here."""

    def __init__(self, file: Any, field: Field) -> None:
        super().__init__(file, field.name)
        self._shape = field.shape or ()
        self._dtype = np.dtype(field.dtype).newbyteorder("<")
        self._row_bytes = row_bytes(field)
        self._chunk_rows = max(1, CHUNK_BYTES // self._row_bytes)
        self._rows = 0
        self._chunks = 0
        self._waiting = bytearray()
        self._dataset: Any = None

    def _append(self, records: FieldRecords) -> None:
        length = records.slices.length
        self._rows += len(length)
        wrong = length[(length >= 0) & (length != self._row_bytes)]
        if len(wrong):
            raise SchemaError(f"field {self.name!r} takes records of {self._row_bytes:,} bytes in this shard, not of {int(wrong[0]):,}")
        if (length >= 0).all():
            parts = runs(records.slices)
        else:
            nothing = memoryview(bytes(self._row_bytes))
            parts = [nothing if view is None else view for view in views(records.slices)]
        for part in parts:
            self._write(part)

    def _write(self, view: memoryview) -> None:
        chunk_bytes = self._chunk_rows * self._row_bytes
        if self._waiting:
            taken = min(chunk_bytes - len(self._waiting), len(view))
            self._waiting += view[:taken]
            view = view[taken:]
            if len(self._waiting) < chunk_bytes:
                return
            self._write_chunk(self._waiting)
        while len(view) >= chunk_bytes:
            self._write_chunk(view[:chunk_bytes])
            view = view[chunk_bytes:]
        self._waiting = bytearray(view)

    def _write_chunk(self, data: Buffer) -> None:
        if self._dataset is None:
            self._create()
        first = self._chunks * self._chunk_rows
        self._chunks += 1
        # Never beyond the rows there are: cutting a dataset back would make HDF5 write its last chunk again.
        self._dataset.resize(min(first + self._chunk_rows, self._rows), axis=0)
        self._dataset.id.write_direct_chunk((first, *([0] * len(self._shape))), data)

    def _create(self) -> None:
        self._dataset = self._file.create_dataset(
            self.name, (0, *self._shape), self._dtype, maxshape=(None, *self._shape), chunks=(self._chunk_rows, *self._shape)
        )

    def finish(self) -> None:
        if self._dataset is None:
            # A shard of less than a chunk gets one chunk of its own size.
            self._chunk_rows = max(1, self._rows)
            self._create()
        if self._waiting:
            self._write_chunk(self._waiting.ljust(self._chunk_rows * self._row_bytes, b"\0"))
        missing = np.flatnonzero(self.lengths < 0)
        if len(missing):
            self._dataset.attrs["missing"] = missing

    def places(self, file: Any) -> Indices:
        begins = np.full(self._chunks, -1, np.int64)

        def note(chunk: Any) -> None:
            begins[chunk.chunk_offset[0] // self._chunk_rows] = chunk.byte_offset

        file[self.name].id.chunk_iter(note)
        if (begins < 0).any():
            raise CorruptStoreError(f"HDF5 does not say where chunk {begins.argmin()} of {self.name!r} lies; report this with its version")
        row = np.arange(self._rows)
        places: Indices = begins[row // self._chunk_rows] + row % self._chunk_rows * self._row_bytes
        return places


class BytesWriter(Hdf5FieldWriter):
    """Records gather until they are worth a dataset of their own; a large batch becomes one at once."""

    def __init__(self, file: Any, field: Field) -> None:
        super().__init__(file, field.name)
        self._folder = file.create_group(f"{field.name}/bytes")
        self._datasets = 0
        self._waiting = bytearray()
        self._parts = [np.zeros((0, 3), np.int64)]

    @property
    def _index(self) -> Indices:
        return np.concatenate(self._parts)

    def _append(self, records: FieldRecords) -> None:
        length = records.slices.length
        taken = length.clip(0)
        total = int(taken.sum())
        if len(self._waiting) + total > FLUSH_BYTES:
            self._flush(self._waiting)
            self._waiting = bytearray()
        begins = len(self._waiting) + np.cumsum(taken) - taken
        self._parts.append(np.stack([np.full(len(length), self._datasets), begins, length], axis=1).astype(np.int64))
        self._parts[-1][length < 0] = -1
        views = runs(records.slices)
        if total < FLUSH_BYTES:
            self._waiting += b"".join(views)
        else:
            self._flush(views[0] if len(views) == 1 else b"".join(views))

    def _flush(self, data: Buffer) -> None:
        if len(data):
            self._folder.create_dataset(f"{self._datasets:05}", data=np.frombuffer(data, np.uint8))
            self._datasets += 1

    def finish(self) -> None:
        self._flush(self._waiting)
        write_index(self._file, f"{self.name}/index", self._index)

    def places(self, file: Any) -> Indices:
        folder = file[f"{self.name}/bytes"]
        # One zero more: for records without bytes, which need no dataset, and for missing ones.
        begins = np.array([*(folder[f"{number:05}"].id.get_offset() for number in range(self._datasets)), 0], np.int64)
        index = self._index
        places: Indices = begins[index[:, 0]] + index[:, 1].clip(0)
        return places


def write_index(file: Any, name: str, places: Indices) -> None:
    """Write where records lie: N × 3 numbers of dataset, offset and length."""
    options = {"compression": "gzip", "shuffle": True} if len(places) else {}
    file.create_dataset(name, data=places.astype("<i8"), **options)
