"""Parquet footers and row groups of others."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import foreign_tables as foreign
from pixstore.errors import CorruptStoreError, LimitExceededError
from pixstore.sources.archives.shard_files import Shard
from pixstore.sources.tables import parquet_files
from pixstore.sources.tables.columns import ImageColumn
from pixstore.sources.tables.parquet_files import ParquetFile, first_value, footer, groups_with_nulls, paths_of, read_columns, read_group

IMAGE = ImageColumn("image", "image", True, True)


def written(path: Path, table: pa.Table, **options: object) -> ParquetFile:
    pq.write_table(table, path, **options)
    return footer(Shard(path, path.stem, None))


def test_groups_are_read_one_by_one(tmp_path: Path) -> None:
    images = foreign.encoded(5)
    file = written(tmp_path / "x.parquet", foreign.table(images), row_group_size=2)
    assert file.group_counts == [2, 2, 1]
    assert read_group(file, 1, IMAGE).to_pylist() == images[2:4]
    assert first_value(file, IMAGE) == images[0]


def test_paths_are_those_of_the_structs(tmp_path: Path) -> None:
    file = written(tmp_path / "x.parquet", foreign.table(foreign.encoded(2), paths=["a", None]))
    paths = paths_of([file], IMAGE)
    assert paths is not None and paths.to_pylist() == ["a", None]


def test_nulls_are_told_by_statistics_and_supposed_without(tmp_path: Path) -> None:
    images = foreign.encoded(2)
    assert groups_with_nulls(written(tmp_path / "a.parquet", foreign.table(images)), "image.bytes") == []
    assert groups_with_nulls(written(tmp_path / "b.parquet", foreign.table([images[0], None]), row_group_size=1), "image.bytes") == [1]
    assert groups_with_nulls(written(tmp_path / "c.parquet", foreign.table(images), write_statistics=False), "image.bytes") == [0]


def test_columns_above_the_limit_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet_files, "MAX_TABLE_BYTES", 10)
    with pytest.raises(LimitExceededError, match="columns beside the images"):
        read_columns([written(tmp_path / "x.parquet", foreign.table(foreign.encoded(2)))], ["label"])


def test_two_columns_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CorruptStoreError, match="two columns of one name"):
        written(tmp_path / "x.parquet", pa.table([pa.array([1]), pa.array([2])], names=["a", "a"]))


def test_more_rows_than_bytes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CorruptStoreError, match="states 1000000 rows in"):
        written(tmp_path / "x.parquet", pa.table({"a": pa.nulls(1_000_000)}))
