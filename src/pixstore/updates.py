"""Changed samples: new columns over the pixels that are there, or a new sample where an image changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from pixstore import codec, registry
from pixstore.builder import table_only
from pixstore.columns import column_array
from pixstore.engine import FieldRecords
from pixstore.incoming import ABSENT, Incoming, joined
from pixstore.manifest import ShardEntry
from pixstore.record_table import FOLDER, extents_of, missing_places
from pixstore.rows import Indices, Place, Records
from pixstore.schema import KEY, Format, Schema
from pixstore.shard import RecordColumns, Shard
from pixstore.store import shard_schema


@dataclass(frozen=True)
class Update:
    """The sample at `row` of a shard's files, with changed columns and images."""

    shard: Shard
    row: int
    columns: Mapping[str, Any]
    images: Mapping[str, Incoming]

    def changed(self, columns: Mapping[str, Any], images: Mapping[str, Incoming]) -> Update:
        return Update(self.shard, self.row, {**self.columns, **columns}, {**self.images, **images})

    def needs_new_pixels(self, schema: Schema) -> bool:
        located = [self.shard.records(name) for name in schema.field_names]
        return bool(self.images) or any(each is not None and not each.is_located for each in located)


@dataclass(frozen=True)
class Anew:
    """A sample to add again: what changes, and the stored records of what does not."""

    key: str
    columns: Mapping[str, pa.Array]
    images: Mapping[str, Incoming]
    records: Mapping[str, FieldRecords]


Group = tuple[Shard, Indices, Indices]
"""Updates of one shard: the shard, rows in its files, places among all updates."""


def write_updates(store: Path, schema: Schema, updates: Mapping[str, Update], *, durable: bool) -> tuple[list[ShardEntry], list[Anew]]:
    """Write the updates of columns alone as one shard without pixels; return it, and the samples that must be added anew."""
    plain = {key: update for key, update in updates.items() if not update.needs_new_pixels(schema)}
    anew = [_anew(key, update, schema) for key, update in updates.items() if key not in plain]
    if not plain:
        return [], anew
    groups = _groups(list(plain.values()))
    columns = {KEY: pa.array(list(plain), pa.string()), **_columns(list(plain.values()), groups, schema)}
    fields = {name: _record_columns(name, groups, len(plain)) for name in schema.field_names}
    return [table_only(store, columns, fields, durable=durable)], anew


def _groups(updates: Sequence[Update]) -> list[Group]:
    places: dict[str, list[int]] = {}
    for place, update in enumerate(updates):
        places.setdefault(update.shard.entry.id, []).append(place)
    return [(updates[each[0]].shard, np.array([updates[place].row for place in each]), np.array(each)) for each in places.values()]


def _columns(updates: Sequence[Update], groups: Sequence[Group], schema: Schema) -> dict[str, pa.Array]:
    """Return every column of these samples: as it was, with what changes put in."""
    order = pa.array(np.argsort(np.concatenate([places for *_, places in groups])))
    columns: dict[str, pa.Array] = {}
    for name, kind in zip(schema.columns.names, schema.columns.types, strict=True):
        before = pa.concat_arrays([_column(shard, name, kind).take(pa.array(rows)) for shard, rows, _ in groups]).take(order)
        if any(name in update.columns for update in updates):
            values = [update.columns.get(name, value) for update, value in zip(updates, before.to_pylist(), strict=True)]
            before = column_array(name, values, schema)
        columns[name] = before
    return columns


def _column(shard: Shard, name: str, kind: pa.DataType) -> pa.Array:
    return shard.whole[name].cast(kind) if name in shard.whole.schema.names else pa.nulls(shard.entry.rows, kind)


def _record_columns(field: str, groups: Sequence[Group], count: int) -> RecordColumns:
    """Return the table's record columns for these samples, pointing at the pixels they had."""
    paths: dict[str, int] = {}
    formats: dict[Format, int] = {}
    file, format_index = np.full(count, -1, np.int32), np.zeros(count, np.int32)
    offset, length, checksum = np.full(count, -1), np.full(count, -1), np.zeros(count, np.uint64)
    for shard, rows, places in groups:
        records = shard.records(field)
        missing = missing_places(records, rows)
        if len(missing):
            format_index[places[missing]] = formats.setdefault(ABSENT, len(formats))
        rows, places = np.delete(rows, missing), np.delete(places, missing)
        if records is None or not len(rows):
            continue
        extents = extents_of(records, rows, "")
        file[places] = np.array([paths.setdefault(each, len(paths)) for each in extents.paths])[extents.file]
        offset[places], length[places], checksum[places] = extents.offset, extents.length, records.checksum[rows]
        found, index = records.formats(rows)
        format_index[places] = np.array([formats.setdefault(each, len(formats)) for each in found])[index]
    return RecordColumns(list(paths), file, offset, length, checksum, list(formats), format_index)


def _anew(key: str, update: Update, schema: Schema) -> Anew:
    columns = _columns([update], _groups([update]), schema)
    kept = {name: _stored(key, update, name, schema) for name in schema.field_names if name not in update.images}
    return Anew(key, columns, update.images, {name: each for name, each in kept.items() if each is not None})


def _stored(key: str, update: Update, field: str, schema: Schema) -> FieldRecords | None:
    """Return the record of this sample as it is stored, checked; None where it has none."""
    shard, row = update.shard, np.array([update.row])
    records = shard.records(field)
    if records is None or len(missing_places(records, row)):
        return None
    formats, index = records.formats(row)
    path = shard.store / FOLDER / (shard.entry.pixels or shard.entry.table).name
    place: Place
    if records.is_located:
        place = extents_of(records, row, f"{shard.store}/")
    else:
        with closing(registry.engine(shard.entry.engine).open(path, shard_schema(schema, shard.entry.formats))) as reader:
            place = [bytes(each) for each in reader.read(field, [update.row])]
    seed = codec.seeds(field, pa.array([key], pa.string()))
    stored = Records(place, formats, index, lambda _: (update.row, key, str(path)), records.checksum[row], seed)
    return FieldRecords(joined(codec.fetch(stored)), formats, index)
