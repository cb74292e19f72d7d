"""Shards while they are being written: the engine's file, the rows of the table, and when the next shard begins."""

from __future__ import annotations

import os
import secrets
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pixstore import codec
from pixstore.disk import remove, sync_file, sync_folder, translated
from pixstore.engine import Engine, FieldRecords, RecordBatch, ShardWriter
from pixstore.incoming import one_format
from pixstore.keys import are_counted, write_keys
from pixstore.manifest import ShardEntry, ShardFile
from pixstore.record_table import FOLDER
from pixstore.rows import Extents
from pixstore.schema import KEY, Format, Schema
from pixstore.shard import RecordColumns, digested, folder_files, write_table
from pixstore.store import shard_schema

MOST_SHARD_ROWS = 1 << 21
"""What is kept in memory for each row of the open shard stays bounded by this, however small the images."""

INDEX_ROW_BYTES = 12
"""Of a key's hash and row."""
RECORD_ROW_BYTES = 48
"""Of where a record lies, its checksum and its format in a table."""


def new_id() -> str:
    """Return a name that no other writing attempt has, on this machine or another."""
    return secrets.token_hex(8)


@dataclass
class _FieldRows:
    """What is kept of one field's records until the shard is sealed."""

    lengths: list[NDArray[np.int64]] = field(default_factory=list)
    checksums: list[NDArray[np.uint64]] = field(default_factory=list)
    format_indices: list[NDArray[np.int32]] = field(default_factory=list)
    formats: dict[Format, int] = field(default_factory=dict)

    def append(self, records: FieldRecords, checksums: NDArray[np.uint64]) -> None:
        known = np.array([self.formats.setdefault(each, len(self.formats)) for each in records.formats], np.int32)
        self.lengths.append(records.slices.length)
        self.checksums.append(checksums)
        self.format_indices.append(known[records.format])

    def columns(self, extents: Extents | None) -> RecordColumns:
        length = np.concatenate(self.lengths)
        count = len(length)
        if extents is None:
            nowhere = np.full(count, -1, np.int32)
            paths, file, offset = [], nowhere, np.full(count, -1, np.int64)
        else:
            paths = [f"{FOLDER}/{path}" for path in extents.paths]
            file, offset = extents.file.astype(np.int32), extents.offset
            if not np.array_equal(extents.length, np.maximum(length, 0)):
                raise AssertionError("the engine's extents do not have the lengths of the records it was given")
        return RecordColumns(
            paths, file, offset, length, np.concatenate(self.checksums), list(self.formats), np.concatenate(self.format_indices)
        )


