"""A tar archive that WebDataset reads: one member per record, `<key>.png`, `<key>.<field>.png` for fields other than `image`.

The key is escaped so that it holds no dot: `urllib.parse.unquote` gives it back. Raw arrays are .npy. Behind the samples comes one member
more, `__rows__`, which WebDataset leaves out: it says where the records of each row are.

    places       for each row and field the byte at which the member begins and that of its record, `<i8`, -1 without a record
    empty bytes  so that the member ends with a block
    directory    JSON: {"tar": 1, "rows": n, "fields": [name, …]}
    tail         bytes of the directory as u64, bytes from the archive's begin to the places as u64, then b"PIXTROWS"
"""

from __future__ import annotations

import json
import mmap
import os
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pixstore.engine import Engine, FieldRecords, PlannedBytes, PlannedShard, RecordBatch, ShardReader, ShardWriter
from pixstore.engines.file_names import npy_header, suffix_of
from pixstore.engines.reading import missing_records, refusals, require
from pixstore.engines.tar_members import BLOCK_BYTES, END_BYTES, ending_of, header, padding, sample_of
from pixstore.engines.tar_size import archive_bytes
from pixstore.engines.writing import GuardedWriter, claim, extents_in, prove, views, write_all
from pixstore.errors import CorruptStoreError
from pixstore.rows import Buffer, Extents, Indices
from pixstore.schema import Schema

ROWS = "__rows__"
MAGIC = b"PIXTROWS"
TAIL_BYTES = 24
EMPTY = bytes(BLOCK_BYTES)


class TarWriter(GuardedWriter):
    def __init__(self, path: Path, schema: Schema, *, durable: bool) -> None:
        super().__init__(path, schema, durable=durable)
        self._samples: set[int] = set()
        self._parts: list[NDArray[np.int64]] = []
        self._lengths: list[Indices] = []
        self._end = 0
        self._rows = 0
        self._descriptor = claim(path)

    def _append(self, records: RecordBatch) -> None:
        names = self.schema.field_names
        samples = [self._sample(row, key) for row, key in enumerate(records.keys, self._rows)]
        fields = [list(_members(name, records.fields[name])) for name in names]
        places = np.full((len(records), len(names), 2), -1, np.int64)
        pieces: list[memoryview] = []
        for row, sample in enumerate(samples):
            for column, members in enumerate(fields):
                ending, begin, view = members[row]
                if view is not None:
                    places[row, column] = self._member(f"{sample}{ending}", begin, view, pieces)
        write_all(self._descriptor, pieces)
        self._parts.append(places)
        self._lengths.append(np.stack([np.array(records.fields[name].slices.length, np.int64) for name in names], axis=1))
        self._rows += len(records)

    def _sample(self, row: int, key: str) -> str:
        # The same key again, added, deleted and added before a commit, is a sample of its own. A hash that meets another only marks it.
        hashed = hash(key)
        mark = f"~{row}" if hashed in self._samples else ""
        self._samples.add(hashed)
        return sample_of(key, mark)

    def _member(self, name: str, begin: bytes, view: memoryview, pieces: list[memoryview]) -> tuple[int, int]:
        """Add a member's pieces to those to be written; return where it and its record begin."""
        size = len(begin) + len(view)
        head = header(name, size) + begin
        pieces += [memoryview(head), view, memoryview(EMPTY)[: padding(size)]]
        start = self._end
        self._end += sum(map(len, pieces[-3:]))
        return start, start + len(head)

    def _seal(self) -> Mapping[str, Extents]:
        names = self.schema.field_names
        places = np.concatenate([np.zeros((0, len(names), 2), np.int64), *self._parts])
        lengths = np.concatenate([np.zeros((0, len(names)), np.int64), *self._lengths])
        write_all(self._descriptor, [memoryview(ending(names, places, self._end))])
        extents = {name: extents_in(self.path, places[:, column, 1], lengths[:, column]) for column, name in enumerate(names)}
        reader = TarReader(self.path)
        try:
            prove(self.path, extents, reader)
        finally:
            reader.close()
        return extents


