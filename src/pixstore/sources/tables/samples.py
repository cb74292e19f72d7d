"""The samples of tables with images: keys, columns, splits and the schema, alike for Arrow and Parquet."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from pixstore.errors import CorruptStoreError, InvalidInputError
from pixstore.schema import KEY, Field, Schema
from pixstore.sources.archives.shard_files import SPLIT, Shard, row_keys, split_column
from pixstore.sources.tables.columns import ImageColumn, class_names, is_unique, settled, unique_keys


def described(
    shards: Sequence[Shard],
    counts: Sequence[int],
    images: Sequence[ImageColumn],
    read: pa.Table,
    paths: pa.ChunkedArray | None,
    origin: str,
    *,
    splits: bool,
) -> tuple[Schema, pa.Table]:
    """Return the schema, and the table with keys first.

    Keys are the column `key`, else the images' paths where each is there once, else file and row. `read` has the columns beside the images,
    with the metadata of the file. Raises CorruptStoreError where rows are not as many as stated.
    """
    table, classes = settled(read, class_names(read.schema.metadata, origin), [each.field for each in images], origin)
    if table.num_columns and table.num_rows != sum(counts):
        raise CorruptStoreError(f"{origin}: {table.num_rows} rows are there, {sum(counts)} are stated; get the file again")
    keys = unique_keys(table, origin)
    columns = {name: table[name] for name in table.column_names if name != KEY}
    if keys is None and paths is not None and is_unique(paths):
        keys = paths
    elif paths is not None and paths.null_count < len(paths):
        columns.setdefault(f"{images[0].field}_path", paths)
    of_split = split_column(shards, counts) if splits else None
    if of_split is not None:
        columns.setdefault(SPLIT, of_split)
    found = pa.table({KEY: row_keys(shards, counts) if keys is None else keys, **columns})
    schema = Schema(tuple(Field(each.field) for each in images), pa.schema([found.schema.field(name) for name in columns]), classes)
    return schema, found


def refuse_paths_alone(image: ImageColumn, origin: str, *, rows: int, nulls: int) -> None:
    """Raise InvalidInputError where a column of images holds no image, but at most the paths of some."""
    if rows and nulls == rows:
        raise InvalidInputError(
            f"{origin}: column {image.name!r} names its images by path and does not hold them; open the folder of images instead,"
            " or write the table with the images embedded"
        )


def refuse_lost(image: ImageColumn, origin: str, values: pa.Array, paths: pa.Array) -> None:
    """Raise InvalidInputError for a row that names an image by path and does not hold it; without either, a row has no image."""
    is_lost = pc.and_(values.is_null(), paths.is_valid())
    if pc.any(is_lost).as_py():
        path = paths[pc.index(is_lost, True).as_py()].as_py()
        count = pc.sum(is_lost).as_py()
        raise InvalidInputError(
            f"{origin}: {count} rows of column {image.name!r} name an image by path and do not hold it, the first is {path!r};"
            " open the folder of images instead, or write the table with all images embedded"
        )


def refuse_schema(shard: Shard, schema: pa.Schema, first: Shard, expected: pa.Schema) -> None:
    """Raise CorruptStoreError for a shard whose columns are not those of the first."""
    if not schema.equals(expected):
        differing = ", ".join(sorted({field.name for field in {*schema} ^ {*expected}})) or "in another order"
        raise CorruptStoreError(
            f"{shard.path}: its columns are not those of {first.path.name} ({differing}); open them apart, or write them alike"
        )
