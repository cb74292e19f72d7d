"""One shard while it is being written: the engine's file, and the rows of its table."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pixstore import codec
from pixstore.disk import remove, sync_file, sync_folder, translated
from pixstore.engine import Engine, FieldRecords, RecordBatch, ShardWriter
from pixstore.keys import are_counted, write_keys
from pixstore.manifest import ShardEntry, ShardFile
from pixstore.record_table import FOLDER
from pixstore.rows import Extents
from pixstore.schema import KEY, Format, Schema
from pixstore.shard import RecordColumns, digested, write_table
from pixstore.store import shard_schema


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
        with translated(store):
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
        with translated(self._store):
            located = self._writer.seal()
            keys = pa.concat_arrays(self._keys)
            columns = {KEY: keys, **{name: _concatenated(parts, self.schema, name) for name, parts in self._columns.items()}}
            fields = {name: rows.columns(None if located is None else located[name]) for name, rows in self._fields.items()}
            table = write_table(self._partial / f"{self.id}.arrow", columns, fields)
            index = _key_file(self._partial / f"{self.id}.keys", keys)
            size = None if self._pixels.is_dir() else self._pixels.stat().st_size
            entry = ShardEntry(self.id, self._engine.name, self.rows, table, index, ShardFile(self._pixels.name, size), self._uniform())
            publish(self._store, self._partial, durable=self._durable)
        return entry

    def abort(self) -> None:
        self._writer.abort()
        remove(self._partial)

    def _uniform(self) -> dict[str, Format]:
        return {
            name: next(iter(rows.formats))
            for name, rows in self._fields.items()
            if len(rows.formats) == 1 and all(bool((each >= 0).all()) for each in rows.lengths)
        }


def bytes_held(keys: pa.Array, columns: Mapping[str, pa.Array], fields: Mapping[str, FieldRecords]) -> int:
    """Return the bytes of these rows: records, columns and keys."""
    records = sum(int(np.maximum(each.slices.length, 0).sum()) for each in fields.values())
    return records + int(keys.nbytes) + sum(int(each.nbytes) for each in columns.values())


def _key_file(path: Path, keys: pa.Array) -> ShardFile | None:
    if are_counted(keys):
        return None
    write_keys(path, keys)
    return digested(path)


def publish(store: Path, partial: Path, *, durable: bool) -> None:
    """Move a finished shard's files from its partial folder among the store's shards."""
    for file in sorted(partial.iterdir()):
        if durable and file.suffix in {".arrow", ".keys"}:
            sync_file(file)
        os.rename(file, store / FOLDER / file.name)
    partial.rmdir()
    if durable:
        sync_folder(store / FOLDER)


def table_only(store: Path, columns: Mapping[str, pa.Array], fields: Mapping[str, RecordColumns], *, durable: bool) -> ShardEntry:
    """Write a shard that has a table of its own and points into other shards' pixels."""
    name = new_id()
    partial = store / FOLDER / f"{name}.partial"
    with translated(store):
        partial.mkdir()
        try:
            table = write_table(partial / f"{name}.arrow", columns, fields)
            index = _key_file(partial / f"{name}.keys", columns[KEY])
            publish(store, partial, durable=durable)
        except BaseException:
            remove(partial)
            raise
    borrowed = {path.removeprefix(f"{FOLDER}/").partition("/")[0] for each in fields.values() for path in each.paths}
    uniform = {field: each.formats[0] for field, each in fields.items() if len(each.formats) == 1 and (each.length >= 0).all()}
    return ShardEntry(name, "", len(columns[KEY]), table, index, None, uniform, borrows=tuple(sorted(borrowed)))


def remove_shard(store: Path, entry: ShardEntry) -> None:
    """Remove a shard's files."""
    for file in (entry.table, entry.keys, entry.pixels):
        if file is not None:
            remove(store / FOLDER / file.name)


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
