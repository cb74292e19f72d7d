"""One sealed shard: its table, where each record lies, and its key index.

    <id>.arrow   Arrow IPC, one record batch: key, the columns, and per field a struct
                 {file, offset, length, checksum, codec, shape, dtype}; `file` is relative to the store's folder
    <id>.keys    the key index (pixstore.keys); none where the keys are default keys without a gap

The whole table is checked against the manifest's digests before Arrow parses a byte of it.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pixstore import codec
from pixstore.errors import CorruptStoreError, StoreTruncatedError
from pixstore.keys import CountedKeys, Index, KeyIndex
from pixstore.manifest import TILE_BYTES, FolderFile, ShardEntry, ShardFile
from pixstore.record_table import FOLDER, RECORD_TYPES, RecordTable, record_type
from pixstore.rows import Indices
from pixstore.schema import KEY, Format, Schema

WRITE_BYTES = 1 << 20
MAPPED_BYTES = 1 << 20
"""Smaller files are read: that costs less than a mapping, and nothing that happens to the file later reaches who reads."""


@dataclass(frozen=True)
class RecordColumns:
    """What the table holds of one field, as arrays over the shard's rows. A missing record has length -1."""

    paths: Sequence[str] | pa.Array
    file: NDArray[np.int32]
    offset: NDArray[np.int64]
    length: NDArray[np.int64]
    checksum: NDArray[np.uint64]
    formats: Sequence[Format]
    format: NDArray[np.int32]


def write_table(path: Path, columns: Mapping[str, pa.Array], fields: Mapping[str, RecordColumns]) -> ShardFile:
    """Write a shard's table, the key first among `columns`; return its size and digests for the manifest."""
    arrays = {**columns, **{name: _record_array(each) for name, each in fields.items()}}
    batch = pa.record_batch(list(arrays.values()), names=list(arrays))
    # Arrow writes each buffer by itself, a hundred and more for a table.
    with (
        pa.OSFile(str(path), "wb") as file,
        pa.BufferedOutputStream(file, WRITE_BYTES) as sink,
        pa.ipc.new_file(sink, batch.schema) as writer,
    ):
        writer.write_batch(batch)
    return digested(path)


def digested(path: Path) -> ShardFile:
    """Return the size and the digests of a file's tiles, for the manifest."""
    return ShardFile(path.name, path.stat().st_size, tuple(codec.hash_file_tiles(path, TILE_BYTES).tolist()))


def folder_files(path: Path) -> tuple[FolderFile, ...]:
    """Return size and digest of every file in a shard's folder, for the manifest."""
    found = sorted(Path(folder, name) for folder, _, names in os.walk(path) for name in names)
    return tuple(FolderFile(each.relative_to(path).as_posix(), each.stat().st_size, file_digest(each)) for each in found)


def file_digest(path: Path) -> int:
    """Return one digest of a file: that of its tiles' digests."""
    return codec.hash_bytes(codec.hash_file_tiles(path, TILE_BYTES).astype("<u8").tobytes())


def _record_array(records: RecordColumns) -> pa.Array:
    formats = records.formats
    index = pa.array(records.format, pa.int32())
    paths = pa.array(records.paths, pa.string())
    kind = record_type(len(paths))
    file = pa.array(records.file, pa.int32(), mask=records.file < 0).cast(kind.field("file").type.index_type)
    children = [
        pa.DictionaryArray.from_arrays(file, paths),
        pa.array(records.offset),
        pa.array(np.maximum(records.length, 0)),
        pa.array(records.checksum),
        pa.DictionaryArray.from_arrays(*_dictionary([each.codec for each in formats], index)),
        pa.array([each.shape for each in formats], pa.list_(pa.int32())).take(index),
        pa.DictionaryArray.from_arrays(*_dictionary([each.dtype for each in formats], index)),
    ]
    missing = records.length < 0
    return pa.StructArray.from_arrays(children, fields=list(kind), mask=pa.array(missing) if missing.any() else None)


def _dictionary(values: Sequence[str | None], index: pa.Array) -> tuple[pa.Array, pa.Array]:
    """Return indices and dictionary for `values[index[i]]`, each distinct value once."""
    distinct = sorted({value for value in values if value is not None})
    places = pa.array([distinct.index(value) if value is not None else None for value in values], pa.int8())
    return places.take(index), pa.array(distinct, pa.string())


