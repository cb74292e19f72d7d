"""Arrow IPC with images: files, streams, and folders that Hugging Face's `datasets.save_to_disk` writes.

Images are structs of bytes and path, or binary columns. Where buffers are not compressed, images are read in place. Compressed files, as
Feather is by default, are decoded batch by batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np
import pyarrow as pa

from pixstore.errors import InvalidInputError, LimitExceededError
from pixstore.rows import Extents, Indices, Slices
from pixstore.schema import Format, Schema
from pixstore.source import Source, SourceOptions, SourceReport
from pixstore.sources.archives.shard_files import Shard, has_shards, shards_of
from pixstore.sources.foreign_file import is_regular, read_head
from pixstore.sources.grouped import GroupedSource, slices_of
from pixstore.sources.located import LocatedSource, checked_rows
from pixstore.sources.lookalike import is_image
from pixstore.sources.tables.arrow_files import (
    FILE_MAGIC,
    ArrowFile,
    Bytes,
    arrow_file,
    batches,
    copied,
    is_arrow,
    places_of,
    read_batch,
    values_of,
)
from pixstore.sources.tables.arrow_folder import is_saved, saved_shards, stated_counts
from pixstore.sources.tables.columns import ImageColumn, image_columns, kept_names
from pixstore.sources.tables.samples import described, refuse_lost, refuse_paths_alone, refuse_schema

SUFFIXES = (".arrow", ".arrows", ".feather")
MAX_TABLE_BYTES = 4 << 30
MAX_BATCH_BYTES = 4 << 30
UNKNOWN = Format(None, None, None)


class ArrowImages(LocatedSource):
    """Arrow data whose images lie plainly in the files."""

    name: ClassVar[str] = "Arrow with images"
    takes: ClassVar[frozenset[str]] = frozenset({"inner", "files"})
    nulls: dict[str, Indices]

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """Return whether the path is an Arrow file or stream, a folder that `save_to_disk` made, or one with such files."""
        if path.is_dir():
            return is_saved(path) or has_shards(path, SUFFIXES)
        return is_regular(path) and is_arrow(path)

    @classmethod
    def open(cls, path: Path, options: SourceOptions) -> Source:
        """Read the columns and find the images. Raises a PixstoreError that names the file and what is wrong in it."""
        report = SourceReport()
        is_folder = path.is_dir()
        files = [arrow_file(shard) for shard in _shards(path, options, report)]
        for file in files[1:]:
            refuse_schema(file.shard, file.schema, files[0].shard, files[0].schema)
        origin = str(files[0].shard.path)
        images = image_columns(files[0].schema, lambda name: _is_image_column(files, name), options.inner, origin, report)
        names = kept_names(files[0].schema, images, report)
        found = _read(files, images, names)
        for image in images:
            refuse_paths_alone(image, origin, rows=found.rows, nulls=sum(int(part.is_null.sum()) for part in found.places[image.field]))
        if is_folder and is_saved(path):
            stated_counts(path, found.by_split(files), report)
        splits = len(files) > 1 or is_folder
        schema, table = described([file.shard for file in files], found.counts, images, found.table, found.paths, str(path), splits=splits)
        return _located(schema, table, report, files, found) or _grouped(schema, table, report, files, images, found)

    def absent(self, field: str, rows: Indices) -> Indices:
        return np.flatnonzero(self.nulls[field][checked_rows(self, field, rows)])


class CompressedArrowImages(GroupedSource):
    """Arrow files whose buffers are compressed; read by record batch."""

    name: ClassVar[str] = "Arrow with images, compressed"
    takes: ClassVar[frozenset[str]] = ArrowImages.takes
    groups: Sequence[tuple[ArrowFile, int]]
    images: dict[str, ImageColumn]

    @classmethod
    def recognises(cls, path: Path) -> bool:
        return ArrowImages.recognises(path)

    @classmethod
    def open(cls, path: Path, options: SourceOptions) -> Source:
        return ArrowImages.open(path, options)

    def load_group(self, field: str, group: int) -> Slices:
        file, number = self.groups[group]
        return slices_of(read_batch(file, number, self.images[field]))


@dataclass
class _Found:
    """What reading all batches found: rows by file, batches by file, and where the images of each field lie."""

    table: pa.Table
    counts: list[int] = field(default_factory=list)
    batch_counts: list[list[int]] = field(default_factory=list)
    places: dict[str, list[Bytes]] = field(default_factory=dict)
    paths: pa.ChunkedArray | None = None

    @property
    def rows(self) -> int:
        return sum(self.counts)

    def by_split(self, files: Sequence[ArrowFile]) -> dict[str | None, int]:
        found: dict[str | None, int] = {}
        for file, count in zip(files, self.counts, strict=True):
            found[file.shard.split] = found.get(file.shard.split, 0) + count
        return found


def _shards(path: Path, options: SourceOptions, report: SourceReport) -> list[Shard]:
    if not options.files and is_saved(path):
        return saved_shards(path)
    return shards_of(path, options.files, SUFFIXES, report)


def _is_image_column(files: Sequence[ArrowFile], name: str) -> bool:
    for file in files:
        for batch, _ in batches(file, [name]):
            values = batch.column(0).drop_null()
            if len(values):
                return is_image(values[0].as_py())
    return False


def _read(files: Sequence[ArrowFile], images: Sequence[ImageColumn], names: Sequence[str]) -> _Found:
    """Read columns and the places of images, batch by batch. Raises LimitExceededError for columns that do not fit into memory."""
    schema = pa.schema([files[0].schema.field(name) for name in names], files[0].schema.metadata)
    found = _Found(schema.empty_table(), places={each.field: [] for each in images})
    tables, paths, total = [schema.empty_table()], [], 0
    for file in files:
        sizes: list[int] = []
        for batch, data in batches(file, [*(each.name for each in images), *names]):
            sizes.append(batch.num_rows)
            for image in images:
                found.places[image.field].append(places_of(batch, image, data))
                if image.has_path:
                    refuse_lost(image, str(file.shard.path), values_of(batch, image), values_of(batch, image, "path"))
            if images[0].has_path:
                paths.append(pa.concat_arrays([values_of(batch, images[0], "path").cast(pa.string()), pa.array([], pa.string())]))
            tables.append(copied(pa.Table.from_batches([batch.select(list(names))], schema)))
            total += tables[-1].nbytes
            if total > MAX_TABLE_BYTES:
                raise LimitExceededError(
                    f"{file.shard.path}: columns beside the images take more than {MAX_TABLE_BYTES} bytes; drop large ones"
                )
        found.counts.append(sum(sizes))
        found.batch_counts.append(sizes)
    found.table = pa.concat_tables(tables)
    found.paths = pa.chunked_array(paths, pa.string()) if images[0].has_path else None
    return found


def _located(schema: Schema, table: pa.Table, report: SourceReport, files: Sequence[ArrowFile], found: _Found) -> ArrowImages | None:
    """Return the source that reads in place, None where the images of some batch do not lie plainly in its file."""
    if any(part.offset is None for parts in found.places.values() for part in parts):
        return None
    paths = [str(file.shard.path) for file in files]
    number = np.repeat(np.arange(len(files), dtype=np.uint32), found.counts)
    extents = {
        name: Extents(paths, number, _joined([part.offset for part in parts]), _joined([part.length for part in parts]))
        for name, parts in found.places.items()
    }
    (_, first), *others = extents.items()
    opened = ArrowImages(
        schema,
        table,
        report,
        place=first,
        formats=[UNKNOWN],
        origin=paths[0],
        states={str(file.shard.path): file.state for file in files},
        more={name: (place, [UNKNOWN]) for name, place in others},
    )
    opened.nulls = {name: _joined([part.is_null for part in parts]) for name, parts in found.places.items()}
    return opened


def _grouped(
    schema: Schema, table: pa.Table, report: SourceReport, files: Sequence[ArrowFile], images: Sequence[ImageColumn], found: _Found
) -> CompressedArrowImages:
    """Return the source that decodes batches. Raises InvalidInputError for streams, whose batches cannot be found by number."""
    for file in files:
        if not read_head(file.shard.path, len(FILE_MAGIC)) == FILE_MAGIC:
            raise InvalidInputError(
                f"{file.shard.path}: is a stream without an index, compressed or of views; write it as an Arrow file, or uncompressed"
            )
    largest = max((int(part.length.sum()) for parts in found.places.values() for part in parts), default=0)
    if largest > MAX_BATCH_BYTES:
        raise LimitExceededError(
            f"{files[0].shard.path}: a batch has {largest} bytes of images, the limit is {MAX_BATCH_BYTES}; write smaller batches"
        )
    groups = [(file, number) for file, sizes in zip(files, found.batch_counts, strict=True) for number in range(len(sizes))]
    opened = CompressedArrowImages(
        schema,
        table,
        report,
        paths=[str(file.shard.path) for file, _ in groups],
        counts=[size for sizes in found.batch_counts for size in sizes],
        states={str(file.shard.path): file.state for file in files},
        lacking=[name for name, parts in found.places.items() if any(part.is_null.any() for part in parts)],
    )
    opened.groups, opened.images = groups, {each.field: each for each in images}
    return opened


def _joined(parts: Sequence[Indices | None]) -> Indices:
    return np.concatenate([part for part in parts if part is not None]) if parts else np.zeros(0, np.int64)


SOURCE = ArrowImages
