"""Changed samples: new columns over the pixels that are there, or a new sample where an image changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from pixstore import codec
from pixstore.builder import table_only
from pixstore.columns import column_array
from pixstore.incoming import Incoming
from pixstore.manifest import ShardEntry
from pixstore.rows import Extents, Records
from pixstore.schema import KEY, Format, Schema
from pixstore.shard import RecordColumns, Shard, extents_of


@dataclass(frozen=True)
class Update:
    """The sample at `row` of a shard's files, with changed columns and images."""

    shard: Shard
    row: int
    columns: Mapping[str, Any]
    images: Mapping[str, Incoming]

    def changed(self, columns: Mapping[str, Any], images: Mapping[str, Incoming]) -> Update:
        return Update(self.shard, self.row, {**self.columns, **columns}, {**self.images, **images})

    def all_columns(self, schema: Schema) -> dict[str, Any]:
        whole = self.shard.whole
        before = {name: whole[name][self.row].as_py() for name in schema.columns.names if name in whole.column_names}
        return {**{name: before.get(name) for name in schema.columns.names}, **self.columns}

    @property
    def needs_new_pixels(self) -> bool:
        located = [self.shard.records(name) for name in self.shard.schema.field_names]
        return bool(self.images) or any(each is not None and not each.is_located for each in located)


def write_updates(
    store: Path, schema: Schema, updates: Mapping[str, Update], *, durable: bool
) -> tuple[list[ShardEntry], list[tuple[str, dict[str, Incoming], dict[str, Any]]]]:
    """Write the updates of columns alone as one shard without pixels; return it, and the samples that must be added anew."""
    plain = {key: update for key, update in updates.items() if not update.needs_new_pixels}
    anew = [
        (key, _all_images(key, update, schema), update.all_columns(schema)) for key, update in updates.items() if update.needs_new_pixels
    ]
    if not plain:
        return [], anew
    rows = [update.all_columns(schema) for update in plain.values()]
    columns = {KEY: pa.array(list(plain), pa.string())}
    for name in schema.columns.names:
        columns[name] = column_array(name, [row[name] for row in rows], schema)
    fields = {name: _record_columns(name, list(plain.values())) for name in schema.field_names}
    return [table_only(store, columns, fields, durable=durable)], anew


def _record_columns(field: str, updates: list[Update]) -> RecordColumns:
    """Return the table's record columns for these samples, pointing at the pixels they had."""
    paths: list[str] = []
    file, offset, length, checksum, format_index = [], [], [], [], []
    formats: dict[Format, int] = {}
    for update in updates:
        records, row = update.shard.records(field), np.array([update.row])
        if records is None or (records.present is not None and not records.present[update.row]):
            extents, found, digest = Extents([], np.zeros(1, np.uint32), np.full(1, -1), np.full(1, -1)), Format(None, None, None), 0
            file.append(-1)
        else:
            extents, digest = extents_of(records, row, ""), int(records.checksum[update.row])
            found = records.formats(row)[0][0]
            file.append(len(paths) + int(extents.file[0]))
        paths.extend(extents.paths)
        offset.append(int(extents.offset[0]))
        length.append(int(extents.length[0]))
        checksum.append(digest)
        format_index.append(formats.setdefault(found, len(formats)))
    distinct = {path: place for place, path in enumerate(dict.fromkeys(paths))}
    places = np.array([-1 if each < 0 else distinct[paths[each]] for each in file], np.int32)
    return RecordColumns(
        list(distinct),
        places,
        np.array(offset, np.int64),
        np.array(length, np.int64),
        np.array(checksum, np.uint64),
        list(formats),
        np.array(format_index, np.int32),
    )


def _all_images(key: str, update: Update, schema: Schema) -> dict[str, Incoming]:
    return {name: update.images[name] if name in update.images else _image_before(key, update, name) for name in schema.field_names}


def _image_before(key: str, update: Update, field: str) -> Incoming:
    records, row = update.shard.records(field), np.array([update.row])
    if records is None or (records.present is not None and not records.present[update.row]):
        return None
    formats, index = records.formats(row)
    seed = codec.seeds(field, pa.array([key], pa.string()))
    place = extents_of(records, row, f"{update.shard.store}/")
    stored = Records(place, formats, index, lambda _: (update.row, key, place.paths[0]), records.checksum[row], seed)
    if formats[0].codec == "raw":
        return np.asarray(codec.decode(stored)[0])
    return codec.fetch(stored)[0]
