"""A Zarr group (format 3) in a folder: a uniform raw field is one N·H·W·C array, the records of any other field lie in byte arrays.

    image                   uniform: the array, in uncompressed chunks of whole rows (about 1 MiB), each a file of plain bytes; rows
                            without a record are zeros, and the attribute `missing` lists them
    image/bytes/00000 …     otherwise: records end to end, uint8, one chunk each, none crosses from one array into the next
    image/index             and their places, N × 3 int64: number of the array, offset in it, length; -1, -1, -1 without a record

Numbers are little-endian. Arrays without elements and types that Zarr does not have take the second form.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.errors import BaseZarrError
from zarr.storage import LocalStore

from pixstore.engine import Engine, PlannedBytes, PlannedShard, RecordBatch, ShardReader, ShardWriter
from pixstore.engines.folder import FolderWriter
from pixstore.engines.reading import missing_records, refusals, require
from pixstore.engines.writing import prove
from pixstore.engines.zarr_fields import ArrayWriter, BytesWriter, ZarrFieldWriter, bytes_path, chunk_path, is_array, node_name
from pixstore.engines.zarr_size import group_bytes
from pixstore.errors import BadRow, CorruptStoreError, MissingRecordError, PixstoreError
from pixstore.rows import Buffer, Extents
from pixstore.schema import Schema


class ZarrWriter(FolderWriter):
    def __init__(self, path: Path, schema: Schema, *, durable: bool) -> None:
        super().__init__(path, schema, durable=durable)
        with self._guarded():
            group = zarr.create_group(LocalStore(path))
            self._fields: list[ZarrFieldWriter] = [
                ArrayWriter(group, field) if is_array(field) else BytesWriter(group, field) for field in schema.fields
            ]

    def _append(self, records: RecordBatch) -> None:
        self._require_place()
        for field, writer in zip(self.schema.fields, self._fields, strict=True):
            writer.append(records.fields[field.name])

    def _seal(self) -> Mapping[str, Extents]:
        self._require_place()
        extents = {}
        for field, writer in zip(self.schema.fields, self._fields, strict=True):
            writer.finish()
            extents[field.name] = writer.extents(self.path.name)
        prove(self.path, extents, ZarrReader(self.path))
        return extents

    @contextmanager
    def _library_errors(self) -> Iterator[None]:
        with zarr_errors(self.path):
            yield


@contextmanager
def zarr_errors(path: Path) -> Iterator[None]:
    """Turn Zarr's errors into ours, but for those of the system."""
    try:
        yield
    except PixstoreError:
        raise
    except (BaseZarrError, ValueError, KeyError, TypeError, IndexError, NotImplementedError) as error:
        raise CorruptStoreError(f"{path}: Zarr refuses it: {error}; restore it from a copy") from error


class ZarrReader(ShardReader):
    """Keeps the chunk read last of each array: rows are mostly asked for in order."""

    def __init__(self, path: Path) -> None:
        self._path = path
        require(path.is_dir(), path)
        self._chunks: dict[str, tuple[int, memoryview]] = {}
        self._nodes: dict[str, Any] = {}
        with refusals(path), zarr_errors(path):
            self._group = zarr.open_group(LocalStore(path, read_only=True), mode="r")

    def read(self, field: str, rows: Sequence[int]) -> list[Buffer]:
        with refusals(self._path), zarr_errors(self._path):
            node = self._node(node_name(field))
            wanted = np.asarray(rows, np.int64)
            if isinstance(node, zarr.Array):
                places = self._array_places(node, wanted)
            else:
                places = self._node(f"{node_name(field)}/index")[:][wanted] if len(wanted) else np.zeros((0, 3), np.int64)
            if (places[:, 2] < 0).any():
                raise missing_records(self._path, field, wanted[places[:, 2] < 0].tolist())
            self._require_files(node_name(field), node, wanted, places)
            return [self._record(node_name(field), node, *place) for place in places.tolist()]

    def _require_files(self, name: str, node: Any, rows: NDArray[np.int64], places: NDArray[np.int64]) -> None:
        """Raise MissingRecordError where a chunk's file is gone: Zarr would make zeros of it."""
        gone = []
        for number in np.unique(places[places[:, 2] > 0, 0]).tolist():
            file = chunk_path(name, number, len(node.shape) - 1) if isinstance(node, zarr.Array) else bytes_path(name, number)
            if not (self._path / file).is_file():
                gone += [BadRow(row, file, str(self._path), "its file is gone") for row in rows[places[:, 0] == number].tolist()]
        if gone:
            raise MissingRecordError("", gone)

    def _array_places(self, array: Any, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return number of the chunk, offset in it and length of these rows, a length of -1 where the record is missing."""
        size = int(np.prod(array.shape[1:], dtype=np.int64)) * array.dtype.itemsize
        missing = np.isin(rows, array.attrs.get("missing", []))
        return np.stack([rows // array.chunks[0], rows % array.chunks[0] * size, np.where(missing, -1, size)], axis=1)

    def _record(self, name: str, node: Any, number: int, start: int, length: int) -> Buffer:
        if not length:
            return b""
        if name not in self._chunks or self._chunks[name][0] != number:
            if isinstance(node, zarr.Array):
                data = node[number * node.chunks[0] : (number + 1) * node.chunks[0]]
            else:
                data = self._node(f"{name}/bytes/{number:05}")[:]
            self._chunks[name] = (number, memoryview(np.ascontiguousarray(data).tobytes()))
        record = self._chunks[name][1][start : start + length]
        if len(record) != length or start < 0:
            raise CorruptStoreError(f"{self._path}: a record of {name!r} ends beyond its array; restore it from a copy")
        return record

    def _node(self, name: str) -> Any:
        if name not in self._nodes:
            self._nodes[name] = self._group[name]
        return self._nodes[name]

    def close(self) -> None:
        self._chunks.clear()
        self._nodes.clear()


class ZarrEngine(Engine):
    name = "zarr"
    extension = ".zarr"

    def create(self, path: Path, schema: Schema, *, durable: bool, max_bytes: int) -> ShardWriter:
        return ZarrWriter(path, schema, durable=durable)

    def open(self, path: Path, schema: Schema) -> ShardReader:
        return ZarrReader(path)

    def predicted_bytes(self, shard: PlannedShard) -> PlannedBytes:
        return group_bytes(shard)


ENGINE = ZarrEngine()
