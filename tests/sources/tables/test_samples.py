"""The samples of tables: keys in their order of preference, splits, counts that contradict."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from pixstore.errors import CorruptStoreError, InvalidInputError
from pixstore.sources.archives.shard_files import Shard
from pixstore.sources.tables.columns import ImageColumn
from pixstore.sources.tables.samples import described, refuse_lost, refuse_paths_alone, refuse_schema

IMAGE = ImageColumn("photo", "image", True, True)
SHARDS = [Shard(Path("a"), "a", "train"), Shard(Path("b"), "b", "test")]


def test_keys_are_paths_only_where_they_differ() -> None:
    read = pa.table({"n": [1, 2]})
    _, table = described(SHARDS, [1, 1], [IMAGE], read, pa.chunked_array([["x", "y"]]), "d", splits=True)
    assert table.to_pydict() == {"key": ["x", "y"], "n": [1, 2], "split": ["train", "test"]}
    schema, table = described(SHARDS, [1, 1], [IMAGE], read, pa.chunked_array([["x", "x"]]), "d", splits=False)
    assert table.to_pydict() == {"key": ["a/00000000", "b/00000000"], "n": [1, 2], "image_path": ["x", "x"]}
    assert schema.columns.names == ["n", "image_path"]


def test_a_column_of_splits_stays() -> None:
    _, table = described(SHARDS, [1, 1], [IMAGE], pa.table({"split": ["p", "q"]}), None, "d", splits=True)
    assert table["split"].to_pylist() == ["p", "q"]


def test_rows_that_are_not_as_many_as_stated_are_refused() -> None:
    with pytest.raises(CorruptStoreError, match="3 rows are there, 2 are stated"):
        described(SHARDS, [1, 1], [IMAGE], pa.table({"n": [1, 2, 3]}), None, "d", splits=True)


def test_paths_alone_are_refused() -> None:
    refuse_paths_alone(IMAGE, "d", rows=2, nulls=1)
    refuse_paths_alone(IMAGE, "d", rows=0, nulls=0)
    with pytest.raises(InvalidInputError, match="by path"):
        refuse_paths_alone(IMAGE, "d", rows=2, nulls=2)


def test_rows_that_lost_their_image_are_told_from_rows_without_one() -> None:
    values = pa.array([b"x", None, None])
    refuse_lost(IMAGE, "d", values, pa.array(["a", None, None]))
    with pytest.raises(InvalidInputError, match="1 rows of column 'photo' name an image by path and do not hold it, the first is 'c'"):
        refuse_lost(IMAGE, "d", values, pa.array(["a", None, "c"]))


def test_another_schema_is_refused() -> None:
    with pytest.raises(CorruptStoreError, match=r"b: its columns are not those of a \(n\)"):
        refuse_schema(SHARDS[1], pa.schema([("n", pa.int8())]), SHARDS[0], pa.schema([("n", pa.int16())]))
