"""Rows of a version written into shards of their own, byte for byte, and the proof that they are the same there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from pixstore import codec, registry
from pixstore.builder import ShardBuilder
from pixstore.engine import FieldRecords
from pixstore.errors import CorruptStoreError
from pixstore.incoming import absent, joined, merged
from pixstore.manifest import ShardEntry
from pixstore.record_table import FOLDER, RecordTable, extents_of, missing_places
from pixstore.rows import Indices, Place, Records
from pixstore.schema import KEY
from pixstore.shard import Shard
from pixstore.store import StoreRows, shard_schema
from pixstore.upkeep.plan import Part, Piece

BATCH_BYTES = 32 << 20
BATCH_ROWS = 8192

Progress = Callable[[int, int], None]
"""Called with the rows and the bytes of their records that were copied or proved since the last call."""


@dataclass(frozen=True)
class Copier:
    """Copies ranges of `rows`, a version of a store, into new shards of the same store."""

    rows: StoreRows
    durable: bool
    shard_bytes: int
    threads: int | None
    progress: Progress

    def copy(self, part: Part, start: int, stop: int) -> ShardEntry:
        """Write rows start … stop - 1 as one shard, prove it, and return its entry, which no manifest names yet.

        Raises what reading, writing or the proof raise; nothing of the shard is left then.
        """
        schema = self.rows.schema
        most = max(self.shard_bytes, 1)
        builder = ShardBuilder(self.rows.path, registry.engine(part.engine), schema, part.formats, durable=self.durable, max_bytes=most)
        try:
            for first, last, size in batches(part.pieces, start, stop):
                self._append(builder, np.arange(first, last))
                self.progress(last - first, size)
            return builder.seal()
        except BaseException:
            builder.abort()
            raise

    def _append(self, builder: ShardBuilder, rows: Indices) -> None:
        table = self.rows.table.slice(int(rows[0]), len(rows)).combine_chunks()
        columns = {name: _one_array(table[name]) for name in self.rows.schema.columns.names}
        fields = {name: self._stored(name, rows) for name in self.rows.schema.field_names}
        builder.append(_one_array(table[KEY]), columns, fields)

    def _stored(self, name: str, rows: Indices) -> FieldRecords:
        """Return the stored bytes of these rows' records, checked against their checksums."""
        missing = self.rows.absent(name, rows)
        present = np.delete(np.arange(len(rows)), missing)
        if not len(present):
            return absent(len(rows))
        found = located(self.rows, name, rows[present])
        stored = FieldRecords(joined(codec.fetch(found, threads=self.threads, io="pread")), found.formats, found.format)
        return stored if not len(missing) else merged([(present.tolist(), stored)], len(rows))

    def prove(self, entry: ShardEntry, part: Part, start: int) -> None:
        """Compare a new shard with the rows from `start` on: keys, columns, formats, checksums, and every byte read back.

        Raises CorruptStoreError, RecordError.
        """
        shard = Shard(self.rows.path, entry, self.rows.schema)
        if len(shard.keys.hashes) != entry.rows:
            raise _differs(entry, "key index")
        for first, last, size in batches(part.pieces, start, start + entry.rows):
            rows, local = np.arange(first, last), np.arange(first - start, last - start)
            before, after = self.rows.table.slice(first, len(rows)), shard.table.slice(first - start, len(rows))
            # NaN is not equal to itself, but reads the same.
            if not before.equals(after) and repr(before.to_pylist()) != repr(after.to_pylist()):
                raise _differs(entry, "keys or columns")
            for name in self.rows.schema.field_names:
                self._prove_field(shard, name, rows, local)
            self.progress(last - first, size)

    def _prove_field(self, shard: Shard, name: str, rows: Indices, local: Indices) -> None:
        records = shard.records(name)
        missing = self.rows.absent(name, rows)
        if not np.array_equal(missing, missing_places(records, local)):
            raise _differs(shard.entry, f"field {name!r}")
        rows, local = np.delete(rows, missing), np.delete(local, missing)
        if records is None or not len(rows):
            return
        before = located(self.rows, name, rows)
        formats, index = records.formats(local)
        same = [before.formats[number] for number in before.format.tolist()] == [formats[number] for number in index.tolist()]
        assert before.checksum is not None, "stores have checksums"
        if not same or not np.array_equal(before.checksum, records.checksum[local]):
            raise _differs(shard.entry, f"field {name!r}")
        place = self._place(shard, name, records, local)
        codec.fetch(Records(place, formats, index, before.name, before.checksum, before.seed), threads=self.threads, io="pread")

    def _place(self, shard: Shard, name: str, records: RecordTable, local: Indices) -> Place:
        if records.is_located:
            return extents_of(records, local, f"{shard.store}/")
        assert shard.entry.pixels is not None, "a new shard has pixels of its own"
        schema = shard_schema(shard.schema, shard.entry.formats)
        with closing(registry.engine(shard.entry.engine).open(shard.store / FOLDER / shard.entry.pixels.name, schema)) as reader:
            return [bytes(each) for each in reader.read(name, local.tolist())]


def located(rows: StoreRows, name: str, chosen: Indices) -> Records:
    """Return the records of these rows: where they lie, or their bytes where only the engine's library finds them."""
    return rows.locate(name, chosen) or rows.read(name, chosen)


def batches(pieces: Sequence[Piece], start: int, stop: int) -> Iterator[tuple[int, int, int]]:
    """Yield (first row, row after the last, bytes) of batches that hold about BATCH_BYTES, one row where it alone has more."""
    sizes = np.concatenate([each.sizes for each in pieces])[start - pieces[0].first : stop - pieces[0].first]
    ends = np.cumsum(sizes)
    place = 0
    while place < len(ends):
        spent = int(ends[place - 1]) if place else 0
        fit = int(np.searchsorted(ends, spent + BATCH_BYTES, "right"))
        after = min(max(fit, place + 1), place + BATCH_ROWS, len(ends))
        yield start + place, start + after, int(ends[after - 1]) - spent
        place = after


def _one_array(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else pa.concat_arrays(column.chunks)


def _differs(entry: ShardEntry, what: str) -> CorruptStoreError:
    return CorruptStoreError(
        f"shard {entry.id}: {what} of the copy differ from what was copied; nothing was changed, run `pixstore verify`"
    )