class Shard:
    """A sealed shard, opened: sizes and the table's digests checked.

    Raises StoreTruncatedError or CorruptStoreError, naming the file, where the files are not those that were sealed.
    """

    def __init__(self, store: Path, entry: ShardEntry, schema: Schema, content: pa.Buffer | None = None) -> None:
        """`content` is the table's, where that and the sizes of all files have been compared with the manifest."""
        self.store = store
        self.entry = entry
        self.schema = schema
        self._records: dict[str, RecordTable | None] = {}
        self.whole = self._parsed(self._checked() if content is None else content)
        # Not before the table says that it has as many rows as the manifest claims: an array is made of them.
        self.rows = _kept_rows(entry)

    def __len__(self) -> int:
        return self.entry.rows - self.entry.deleted_rows

    @cached_property
    def table(self) -> pa.Table:
        """Key and columns of the rows that are not deleted; columns this shard does not have are null."""
        length = self.entry.rows
        columns = {KEY: self.whole[KEY]}
        for column in self.schema.columns:
            has = column.name in self.whole.schema.names
            columns[column.name] = self.whole[column.name].cast(column.type) if has else pa.nulls(length, column.type)
        table = pa.table(columns)
        return table if self.rows is None else table.take(pa.array(self.rows))

    def local(self, rows: Indices) -> Indices:
        """Return rows of the shard's files for rows among those not deleted."""
        return rows if self.rows is None else self.rows[rows]

    def records(self, field: str) -> RecordTable | None:
        """Return this field's records, None where the shard has none."""
        if field not in self._records:
            has = field in self.whole.schema.names
            self._records[field] = RecordTable(self.whole[field], self._path) if has else None
        return self._records[field]

    def seeds(self, field: str, rows: Indices) -> NDArray[np.uint64]:
        """Return the seeds of the checksums of these rows of the shard's files."""
        return codec.seeds(field, self.whole[KEY].take(pa.array(rows)))

    def place_of(self, field: str, row: int) -> str:
        """Return the file and the byte where the record of this row of the shard's files begins, in words for errors."""
        records = self.records(field)
        found = None if records is None else records.place_of(row)
        if found is not None:
            return f"{self.store / found[0]} at byte {found[1]}"
        return str(self.store / FOLDER / (self.entry.pixels or self.entry.table).name)

    def find(self, hashes: NDArray[np.uint64], keys: Sequence[str]) -> Indices:
        """Return the row (among those not deleted) of each key, -1 where it is not here."""
        found = self.keys.find(hashes, keys, self.whole[KEY])
        return np.array([row if row < 0 else self._not_deleted(row) for row in found.tolist()], np.int64)

    def _not_deleted(self, row: int) -> int:
        if self.rows is None:
            return row
        place = int(np.searchsorted(self.rows, row))
        return place if place < len(self.rows) and self.rows[place] == row else -1

    @cached_property
    def keys(self) -> Index:
        """The index of all keys in the files, those of deleted rows included."""
        if self.entry.keys is None:
            return CountedKeys(self.whole[KEY], self._path)
        path = self.store / FOLDER / self.entry.keys.name
        return KeyIndex(np.frombuffer(sealed_content(path, self.entry.keys), np.uint8), self.entry.rows, path)

    def kept_keys(self, hashes: NDArray[np.uint64]) -> pa.Array:
        """Return the keys that have one of these hashes and are not deleted."""
        rows = self.keys.rows_of(hashes)
        kept = rows if self.rows is None else np.intersect1d(rows, self.rows, assume_unique=True)
        return self.whole[KEY].take(pa.array(kept))

    def with_deleted(self, entry: ShardEntry) -> Shard:
        """Return the same files as another version has them, without opening them again."""
        other = copy.copy(self)
        other.__dict__.pop("table", None)
        other.entry, other.rows = entry, _kept_rows(entry)
        return other

    @property
    def _path(self) -> Path:
        return self.store / FOLDER / self.entry.table.name

    def _checked(self) -> pa.Buffer:
        for file in (self.entry.table, self.entry.keys, self.entry.pixels):
            if file is not None:
                check_size(self.store / FOLDER / file.name, file)
        return sealed_content(self._path, self.entry.table)

    def _parsed(self, content: pa.Buffer) -> pa.RecordBatch:
        try:
            with pa.ipc.open_file(content) as reader:
                batch = reader.get_batch(0)
                # Whoever makes a store makes its digests too: offsets and indices that lead out of the file are looked for here.
                batch.validate(full=True)
                sound = reader.num_record_batches == 1 and len(batch) == self.entry.rows and _has_layout(batch.schema, self.schema)
        except (pa.ArrowException, ValueError, OSError) as error:
            raise CorruptStoreError(f"{self._path}: does not parse ({error})") from error
        if not sound or batch[KEY].null_count:
            raise CorruptStoreError(f"{self._path}: not the table of {self.entry.rows} rows that the manifest describes")
        return batch


