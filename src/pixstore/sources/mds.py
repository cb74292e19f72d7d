"""MosaicML Streaming data sets (MDS): a folder with index.json and shards, or one such folder per split.

The image is the one column of images; `path::column` chooses one of several. Raw shards are read in place, shards packed with zstd are
unpacked one at a time. Columns of numbers and text are kept; pickled ones are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pixstore.errors import CorruptStoreError, InvalidInputError, ReadFailedError
from pixstore.rows import Extents, Indices, Slices
from pixstore.samples import IMAGE
from pixstore.schema import KEY, Format, Schema
from pixstore.source import Source, SourceOptions, SourceReport
from pixstore.sources.archives.shard_files import SPLIT, Shard, row_keys, split_column
from pixstore.sources.channel_orders import field_of, ordered
from pixstore.sources.foreign_file import FileState, refuse_changed, state_of
from pixstore.sources.grouped import GroupedSource
from pixstore.sources.located import LocatedSource
from pixstore.sources.lookalike import is_image
from pixstore.sources.mosaic.columns import column_of, kept_columns
from pixstore.sources.mosaic.index import INDEX, MdsShard, indexes_of, is_index, shards_in
from pixstore.sources.mosaic.shard import Values, shard_bytes, unpacked, values_in
from pixstore.sources.mosaic.values import IMAGES, UNKNOWN, is_image_encoding, read_head
from pixstore.sources.tables.columns import settled, unique_keys

HEAD_BYTES = 64
LABELS = ("label", "labels", "class", "y")


class MdsImages(LocatedSource):
    """An MDS data set whose shards are not compressed."""

    name: ClassVar[str] = "MosaicML Streaming data set (MDS)"
    takes: ClassVar[frozenset[str]] = frozenset({"inner", "channel_order"})

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """Return whether the path is a folder with the index of an MDS data set, or with folders that have one."""
        try:
            found = indexes_of(path) if path.is_dir() else []
        except ReadFailedError:
            return False
        return bool(found) and all(is_index(folder / INDEX) for folder, _ in found)

    @classmethod
    def open(cls, path: Path, options: SourceOptions) -> Source:
        """Read the index and all columns but the images. Raises a PixstoreError that names the file and what is wrong in it."""
        report = SourceReport()
        shards = [shard for folder, split in indexes_of(path) for shard in shards_in(folder, split)]
        if not sum(shard.samples for shard in shards):
            raise InvalidInputError(f"{path}: holds no samples; get the data again")
        _refuse_other_columns(shards)
        found = _Found(_image_column(shards, options.inner, path, report))
        kept = kept_columns(shards[0], found.column, report)
        for shard in shards:
            found.read(shard, kept)
        found.formats = ordered(found.formats, options.channel_order, str(path))
        schema, table = _described(path, shards, found)
        return _opened(schema, table, report, shards, found)


class PackedMdsImages(GroupedSource):
    """An MDS data set of which some shards are compressed; read by shard."""

    name: ClassVar[str] = "MosaicML Streaming data set (MDS), compressed"
    takes: ClassVar[frozenset[str]] = MdsImages.takes
    shards: Sequence[MdsShard]
    found: _Found

    @classmethod
    def recognises(cls, path: Path) -> bool:
        return MdsImages.recognises(path)

    @classmethod
    def open(cls, path: Path, options: SourceOptions) -> Source:
        return MdsImages.open(path, options)

    def load_group(self, field: str, group: int) -> Slices:
        shard, place = self.shards[group], self.found.places[group]
        if shard.is_compressed:
            return Slices(memoryview(unpacked(shard)), place.offset, place.length)
        with shard_bytes(shard) as data:
            return Slices(data.tobytes(), place.offset, place.length)

    def formats(self, field: str, rows: Indices) -> tuple[Sequence[Format], Indices]:
        formats, number = self.found.distinct_formats
        return formats, number[rows]


@dataclass
class _Found:
    """What reading all shards found: the column of images, where the images lie and their formats, and the other columns."""

    column: str
    places: list[Values] = field(default_factory=list)
    formats: list[Format] = field(default_factory=list)
    columns: dict[str, list[pa.Array]] = field(default_factory=dict)
    states: dict[str, FileState] = field(default_factory=dict)

    def read(self, shard: MdsShard, kept: Sequence[str]) -> None:
        """Take the columns and the places of the images of one more shard."""
        state = state_of(shard.path)
        with shard_bytes(shard) as data:
            values = values_in(shard, data)
            place, formats = _images(shard, self.column, data, values[self.column])
            for name in kept:
                self.columns.setdefault(name, []).append(column_of(shard, name, data, values[name]))
        refuse_changed(shard.path, state)
        self.states[str(shard.path)] = state
        self.places.append(place)
        self.formats += formats

    @property
    def distinct_formats(self) -> tuple[Sequence[Format], Indices]:
        numbers: dict[Format, int] = {}
        number = np.array([numbers.setdefault(each, len(numbers)) for each in self.formats], np.int64)
        return tuple(numbers), number


def _refuse_other_columns(shards: Sequence[MdsShard]) -> None:
    first = shards[0]
    for shard in shards[1:]:
        if (shard.names, shard.encodings) != (first.names, first.encodings):
            raise CorruptStoreError(f"{shard.path}: its columns are not those of {first.path.name}; open them apart, or write them alike")


def _image_column(shards: Sequence[MdsShard], chosen: str | None, path: Path, report: SourceReport) -> str:
    """Return the column of images. Raises InvalidInputError, naming the columns, where there is none or more than one."""
    first = next(shard for shard in shards if shard.samples)
    found = [name for name, encoding in zip(first.names, first.encodings, strict=True) if _is_image_column(first, name, encoding)]
    columns = ", ".join(f"{name} ({encoding})" for name, encoding in zip(first.names, first.encodings, strict=True))[:500]
    if chosen is not None and chosen not in found:
        raise InvalidInputError(f"{path}: has no column {chosen!r} of images; its columns are {columns}")
    if not found:
        raise InvalidInputError(f"{path}: has no column of images; its columns are {columns}")
    if chosen is None and len(found) > 1:
        raise InvalidInputError(f"{path}: has several columns of images: {', '.join(found)}; choose one: {path}::{found[0]}")
    column = chosen or found[0]
    report.notes.extend(f"column {name!r} holds images too; choose it with {path}::{name}" for name in found if name != column)
    return column


def _is_image_column(shard: MdsShard, name: str, encoding: str) -> bool:
    if encoding != "bytes" and not encoding.startswith("ndarray"):
        return is_image_encoding(encoding)
    if not is_image_encoding(encoding) and encoding != "bytes":
        return False
    with shard_bytes(shard) as data:
        place = values_in(shard, data)[name]
        begin, length = int(place.offset[0]), int(place.length[0])
        if encoding == "bytes":
            return is_image(data[begin : begin + min(length, HEAD_BYTES)].tobytes())
        try:
            return read_head(encoding, data[begin : begin + length])[1].codec is not None
        except ValueError:
            return False


def _images(shard: MdsShard, column: str, data: NDArray[np.uint8], place: Values) -> tuple[Values, list[Format]]:
    """Return where the images of a shard lie, heads left out, and their formats. Raises CorruptStoreError naming the sample that lies."""
    encoding = shard.encodings[shard.names.index(column)]
    if encoding in (*IMAGES, "bytes"):
        return place, [UNKNOWN] * shard.samples
    begins, formats = np.zeros(shard.samples, np.int64), []
    for number, (offset, length) in enumerate(zip(place.offset.tolist(), place.length.tolist(), strict=True)):
        try:
            begins[number], found = read_head(encoding, data[offset : offset + length])
        except ValueError as error:
            raise CorruptStoreError(f"{shard.path}: sample {number}, column {column!r}: {error}; get the file again") from error
        formats.append(found)
    return Values(place.offset + begins, place.length - begins), formats


def _described(path: Path, shards: Sequence[MdsShard], found: _Found) -> tuple[Schema, pa.Table]:
    columns = {name: pa.chunked_array(parts) for name, parts in found.columns.items()}
    label = next((name for name in LABELS if name in columns), None)
    table = pa.table({"label" if name == label else name: values for name, values in columns.items()})
    table, classes = settled(table, {}, [IMAGE], str(path))
    named = [Shard(shard.path, shard.stem, shard.split) for shard in shards]
    counts = [shard.samples for shard in shards]
    keys = unique_keys(table, str(path))
    kept = {name: table[name] for name in table.column_names if name != KEY}
    splits = split_column(named, counts)
    if splits is not None:
        kept.setdefault(SPLIT, splits)
    whole = pa.table({KEY: row_keys(named, counts) if keys is None else keys, **kept})
    return Schema((field_of(found.distinct_formats[0]),), pa.schema(list(whole.schema)[1:]), classes), whole


def _opened(schema: Schema, table: pa.Table, report: SourceReport, shards: Sequence[MdsShard], found: _Found) -> Source:
    paths, counts = [str(shard.path) for shard in shards], [shard.samples for shard in shards]
    if any(shard.is_compressed for shard in shards):
        packed = PackedMdsImages(schema, table, report, paths=paths, counts=counts, states=found.states)
        packed.shards, packed.found = shards, found
        return packed
    offset = np.concatenate([place.offset for place in found.places])
    length = np.concatenate([place.length for place in found.places])
    file = np.repeat(np.arange(len(shards), dtype=np.uint32), counts)
    formats = [found.formats[0]] if len(set(found.formats)) == 1 else found.formats
    place = Extents(paths, file, offset, length)
    return MdsImages(schema, table, report, place=place, formats=formats, origin=paths[0], states=found.states)


SOURCE = MdsImages
