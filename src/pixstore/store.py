"""The rows of one version of a store."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa

from pixstore import codec, registry
from pixstore.engine import ShardReader
from pixstore.errors import BadRow, CorruptRecordError, CorruptStoreError, MissingRecordError, PathNotFoundError, RecordError
from pixstore.manifest import Manifest, load
from pixstore.readers import Readers
from pixstore.record_table import FOLDER, RecordTable, extents_of, impossible_places, missing_places
from pixstore.rows import Buffer, Extents, Indices, Records
from pixstore.schema import KEY, Format, Schema
from pixstore.shards import open_keys, open_shards
from pixstore.uniform import ASKED_TO_ALL, Stretch, UniformRecords, take_keys, uniform_records

FEW_ROWS = 1 << 16
"""So many are copied in less than a millisecond."""
FEW_SHARDS = 16
"""So many tables are looked at in less than a millisecond."""

REFUSALS = (RecordError, CorruptStoreError, PathNotFoundError)
"""What an engine's library says of a file that is damaged or gone."""


class StoreRows:
    """One version of a store as `Rows`: shard after shard, deleted rows left out."""

    def __init__(self, path: Path, version: int | Manifest | None = None) -> None:
        """`version` is a number, or a manifest, which need not be committed yet."""
        self.path = path
        self.manifest: Manifest = version if isinstance(version, Manifest) else load(path, version)
        self.shards = open_shards(path, self.manifest.shards, self.manifest.schema)
        self._starts = np.cumsum([0, *(len(shard) for shard in self.shards)])
        self._root = f"{path}{os.sep}"
        self._readers = Readers(self._reader)
        self._everywhere: dict[str, bool] = {}
        self._uniforms: dict[str, UniformRecords | None] = {}
        self._asked: dict[str, int] = {}

    def __len__(self) -> int:
        return int(self._starts[-1])

    @property
    def schema(self) -> Schema:
        return self.manifest.schema

    @property
    def pixel_bytes(self) -> int:
        """Bytes of the files that hold several records each; images in files of their own do not count."""
        return sum(each.pixels.bytes or 0 for each in self.manifest.shards if each.pixels is not None)

    @cached_property
    def table(self) -> pa.Table:
        if not self.shards:
            return pa.schema([(KEY, pa.string()), *self.schema.columns]).empty_table()
        return pa.concat_tables([shard.table for shard in self.shards])

    def locate(self, field: str, rows: Indices) -> Records | None:
        """Return the records of these rows; None where an engine keeps no plain bytes.

        Raises MissingRecordError naming the rows that have no record in this field.
        """
        uniform = self._uniform(field, len(rows))
        if uniform is not None:
            self._require_possible(field, rows, uniform.impossible(rows))
            return uniform.locate(rows, lambda number: self._name(field, int(rows[number])))
        parts = list(self._parts(field, rows))
        if any(records is not None and not records.is_located for _, records, _, _ in parts):
            return None
        self._require_present(field, rows, parts)
        located = [extents_of(records, local, self._root) for _, records, local, _ in parts if records is not None]
        return self._records(field, rows, parts, _joined(located, [places for *_, places in parts], len(rows)))

    def read(self, field: str, rows: Indices) -> Records:
        """Return the records of these rows as buffers, read through each engine's own library."""
        parts = list(self._parts(field, rows))
        self._require_present(field, rows, parts)
        buffers: list[Buffer] = [b""] * len(rows)
        for shard, records, local, places in parts:
            for place, buffer in zip(places.tolist(), self._buffers(shard, field, records, local, rows[places]), strict=True):
                buffers[place] = buffer
        return self._records(field, rows, parts, buffers)

    def absent(self, field: str, rows: Indices) -> Indices:
        """Return the places in `rows` that were written without this field."""
        if self._is_everywhere(field):
            return np.empty(0, np.int64)
        missing = [places[missing_places(records, local)] for _, records, local, places in self._parts(field, rows)]
        return np.sort(np.concatenate(missing)) if missing else np.empty(0, np.int64)

    def find(self, keys: Sequence[str]) -> Indices:
        """Return the row of each key, -1 where there is none. Raises MissingRecordError where a key index is gone that nobody read yet."""
        # What cannot be written as UTF-8 is no key; its stand-in is compared with what was asked for, and differs.
        hashes = codec.hash_keys(pa.array([each.encode(errors="replace") for each in keys], pa.binary()).cast(pa.string()))
        found = np.full(len(keys), -1, np.int64)
        try:
            open_keys(self.shards)
            for start, shard in zip(self._starts.tolist(), self.shards, strict=False):
                here = shard.find(hashes, keys)
                found = np.where((found < 0) & (here >= 0), start + here, found)
        except CorruptStoreError as error:
            if isinstance(error.__cause__, FileNotFoundError):
                raise MissingRecordError(str(error)) from error
            raise
        return found

    def close(self) -> None:
        self._readers.close()
        codec.release(str(self.path))

    def _is_everywhere(self, field: str) -> bool:
        """Return whether every sample has this field."""
        if field not in self._everywhere:
            name = self.schema.field(field).name
            # A shard's one format of a field is that of its every record: no look at the table is needed then.
            self._everywhere[field] = all(name in shard.entry.formats or _is_full(shard.records(name)) for shard in self.shards)
        return self._everywhere[field]

    def _parts(self, field: str, rows: Indices) -> Iterator[tuple[int, RecordTable | None, Indices, Indices]]:
        """Yield (shard number, its records, rows in its files, places in `rows`) for each shard that these rows touch."""
        self.schema.field(field)
        if len(self.shards) == 1:
            yield 0, self.shards[0].records(field), self.shards[0].local(rows), np.arange(len(rows))
            return
        owners = np.searchsorted(self._starts, rows, "right") - 1
        order = np.argsort(owners, kind="stable")
        stops = np.cumsum(np.bincount(owners, minlength=len(self.shards))).tolist()
        for number, (start, stop) in enumerate(itertools.pairwise([0, *stops])):
            if start == stop:
                continue
            shard, places = self.shards[number], order[start:stop]
            yield number, shard.records(field), shard.local(rows[places] - self._starts[number]), places

    def _uniform(self, field: str, asked: int) -> UniformRecords | None:
        """Return all records of the field as arrays, where each shard has one format of it and enough rows were asked for."""
        if field not in self._uniforms:
            self._asked[field] = self._asked.get(field, 0) + asked
            # Arrays of several shards are copies, and each shard's table is looked at for them.
            most = max(len(self) - FEW_ROWS, len(self.shards) - FEW_SHARDS)
            if len(self.shards) > 1 and self._asked[field] * ASKED_TO_ALL < most:
                return None
            name = self.schema.field(field).name
            shards = [(shard, shard.records(name), shard.entry.formats.get(name)) for shard in self.shards]
            stretches = [
                Stretch(records, known, shard.whole[KEY], shard.rows)
                for shard, records, known in shards
                if records is not None and known is not None
            ]
            self._uniforms[field] = uniform_records(name, stretches, self._root) if len(stretches) == len(shards) else None
        return self._uniforms[field]

    def _records(
        self,
        field: str,
        rows: Indices,
        parts: list[tuple[int, RecordTable | None, Indices, Indices]],
        place: Extents | list[Buffer],
    ) -> Records:
        formats: dict[Format, int] = {}
        format_index = np.zeros(len(rows), np.int32)
        checksum, seed = np.empty(len(rows), np.uint64), np.empty(len(rows), np.uint64)
        impossible: list[int] = []
        for number, records, local, places in parts:
            assert records is not None, "rows without a record were refused before"
            shard = self.shards[number]
            uniform = shard.entry.formats.get(field)
            found, index = ([uniform], None) if uniform is not None else records.formats(local)
            known = np.array([formats.setdefault(each, len(formats)) for each in found], np.int32)
            format_index[places] = known[0] if index is None else known[index]
            checksum[places] = records.checksum[local]
            seed[places] = codec.seeds(field, take_keys(shard.whole[KEY], local))
            impossible.extend(places[impossible_places(found, index, records.length[local])].tolist())
        self._require_possible(field, rows, impossible)
        return Records(place, list(formats), format_index, lambda number: self._name(field, int(rows[number])), checksum, seed)

    def _require_possible(self, field: str, rows: Indices, impossible: Sequence[int] | Indices) -> None:
        if len(impossible):
            reason = "is too short for the shape that its table states"
            bad = [BadRow(*self._name(field, int(rows[each])), reason) for each in sorted(impossible)]
            raise CorruptRecordError(f"{len(bad)} of {len(rows)} images cannot be read", bad)

    def _name(self, field: str, row: int) -> tuple[int, str, str]:
        """Return row, key, and the file and byte where this field's record begins."""
        number = int(np.searchsorted(self._starts, row, "right")) - 1
        shard = self.shards[number]
        local = int(shard.local(np.array([row - self._starts[number]]))[0])
        return row, shard.whole[KEY][local].as_py(), shard.place_of(field, local)

    def _require_present(self, field: str, rows: Indices, parts: list[tuple[int, RecordTable | None, Indices, Indices]]) -> None:
        if self._is_everywhere(field):
            return
        missing = [int(places[gap]) for _, records, local, places in parts for gap in missing_places(records, local)]
        if missing:
            bad = [BadRow(*self._name(field, int(rows[place])), f"has no {field!r}") for place in sorted(missing)]
            raise MissingRecordError("", bad)

    def _buffers(self, number: int, field: str, records: RecordTable | None, local: Indices, rows: Indices) -> Sequence[Buffer]:
        """Return the records of rows `local` of a shard's files, which are `rows` of the store."""
        if self.shards[number].entry.pixels is None:
            # Its table points into other shards' pixels, which only its extents find.
            assert records is not None, "rows without a record were refused before"
            place = extents_of(records, local, self._root)
            return codec.fetch(Records(place, [], np.zeros(len(local), np.int32), lambda each: self._name(field, int(rows[each]))))
        try:
            return self._readers.read(number, field, local.tolist())
        except REFUSALS as error:
            raise self._unreadable(number, field, local, rows) from error

    def _reader(self, number: int) -> ShardReader:
        entry = self.shards[number].entry
        assert entry.pixels is not None, "a shard without pixels has no reader"
        return registry.engine(entry.engine).open(self.path / FOLDER / entry.pixels.name, shard_schema(self.schema, entry.formats))

    def _unreadable(self, number: int, field: str, local: Indices, rows: Indices) -> RecordError:
        """Return the error that names each of these rows that the engine's library does not give, and where it lies."""
        bad: list[BadRow] = []
        missing = True
        for row, place in zip(rows.tolist(), local.tolist(), strict=True):
            try:
                self._readers.read(number, field, [place])
            except REFUSALS as error:
                said = error.bad_rows[0].reason if isinstance(error, RecordError) and error.bad_rows else str(error)
                bad.append(BadRow(*self._name(field, row), said))
                missing &= isinstance(error, MissingRecordError | PathNotFoundError)
        return (MissingRecordError if missing else CorruptRecordError)(f"{len(bad)} of {len(rows)} images cannot be read", bad)


def _is_full(records: RecordTable | None) -> bool:
    return records is not None and records.present is None


def shard_schema(schema: Schema, formats: Mapping[str, Format]) -> Schema:
    """Return the schema as one shard's engine sees it: shape and dtype only where every record of the shard has them."""
    for each in schema.fields:
        uniform = formats.get(each.name, Format(each.codec, None, None))
        schema = schema.with_field(replace(each, codec=uniform.codec or each.codec, shape=uniform.shape, dtype=uniform.dtype))
    return schema


def _joined(located: list[Extents], places: list[Indices], count: int) -> Extents:
    """Return one Extents in the order asked from one per shard."""
    if len(located) == 1:
        return located[0]
    paths: list[str] = []
    file, offset, length = np.zeros(count, np.uint32), np.zeros(count, np.int64), np.zeros(count, np.int64)
    for extents, where in zip(located, places, strict=True):
        file[where] = extents.file + np.uint32(len(paths))
        offset[where], length[where] = extents.offset, extents.length
        paths.extend(extents.paths)
    return Extents(paths, file, offset, length)
