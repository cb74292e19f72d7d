"""Caffe's LevelDB: each value is a Datum (`caffe_datum`), the keys are text, the label is a column.

LevelDB compresses blocks that shrink by an eighth or more. Where no block did, pixels are read in place; otherwise blocks are unpacked.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pixstore.errors import KeyInvalidError, NotAStoreError
from pixstore.rows import Extents, Indices, Records
from pixstore.schema import KEY, Schema
from pixstore.source import SourceOptions, SourceReport
from pixstore.sources.caffe_datum import DatumReader, labels_of, without_tags
from pixstore.sources.leveldb.database import FILE, PLAIN, LevelEntries, read_level, values
from pixstore.sources.leveldb.manifest import is_leveldb
from pixstore.sources.lmdb.environment import text_of, uniform
from pixstore.sources.located import LocatedSource
from pixstore.sources.stated_sizes import formats_of, lies

LABEL = "label"
READ_AT_ONCE = 256


@dataclass(frozen=True)
class _Pixels:
    """Where the pixels of each row lie: the value, and from where within it, how many bytes; `spaced` as in a Datum."""

    entries: LevelEntries
    begin: NDArray[np.int64]
    length: NDArray[np.int64]
    spaced: bool

    @property
    def is_plain(self) -> bool:
        return not self.spaced and bool(np.all(self.entries.places[:, PLAIN] >= 0))

    def extents(self) -> Extents:
        """Return where the pixels lie in the files; meaningless unless `is_plain`."""
        places = self.entries.places
        return Extents(
            [str(file) for file in self.entries.files], places[:, FILE].astype(np.uint32), places[:, PLAIN] + self.begin, self.length
        )

    def read(self, rows: Indices) -> list[bytes]:
        """Return the pixels of these rows, in the order asked."""
        found = [b""] * len(rows)
        for value in values(self.entries, rows):
            begin = value.begin + int(self.begin[rows[value.position]])
            run = value.content[begin : begin + int(self.length[rows[value.position]])]
            found[value.position] = without_tags(run) if self.spaced else run
        return found


class CaffeLevelDb(LocatedSource):
    """A LevelDB database of Datum messages."""

    name: ClassVar[str] = "LevelDB of Datum messages (Caffe)"
    takes: ClassVar[frozenset[str]] = frozenset({"channel_order"})
    _pixels: _Pixels

    @classmethod
    def recognises(cls, path: Path) -> bool:
        return is_leveldb(path)

    @classmethod
    def open(cls, path: Path, options: SourceOptions) -> CaffeLevelDb:
        """Read every message's label and the place of its pixels. Raises a PixstoreError naming the file or key that is wrong."""
        entries = read_level(path)
        keys = [text_of(key) for key in entries.keys]
        if not keys:
            raise NotAStoreError(f"{path}: a LevelDB database without entries")
        if len(set(keys)) < len(keys):
            raise KeyInvalidError(f"{path}: keys that are no UTF-8 are the same text when escaped; rename them")
        reader = DatumReader(options.channel_order or "bgr")
        pixels = _read_all(path, entries, keys, reader)
        found = labels_of(reader, keys, str(path))
        table = pa.table({KEY: pa.array(keys, pa.string()), **({} if found is None else {LABEL: found.values})})
        report = SourceReport(notes=entries.notes)
        if any(each is not None for each in reader.stated):
            _tell_lies(pixels, keys, reader, report)
        formats, image = uniform(reader.formats)
        schema = Schema((image,), pa.schema([column for column in table.schema if column.name != KEY]))
        source = cls(schema, table, report, place=pixels.extents(), formats=formats, origin=str(path), states=entries.states)
        source._pixels = pixels
        return source

    def locate(self, field: str, rows: Indices) -> Records | None:
        located = super().locate(field, rows)
        return located if self._pixels.is_plain else None

    def read(self, field: str, rows: Indices) -> Records:
        located = super().locate(field, rows)
        assert located is not None
        return Records([*self._pixels.read(np.asarray(rows, np.int64))], located.formats, located.format, located.name)


def _read_all(path: Path, entries: LevelEntries, keys: list[str], reader: DatumReader) -> _Pixels:
    """Take all messages, as they lie; what the reader gathered is put in the order of the keys."""
    taken = []
    starts = []
    for value in values(entries, np.arange(len(keys))):
        reader.read(value.content, value.begin, value.end, origin=f"{path}, key {keys[value.position]!r}")
        taken.append(value.position)
        starts.append(value.begin)
    order = np.argsort(taken)
    reader.formats = [reader.formats[place] for place in order.tolist()]
    reader.labels = [reader.labels[place] for place in order.tolist()]
    reader.stated = [reader.stated[place] for place in order.tolist()]
    begin = np.array(reader.begin, np.int64) - np.array(starts, np.int64)
    return _Pixels(entries, begin[order], np.array(reader.length, np.int64)[order], reader.spaced)


def _tell_lies(pixels: _Pixels, keys: list[str], reader: DatumReader, report: SourceReport) -> None:
    """Report sizes stated beside encoded images that are not theirs, some images at a time."""
    stated = [row for row, size in enumerate(reader.stated) if size is not None]
    for start in range(0, len(stated), READ_AT_ONCE):
        rows = stated[start : start + READ_AT_ONCE]
        for row, own in zip(rows, formats_of([*pixels.read(np.array(rows, np.int64))]), strict=True):
            reader.formats[row] = own
    report.notes += lies("Datum", keys, reader.stated, reader.formats)


SOURCE = CaffeLevelDb
