"""One HDF5 file: a uniform raw field is one N·H·W·C dataset, the records of any other field lie in 1-D byte datasets.

    /image                  uniform: the array, unfiltered, in chunks of whole rows (about 1 MiB); rows without a record are zeros,
                            and the attribute `missing` lists them
    /image/bytes/00000 …    otherwise: records end to end, contiguous uint8, none crosses from one dataset into the next
    /image/index            and their places, N × 3 int64: number of the dataset, offset in it, length; -1, -1, -1 without a record

Numbers are little-endian. Types that not every HDF5 library knows (complex, long double), arrays without elements and records of
4 GiB or more take the second form. The files need HDF5 1.10 (2016) or later: from there on the chunk index of a growing array is
small and metadata carries checksums.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from pixstore.engine import Engine, PlannedBytes, PlannedShard, RecordBatch, ShardReader, ShardWriter
from pixstore.engines.hdf5_fields import LIBRARY_VERSIONS, ArrayWriter, BytesWriter, Hdf5FieldWriter, is_array
from pixstore.engines.hdf5_file import LastingFile
from pixstore.engines.hdf5_size import file_bytes
from pixstore.engines.reading import missing_records, refusals, require
from pixstore.engines.writing import GuardedWriter, claim, extents_in, prove
from pixstore.errors import CorruptStoreError, PixstoreError, UnsafeInputError
from pixstore.rows import Buffer, Extents
from pixstore.schema import Schema


class Hdf5Writer(GuardedWriter):
    def __init__(self, path: Path, schema: Schema, *, durable: bool) -> None:
        super().__init__(path, schema, durable=durable)
        self._descriptor = claim(path)
        self._medium = LastingFile(self._descriptor)
        with self._guarded():
            # Without a cache chunks go straight to the file.
            self._file = h5py.File(self._medium, "w", libver=LIBRARY_VERSIONS, rdcc_nbytes=0)
            self._fields: list[Hdf5FieldWriter] = [
                ArrayWriter(self._file, field) if is_array(field) else BytesWriter(self._file, field) for field in schema.fields
            ]

    def _append(self, records: RecordBatch) -> None:
        for field in self._fields:
            field.append(records.fields[field.name])
        self._medium.require_whole()

    def _seal(self) -> Mapping[str, Extents]:
        for field in self._fields:
            field.finish()
        self._close()
        self._medium.require_whole()
        reader = Hdf5Reader(self.path)
        try:
            extents = {field.name: extents_in(self.path, field.places(reader.file), field.lengths) for field in self._fields}
            prove(self.path, extents, reader)
        finally:
            reader.close()
        return extents

    def _close(self) -> None:
        self._file.close()

    @contextmanager
    def _library_errors(self) -> Iterator[None]:
        with hdf5_errors(self.path):
            yield


@contextmanager
def hdf5_errors(path: Path) -> Iterator[None]:
    """Turn h5py's errors into OSError where the system has the cause, into ours where not."""
    try:
        yield
    except PixstoreError:
        raise
    except (OSError, RuntimeError, KeyError) as error:
        cause = re.search(r"errno = (\d+)", str(error))
        code = int(cause[1]) if cause else getattr(error, "errno", None)
        if code is not None:
            raise OSError(code, os.strerror(code), os.fspath(path)) from error
        raise CorruptStoreError(f"{path}: HDF5 refuses it: {error}; restore it from a copy") from error


class Hdf5Reader(ShardReader):
    def __init__(self, path: Path) -> None:
        self._path = path
        require(path.is_file(), path)
        with refusals(path), hdf5_errors(path):
            # The shard is sealed: nobody needs a lock, and a cache would read a whole chunk for one row.
            self.file = h5py.File(path, "r", locking=False, rdcc_nbytes=0)

    def read(self, field: str, rows: Sequence[int]) -> list[Buffer]:
        with refusals(self._path), hdf5_errors(self._path):
            node = self._own(field)
            wanted = np.asarray(rows, np.int64)
            if isinstance(node, h5py.Dataset):
                missing = np.isin(wanted, node.attrs.get("missing", ()))
            else:
                index = self._own(f"{field}/index")[()][wanted]
                missing = index[:, 2] < 0
            if missing.any():
                raise missing_records(self._path, field, wanted[missing].tolist())
            if isinstance(node, h5py.Dataset):
                return [node[row].tobytes() for row in wanted.tolist()]
            used = np.unique(index[index[:, 2] > 0, 0]).tolist()
            datasets = {number: self._own(f"{field}/bytes/{number:05}") for number in used}
            return [datasets[number][start : start + length].tobytes() if length else b"" for number, start, length in index.tolist()]

    def _own(self, name: str) -> Any:
        """Return a node whose bytes lie in this file. Raises UnsafeInputError for one that points elsewhere."""
        parts = name.split("/")
        for depth in range(1, len(parts) + 1):
            if not isinstance(self.file.get("/".join(parts[:depth]), getlink=True, default=h5py.HardLink()), h5py.HardLink):
                raise UnsafeInputError(f"{self._path}: {name!r} is a link to another place; it was not followed")
        node = self.file[name]
        if isinstance(node, h5py.Dataset) and (node.is_virtual or node.external):
            raise UnsafeInputError(f"{self._path}: {name!r} keeps its bytes in other files; they were not opened")
        return node

    def close(self) -> None:
        self.file.close()


class Hdf5Engine(Engine):
    name = "hdf5"
    extension = ".h5"

    def create(self, path: Path, schema: Schema, *, durable: bool, max_bytes: int) -> ShardWriter:
        return Hdf5Writer(path, schema, durable=durable)

    def open(self, path: Path, schema: Schema) -> ShardReader:
        return Hdf5Reader(path)

    def predicted_bytes(self, shard: PlannedShard) -> PlannedBytes:
        return PlannedBytes.in_one_file(file_bytes(shard.schema.fields, [shard.lengths[name] for name in shard.schema.field_names]), shard)


ENGINE = Hdf5Engine()
