"""Caffe's LMDB: each value is a Datum (`caffe_datum`), the keys are text, the label is a column.

Pixels lie as they are within the message and are read in place; floats with a byte of tag before each are gathered when they are read.
"""

from __future__ import annotations

from typing import ClassVar, cast

import numpy as np

from pixstore.errors import PixstoreError
from pixstore.rows import Buffer, Indices, Records
from pixstore.schema import Format
from pixstore.source import SourceOptions
from pixstore.sources.caffe_datum import DatumReader, labels_of, read_datum, without_tags
from pixstore.sources.lmdb.environment import Database, Found, LmdbSource, extents, uniform
from pixstore.sources.located import read_place
from pixstore.sources.stated_sizes import formats_of, lies

LABEL = "label"
LOOKED_AT = 8


class CaffeLmdb(LmdbSource):
    """An LMDB of Datum messages."""

    name: ClassVar[str] = "LMDB of Datum messages (Caffe)"
    takes: ClassVar[frozenset[str]] = frozenset({"inner", "channel_order"})

    @classmethod
    def fits(cls, sample: Database) -> bool:
        # One bad value among the first is told when the whole is opened.
        return any(_is_datum(sample, row) for row in range(min(len(sample), LOOKED_AT)))

    @classmethod
    def rows(cls, database: Database, options: SourceOptions) -> Found:
        reader = DatumReader(options.channel_order or "bgr")
        entries = database.entries
        for row, (offset, length) in enumerate(zip(entries.offset.tolist(), entries.length.tolist(), strict=True)):
            reader.read(database.data, offset, offset + length, origin=database.origin(row))
        found = Found(database.keys(), np.array(reader.begin, np.int64), np.array(reader.length, np.int64))
        if any(each is not None for each in reader.stated):
            # What DIGITS writes beside an encoded image may be wrong, and Caffe never looks at it.
            reader.formats = _told(found, database, reader)
        found.formats, found.image = uniform(reader.formats)
        found.add_labels(LABEL, labels_of(reader, found.keys, str(database.file)))
        found.source = CaffeFloatLmdb if reader.spaced else None
        return found


class CaffeFloatLmdb(CaffeLmdb):
    """An LMDB of Datum messages whose floats stand apart: no record is a plain run of bytes."""

    def locate(self, field: str, rows: Indices) -> Records | None:
        super().locate(field, rows)
        return None

    def read(self, field: str, rows: Indices) -> Records:
        located = super().locate(field, rows)
        assert located is not None
        spaced = cast(list[Buffer], read_place(located))
        return Records([without_tags(each) for each in spaced], located.formats, located.format, located.name)


def _told(found: Found, database: Database, reader: DatumReader) -> list[Format]:
    """Return the formats with those of encoded images as they say themselves, and report sizes that are stated otherwise."""
    described = formats_of(extents(database.file, found.offset, found.length))
    formats = [form if form.is_known else own for form, own in zip(reader.formats, described, strict=True)]
    found.report.notes += lies("Datum", found.keys, reader.stated, formats)
    return formats


def _is_datum(sample: Database, row: int) -> bool:
    begin = int(sample.entries.offset[row])
    try:
        found = read_datum(sample.data, begin, begin + int(sample.entries.length[row]), origin="")
    except PixstoreError:
        return False
    # Two bytes may be a message with empty data: there must be pixels, or sizes.
    return found.end > found.begin or any(found.shape)


SOURCE = CaffeLmdb