class ShardBuilder:
    """Writes one shard under a partial folder; `seal` moves it among the store's shards, `abort` removes every trace."""

    def __init__(
        self, store: Path, engine: Engine, schema: Schema, formats: Mapping[str, Format], *, durable: bool, max_bytes: int
    ) -> None:
        self.id = new_id()
        self.rows = 0
        self.bytes = 0
        self.schema = schema
        self.formats = dict(formats)
        self._store = store
        self._engine = engine
        self._durable = durable
        self._partial = store / FOLDER / f"{self.id}.partial"
        self._pixels = self._partial / f"{self.id}{engine.extension}"
        self._keys: list[pa.Array] = []
        self._columns: dict[str, list[pa.Array]] = {name: [] for name in schema.columns.names}
        self._fields = {name: _FieldRows() for name in schema.field_names}
        with _whole_or_nothing(self._partial), translated(store):
            self._partial.mkdir()
            self._writer: ShardWriter = engine.create(
                self._pixels, shard_schema(schema, self.formats), durable=durable, max_bytes=max_bytes
            )

    def append(self, keys: pa.Array, columns: Mapping[str, pa.Array], fields: Mapping[str, FieldRecords]) -> None:
        """Append rows; `columns` and `fields` have every column and field of the schema."""
        for name, records in fields.items():
            seeds = codec.seeds(name, keys)
            self._fields[name].append(records, codec.checksums(records.slices, seeds))
        self.bytes += bytes_held(keys, columns, fields)
        with translated(self._store):
            self._writer.append(RecordBatch(keys.to_pylist(), fields))
        self._keys.append(keys)
        for name, values in columns.items():
            self._columns[name].append(values)
        self.rows += len(keys)

    def seal(self) -> ShardEntry:
        """Finish the files and move them among the store's shards, where nothing names them yet; return their entry."""
        keys = pa.concat_arrays(self._keys)
        columns = {KEY: keys, **{name: _concatenated(parts, self.schema, name) for name, parts in self._columns.items()}}
        with translated(self._store, needed=_table_bytes(columns, len(self._fields))):
            located = self._writer.seal()
            fields = {name: rows.columns(None if located is None else located[name]) for name, rows in self._fields.items()}
            table = write_table(self._partial / f"{self.id}.arrow", columns, fields)
            index = _key_file(self._partial / f"{self.id}.keys", keys)
            entry = ShardEntry(self.id, self._engine.name, self.rows, table, index, self._pixel_file(), self._uniform())
            publish(self._store, self._partial, durable=self._durable)
        return entry

    def abort(self) -> None:
        self._writer.abort()
        # What cannot be removed is left to gc: it must not hide the error that brought us here.
        with suppress(OSError):
            remove(self._partial)

    def _pixel_file(self) -> ShardFile:
        if self._pixels.is_dir():
            return ShardFile(self._pixels.name, None, files=() if self._engine.file_per_record else folder_files(self._pixels))
        return digested(self._pixels)

    def _uniform(self) -> dict[str, Format]:
        return {
            name: next(iter(rows.formats))
            for name, rows in self._fields.items()
            if len(rows.formats) == 1 and all(bool((each >= 0).all()) for each in rows.lengths)
        }


class ShardRoller:
    """Writes rows into shard after shard: the next begins where one is full, or was uniform and the rows to come differ.

    What is sealed is not named by any manifest yet; `abort` removes it with the open shard.
    """

    def __init__(self, store: Path, engine: Engine, *, durable: bool, shard_bytes: int) -> None:
        self._store = store
        self._engine = engine
        self._durable = durable
        self._shard_bytes = shard_bytes
        self._builder: ShardBuilder | None = None
        self._mixed: set[str] = set()
        self.sealed: list[ShardEntry] = []

    @property
    def is_open(self) -> bool:
        """Whether rows were appended since the last shard was sealed."""
        return self._builder is not None

    def append(self, schema: Schema, keys: pa.Array, columns: Mapping[str, pa.Array], fields: Mapping[str, FieldRecords]) -> None:
        """Append rows; `columns` and `fields` have every column and field of the schema."""
        self._shard_for(schema, fields, len(keys), bytes_held(keys, columns, fields)).append(keys, columns, fields)

    def seal(self) -> None:
        """Finish the open shard, if there is one."""
        if self._builder is not None:
            self.sealed.append(self._builder.seal())
        self._builder = None

    def abort(self) -> None:
        """Remove the open shard and all that were sealed."""
        self.drop_open()
        for entry in self.sealed:
            remove_shard(self._store, entry)
        self.sealed = []

    def drop_open(self) -> None:
        """Remove the open shard, if there is one."""
        if self._builder is not None:
            self._builder.abort()
        self._builder = None

    def _shard_for(self, schema: Schema, fields: Mapping[str, FieldRecords], rows: int, size: int) -> ShardBuilder:
        """Return the shard that takes these records: the open one, or a new one where it is full or was uniform and they differ."""
        formats = {name: each for name, records in fields.items() if (each := one_format(records)) is not None}
        if self._builder is not None:
            differing = {name for name, expected in self._builder.formats.items() if formats.get(name) != expected}
            is_full = self._builder.bytes + size > self._shard_bytes or self._builder.rows + rows > MOST_SHARD_ROWS
            if differing or is_full:
                self._mixed |= differing
                self.seal()
        if self._builder is None:
            self._mixed |= fields.keys() - formats.keys()
            uniform = {name: each for name, each in formats.items() if name not in self._mixed}
            most = max(self._shard_bytes, size)
            self._builder = ShardBuilder(self._store, self._engine, schema, uniform, durable=self._durable, max_bytes=most)
        self._builder.schema = schema
        return self._builder