def _members(field: str, records: FieldRecords) -> Iterator[tuple[str, bytes, memoryview | None]]:
    """Yield for each row the ending of its member's name, what stands before the record in it, and the record."""
    kinds = [(ending_of(field, suffix_of(form)), npy_header(form)) for form in records.formats]
    for view, form in zip(views(records.slices), records.format.tolist(), strict=True):
        yield *kinds[form], view


def ending(names: Sequence[str], places: NDArray[np.int64], begin: int) -> bytes:
    """Return what follows the samples: the member of places, which begins at this byte, and the end of the archive."""
    directory = json.dumps({"tar": 1, "rows": len(places), "fields": names}).encode()
    data = places.astype("<i8").tobytes()
    filled = bytes(padding(len(data) + len(directory) + TAIL_BYTES))
    head = header(ROWS, len(data) + len(filled) + len(directory) + TAIL_BYTES)
    tail = [len(directory).to_bytes(8, "little"), (begin + len(head)).to_bytes(8, "little"), MAGIC]
    return b"".join([head, data, filled, directory, *tail, bytes(END_BYTES)])


class TarReader(ShardReader):
    """Finds members by their places, and lets Python's tarfile say what they are."""

    def __init__(self, path: Path) -> None:
        self._path = path
        require(path.is_file(), path)
        with refusals(path), open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size < END_BYTES + TAIL_BYTES:
                raise CorruptStoreError(f"{path}: not a whole tar shard (shorter than its end); restore it from a copy")
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        try:
            self._fields, self._places = self._index(size - END_BYTES - TAIL_BYTES)
            self._archive: Any = tarfile.TarFile(fileobj=self._map, format=tarfile.PAX_FORMAT)
        except (ValueError, KeyError, TypeError, RecursionError, tarfile.TarError) as error:
            raise CorruptStoreError(f"{path}: not a whole tar shard ({error}); restore it from a copy") from error

    def _index(self, end: int) -> tuple[list[str], NDArray[np.int64]]:
        tail = self._map[end : end + TAIL_BYTES]
        begin, start = end - int.from_bytes(tail[:8], "little"), int.from_bytes(tail[8:16], "little")
        if tail[16:] != MAGIC or not 0 <= start <= begin <= end:
            raise ValueError("no places where they should be")
        directory = json.loads(self._map[begin:end])
        fields, rows = directory["fields"], directory["rows"]
        count = rows * len(fields) * 2
        if not 0 <= count <= (begin - start) // 8:
            raise ValueError("more rows than bytes")
        places = np.frombuffer(self._map[start : start + 8 * count], "<i8").reshape(rows, len(fields), 2)
        return fields, places.astype(np.int64)

    def read(self, field: str, rows: Sequence[int]) -> list[Buffer]:
        places = self._places[np.asarray(rows, np.int64), self._fields.index(field)]
        if (places[:, 0] < 0).any():
            raise missing_records(self._path, field, np.asarray(rows)[places[:, 0] < 0].tolist())
        with refusals(self._path):
            return [self._record(start, begin) for start, begin in places.tolist()]

    def _record(self, start: int, begin: int) -> Buffer:
        self._map.seek(start)
        try:
            member = tarfile.TarInfo.fromtarfile(self._archive)
        except tarfile.TarError as error:
            raise CorruptStoreError(f"{self._path}: no member at byte {start:,} ({error}); restore it from a copy") from error
        end = member.offset_data + member.size
        if not member.isreg() or not member.offset_data <= begin <= end <= len(self._map):
            raise CorruptStoreError(f"{self._path}: the member at byte {start:,} does not hold byte {begin:,}; restore it from a copy")
        return self._map[begin:end]

    def close(self) -> None:
        self._map.close()


class TarEngine(Engine):
    name = "tar"
    extension = ".tar"

    def create(self, path: Path, schema: Schema, *, durable: bool, max_bytes: int) -> ShardWriter:
        return TarWriter(path, schema, durable=durable)

    def open(self, path: Path, schema: Schema) -> ShardReader:
        return TarReader(path)

    def predicted_bytes(self, shard: PlannedShard) -> PlannedBytes:
        return PlannedBytes.in_one_file(archive_bytes(shard), shard)


ENGINE = TarEngine()
