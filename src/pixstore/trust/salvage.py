"""What of a damaged shard can be proven: rows whose table is sound and whose every record has the bytes that were written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from pixstore import codec, registry
from pixstore.engine import FieldRecords
from pixstore.errors import BadRow, PixstoreError
from pixstore.incoming import absent, joined, merged
from pixstore.record_table import FOLDER, RecordTable, extents_of, missing_places
from pixstore.rows import Buffer, Indices, Place, Records
from pixstore.schema import KEY
from pixstore.shard import Shard
from pixstore.store import shard_schema

BATCH_BYTES = 32 << 20
BATCH_ROWS = 8192


@dataclass(frozen=True)
class Lost:
    """A sample that could not be saved: its key where it is known, else "", its shard, its row in the shard's table, and why."""

    key: str
    shard: str
    row: int
    reason: str


@dataclass(frozen=True)
class Saved:
    """Samples that are proven: keys, columns, stored records; and those of the same batch that are lost."""

    keys: pa.Array
    columns: Mapping[str, pa.Array]
    fields: Mapping[str, FieldRecords]
    lost: Sequence[Lost]


def salvage(shard: Shard) -> Iterator[Saved]:
    """Yield the samples of a shard that are not deleted, a batch at a time."""
    for rows in _batches(shard):
        good = np.ones(len(rows), np.bool_)
        read, lost, root = {}, list[Lost](), f"{shard.store}/"
        for name in shard.schema.field_names:
            read[name] = _read(shard, name, rows)
            good &= read[name].good
            lost += [Lost(bad.key, shard.entry.id, bad.row, f"{bad.place.removeprefix(root)}: {bad.reason}") for bad in read[name].bad_rows]
        kept = np.flatnonzero(good)
        taken = pa.array(rows[kept])
        columns = {each.name: _column(shard, each).take(taken) for each in shard.schema.columns}
        # One of several fields is enough to lose a sample; it is listed once.
        each_once = {each.row: each for each in reversed(lost)}
        fields = {name: each.records(kept) for name, each in read.items()}
        yield Saved(shard.whole[KEY].take(taken), columns, fields, [each_once[row] for row in sorted(each_once)])


def _batches(shard: Shard) -> Iterator[Indices]:
    rows = np.arange(shard.entry.rows) if shard.rows is None else shard.rows
    sizes = np.zeros(len(rows), np.int64)
    for name in shard.schema.field_names:
        records = shard.records(name)
        sizes += 0 if records is None else records.length[rows]
    ends, start = np.cumsum(sizes), 0
    while start < len(rows):
        spent = int(ends[start - 1]) if start else 0
        stop = int(np.clip(np.searchsorted(ends, spent + BATCH_BYTES, "right"), start + 1, start + BATCH_ROWS))
        yield rows[start:stop]
        start = stop


@dataclass(frozen=True)
class _Read:
    """One field of a batch: the stored bytes of the places that have it, which places are good, and why the others are not."""

    buffers: Sequence[Buffer]
    stored: Records | None
    places: Indices
    good: np.ndarray[tuple[int], np.dtype[np.bool_]]
    bad_rows: Sequence[BadRow]

    def records(self, kept: Indices) -> FieldRecords:
        """Return the records of these places of the batch."""
        has = np.isin(kept, self.places)
        if self.stored is None or not has.any():
            return absent(len(kept))
        chosen = np.searchsorted(self.places, kept[has])
        found = FieldRecords(joined([self.buffers[each] for each in chosen.tolist()]), self.stored.formats, self.stored.format[chosen])
        return found if has.all() else merged([(np.flatnonzero(has).tolist(), found)], len(kept))


def _read(shard: Shard, name: str, rows: Indices) -> _Read:
    table = shard.records(name)
    places = np.delete(np.arange(len(rows)), missing_places(table, rows))
    good = np.ones(len(rows), np.bool_)
    if table is None or not len(places):
        return _Read([], None, places, good, [])
    chosen = rows[places]
    formats, index = table.formats(chosen)

    def named(each: int) -> tuple[int, str, str]:
        row = int(chosen[each])
        return row, shard.whole[KEY][row].as_py(), shard.place_of(name, row)

    place, unread = _place(shard, name, table, chosen)
    stored = Records(place, formats, index, named, table.checksum[chosen], shard.seeds(name, chosen))
    buffers, is_good, bad = codec.fetch_masked(stored, io="pread")
    good[places] = is_good
    words = [BadRow(each.row, each.key, each.place, unread.get(each.row, each.reason)) for each in bad]
    return _Read(buffers, stored, places, good, words)


def _place(shard: Shard, name: str, table: RecordTable, rows: Indices) -> tuple[Place, dict[int, str]]:
    """Return where the records lie, or their bytes where only the engine's library finds them: b"" and a reason where it does not."""
    if table.is_located:
        return extents_of(table, rows, f"{shard.store}/"), {}
    assert shard.entry.pixels is not None, "a table that borrows pixels says where they lie"
    found: list[Buffer] = []
    reasons: dict[int, str] = {}
    try:
        schema = shard_schema(shard.schema, shard.entry.formats)
        reader = registry.engine(shard.entry.engine).open(shard.store / FOLDER / shard.entry.pixels.name, schema)
    except PixstoreError as error:
        return [b""] * len(rows), dict.fromkeys(rows.tolist(), str(error))
    with closing(reader):
        for row in rows.tolist():
            try:
                found += reader.read(name, [row])
            except PixstoreError as error:
                found.append(b"")
                reasons[row] = str(error)
    return found, reasons


def _column(shard: Shard, column: pa.Field) -> pa.Array:
    has = column.name in shard.whole.schema.names
    return shard.whole[column.name].cast(column.type) if has else pa.nulls(shard.entry.rows, column.type)
