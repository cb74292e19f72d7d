"""Parquet with images: structs of bytes and path as Hugging Face `datasets` writes them, or binary columns of encoded images.

One file, the files of a pattern, or a folder of shards such as `data/train-00000-of-00002.parquet`, whose names say the split. Pixels are
read by row group, each decoded once while rows are read in order. Format: parquet.apache.org/docs/file-format.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import pyarrow as pa

from pixstore.rows import Slices
from pixstore.schema import Schema
from pixstore.source import SourceOptions, SourceReport
from pixstore.sources.archives.shard_files import has_shards, shards_of
from pixstore.sources.foreign_file import is_regular, read_head
from pixstore.sources.grouped import GroupedSource, slices_of
from pixstore.sources.lookalike import is_image
from pixstore.sources.tables.columns import ImageColumn, image_columns, kept_names
from pixstore.sources.tables.parquet_files import (
    MAGIC,
    ParquetFile,
    first_value,
    footer,
    groups_with_nulls,
    paths_of,
    read_columns,
    read_group,
    refuse_lost_images,
)
from pixstore.sources.tables.samples import described, refuse_paths_alone, refuse_schema

SUFFIXES = (".parquet",)


class ParquetImages(GroupedSource):
    """Parquet files whose rows have encoded images; read by row group."""

    name: ClassVar[str] = "Parquet with images"
    takes: ClassVar[frozenset[str]] = frozenset({"inner", "files"})

    def __init__(
        self, schema: Schema, table: pa.Table, report: SourceReport, files: Sequence[ParquetFile], images: Sequence[ImageColumn]
    ) -> None:
        self._groups = [(file, group) for file in files for group in range(file.metadata.num_row_groups)]
        self._images = {each.field: each for each in images}
        paths = [str(file.shard.path) for file, _ in self._groups]
        counts = [count for file in files for count in file.group_counts]
        states = {str(file.shard.path): file.state for file in files}
        lacking = [each.field for each in images if any(groups_with_nulls(file, each.leaf) for file in files)]
        super().__init__(schema, table, report, paths=paths, counts=counts, states=states, lacking=lacking)

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """Return whether the path is a Parquet file, or a folder that has some and no data of another kind."""
        if path.is_dir():
            return has_shards(path, SUFFIXES)
        return is_regular(path) and read_head(path, len(MAGIC)) == MAGIC

    @classmethod
    def open(cls, path: Path, options: SourceOptions) -> ParquetImages:
        """Read the footers and the columns without pixels. Raises a PixstoreError that names the file and what is wrong in it."""
        report = SourceReport()
        files = [footer(shard) for shard in shards_of(path, options.files, SUFFIXES, report)]
        for file in files[1:]:
            refuse_schema(file.shard, file.schema, files[0].shard, files[0].schema)
        first = next((file for file in files if file.metadata.num_rows), files[0])
        origin = str(first.shard.path)
        images = image_columns(first.schema, lambda name: _is_image_column(first, name), options.inner, origin, report)
        for image in images:
            nulls = first.metadata.num_rows if image.is_struct and first_value(first, image) is None else 0
            refuse_paths_alone(image, origin, rows=first.metadata.num_rows, nulls=nulls)
            for file in files:
                refuse_lost_images(file, image)
        read = read_columns(files, kept_names(first.schema, images, report))
        shards, counts = [file.shard for file in files], [file.metadata.num_rows for file in files]
        splits = len(files) > 1 or path.is_dir()
        schema, table = described(shards, counts, images, read, paths_of(files, images[0]), str(path), splits=splits)
        return cls(schema, table, report, files, images)

    def load_group(self, field: str, group: int) -> Slices:
        file, number = self._groups[group]
        return slices_of(read_group(file, number, self._images[field]))


def _is_image_column(file: ParquetFile, name: str) -> bool:
    return is_image(first_value(file, ImageColumn(name, name, False)) or b"")


SOURCE = ParquetImages