def bytes_held(keys: pa.Array, columns: Mapping[str, pa.Array], fields: Mapping[str, FieldRecords]) -> int:
    """Return the bytes of these rows: records, columns and keys."""
    records = sum(int(np.maximum(each.slices.length, 0).sum()) for each in fields.values())
    return records + int(keys.nbytes) + sum(int(each.nbytes) for each in columns.values())


@contextmanager
def _whole_or_nothing(partial: Path) -> Iterator[None]:
    """Remove a partial folder where the block fails."""
    try:
        yield
    except BaseException:
        with suppress(OSError):
            remove(partial)
        raise


def _table_bytes(columns: Mapping[str, pa.Array], fields: int) -> int:
    """Return about how many bytes a table and its key index take."""
    rows = len(columns[KEY])
    return sum(int(each.nbytes) for each in columns.values()) + rows * (INDEX_ROW_BYTES + fields * RECORD_ROW_BYTES)


def _key_file(path: Path, keys: pa.Array) -> ShardFile | None:
    if are_counted(keys):
        return None
    write_keys(path, keys)
    return digested(path)


def publish(store: Path, partial: Path, *, durable: bool) -> None:
    """Move a finished shard's files from its partial folder among the store's shards: all of them, or none where one cannot be."""
    moved: list[Path] = []
    try:
        for file in sorted(partial.iterdir()):
            if durable and file.suffix in {".arrow", ".keys"}:
                sync_file(file)
            moved.append(store / FOLDER / file.name)
            os.rename(file, moved[-1])
        partial.rmdir()
        if durable:
            sync_folder(store / FOLDER)
    except BaseException:
        for path in moved:
            with suppress(OSError):
                remove(path)
        raise


def table_only(store: Path, columns: Mapping[str, pa.Array], fields: Mapping[str, RecordColumns], *, durable: bool) -> ShardEntry:
    """Write a shard that has a table of its own and points into other shards' pixels."""
    name = new_id()
    partial = store / FOLDER / f"{name}.partial"
    # The reason is looked for before the clean-up: that gives back what was used up.
    with _whole_or_nothing(partial), translated(store, needed=_table_bytes(columns, len(fields))):
        partial.mkdir()
        table = write_table(partial / f"{name}.arrow", columns, fields)
        index = _key_file(partial / f"{name}.keys", columns[KEY])
        publish(store, partial, durable=durable)
    borrowed = {path.removeprefix(f"{FOLDER}/").partition("/")[0] for each in fields.values() for path in each.paths}
    uniform = {field: each.formats[0] for field, each in fields.items() if len(each.formats) == 1 and (each.length >= 0).all()}
    return ShardEntry(name, "", len(columns[KEY]), table, index, None, uniform, borrows=tuple(sorted(borrowed)))


def files_of_shard(entry: ShardEntry) -> set[str]:
    """Return the names of all files among the shards that this one needs, those it borrows included."""
    return {each.name for each in _own_files(entry)} | set(entry.borrows)


def remove_shard(store: Path, entry: ShardEntry, *, keeping: Collection[str] = ()) -> None:
    """Remove a shard's own files, but for those whose name is in `keeping`."""
    for file in _own_files(entry):
        if file.name not in keeping:
            remove(store / FOLDER / file.name)


def _own_files(entry: ShardEntry) -> list[ShardFile]:
    return [each for each in (entry.table, entry.keys, entry.pixels) if each is not None]


def without_rows(entry: ShardEntry, rows: set[int]) -> ShardEntry:
    """Return the entry with these rows of its files deleted too."""
    gone = np.zeros(entry.rows + 1, np.int8)
    for start, stop in entry.deleted:
        gone[start:stop] = 1
    gone[list(rows)] = 1
    edges = np.flatnonzero(np.diff(gone, prepend=0))
    return replace(entry, deleted=tuple((int(start), int(stop)) for start, stop in zip(edges[::2], edges[1::2], strict=True)))


def _concatenated(parts: list[pa.Array], schema: Schema, name: str) -> pa.Array:
    kind = schema.columns.field(name).type
    return pa.concat_arrays([each.cast(kind) for each in parts])