def _has_layout(found: pa.Schema, schema: Schema) -> bool:
    """Return whether a table has the types that are read without a further look: key, records, columns."""
    types = {name: found.field(index).type for index, name in enumerate(found.names)}
    fields = [types.get(name, RECORD_TYPES[0]) in RECORD_TYPES for name in schema.field_names]
    columns = [_becomes(types.get(column.name, pa.null()), column.type) for column in schema.columns]
    return len(types) == len(found.names) and types.get(KEY) == pa.string() and all(fields) and all(columns)


def _becomes(found: pa.DataType, stated: pa.DataType) -> bool:
    """Return whether a column was of this type when a shard was sealed, or of none yet."""
    if pa.types.is_list(found) and pa.types.is_list(stated):
        return _becomes(found.value_type, stated.value_type)
    return bool(found == stated or found == pa.null())


def _kept_rows(entry: ShardEntry) -> Indices | None:
    if not entry.deleted:
        return None
    kept = np.ones(entry.rows, bool)
    for start, stop in entry.deleted:
        kept[start:stop] = False
    return np.flatnonzero(kept)


def sealed_content(path: Path, file: ShardFile) -> pa.Buffer:
    """Return what a sealed file holds. Raises CorruptStoreError where that is not what its digests say, or is gone."""
    content = _mapped(path) if (file.bytes or 0) >= MAPPED_BYTES else None
    if content is None:
        try:
            content = pa.py_buffer(path.read_bytes())
        except FileNotFoundError as error:
            raise _missing(path) from error
    check_digests(np.frombuffer(content, np.uint8), path, file)
    return content


def _mapped(path: Path) -> pa.Buffer | None:
    """Return a file mapped into memory; None where there is no room for it, or its file system does not map."""
    try:
        with pa.memory_map(str(path)) as file:
            return file.read_buffer()
    except OSError:
        return None


def check_size(path: Path, file: ShardFile) -> None:
    """Raise StoreTruncatedError or CorruptStoreError where a file has not the size that the manifest says."""
    try:
        size = path.stat().st_size
    except FileNotFoundError as error:
        raise _missing(path) from error
    if file.bytes is None or size == file.bytes:
        return
    if size < file.bytes:
        raise StoreTruncatedError(f"{path}: needs {file.bytes:,} bytes, has {size:,}; copy it again, or restore it")
    raise CorruptStoreError(f"{path}: has {size:,} bytes where the manifest says {file.bytes:,}; something else wrote to it")


def _missing(path: Path) -> CorruptStoreError:
    return CorruptStoreError(f"{path}: missing, though the manifest names it; was the store copied whole?")


def check_digests(data: NDArray[np.uint8], path: Path, file: ShardFile) -> None:
    """Raise CorruptStoreError naming the first tile whose digest is not the manifest's."""
    found = [int(each) for each in codec.hash_tiles(data, TILE_BYTES)]
    expected = list(file.digests or ())
    if found == expected:
        return
    bad = next((tile for tile, pair in enumerate(zip(found, expected, strict=False)) if pair[0] != pair[1]), min(len(found), len(expected)))
    raise CorruptStoreError(f"{path}: damaged within {TILE_BYTES:,} bytes from byte {bad * TILE_BYTES:,} (its digest does not match)")
