"""Parquet with images: structs and binary columns, shards and splits, labels with names, and descriptions that lie."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import foreign_tables as foreign
import pixstore
from pixstore import registry
from pixstore.errors import (
    CorruptStoreError,
    DuplicateKeyError,
    InvalidInputError,
    LabelMismatchError,
    PathNotFoundError,
    PixstoreError,
    StoreBusyError,
)
from pixstore.source import Source, SourceOptions
from pixstore.sources.parquet import SOURCE
from pixstore.sources.tables import parquet_files


def opened(path: Path, **options: Any) -> Source:
    return registry.open_source(path, SourceOptions(**options))


def written(path: Path, table: pa.Table, **options: Any) -> Path:
    pq.write_table(table, path, **options)
    return path


def test_images_of_structs_are_read_with_labels_and_their_names(tmp_path: Path) -> None:
    images = foreign.encoded(5)
    path = written(tmp_path / "cats.parquet", foreign.table(images, age=[1.5, 2, 3, 4, 5]))
    dataset = pixstore.open(path)
    assert dataset.schema.field_names == ("image",) and dataset.classes == ("cat", "dog")
    assert dataset.table.to_pydict() == {
        "key": [f"cats/{number:08}" for number in range(5)],
        "label": [0, 1, 0, 1, 0],
        "age": [1.5, 2, 3, 4, 5],
    }
    assert all(np.array_equal(dataset[number].image, foreign.pixels(number)) for number in range(5))


def test_datasets_itself_writes_what_is_read(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    features = datasets.Features({"img": datasets.Image(), "fine": datasets.ClassLabel(names=["a", "b"])})
    made = datasets.Dataset.from_dict({"img": [foreign.png(foreign.pixels(n)) for n in range(3)], "fine": [0, 1, -1]}, features=features)
    datasets.disable_progress_bars()
    made.to_parquet(tmp_path / "x.parquet")
    dataset = pixstore.open(tmp_path / "x.parquet")
    assert dataset.classes == ("a", "b")
    assert dataset.table["label"].to_pylist() == [0, 1, None], "-1 is what datasets writes where there is no label"
    assert np.array_equal(dataset[2].image, foreign.pixels(2))


def test_a_folder_of_shards_has_the_split_that_their_names_say(tmp_path: Path) -> None:
    (tmp_path / "hub" / "data").mkdir(parents=True)
    table = foreign.table(foreign.encoded(6))
    written(tmp_path / "hub" / "data" / "train-00000-of-00002.parquet", table.slice(0, 2))
    written(tmp_path / "hub" / "data" / "train-00001-of-00002.parquet", table.slice(2, 2))
    written(tmp_path / "hub" / "data" / "test-00000-of-00001.parquet", table.slice(4))
    (tmp_path / "hub" / "README.md").write_text("a data set")
    source = opened(tmp_path / "hub")
    assert source.table["split"].to_pylist() == ["test"] * 2 + ["train"] * 4
    assert source.table["key"][2].as_py() == "data/train-00000-of-00002/00000000"


def test_a_pattern_names_the_shards_and_their_order(tmp_path: Path) -> None:
    table = foreign.table(foreign.encoded(4))
    for number in range(2):
        written(tmp_path / f"part-{number}.parquet", table.slice(2 * number, 2))
    keys = pixstore.open(f"{tmp_path}/part-{{0..1}}.parquet").keys.to_pylist()
    assert keys == ["part-0/00000000", "part-0/00000001", "part-1/00000000", "part-1/00000001"]


def test_binary_columns_of_images_are_fields_and_other_bytes_are_columns(tmp_path: Path) -> None:
    images = foreign.encoded(3)
    table = pa.table({"photo": images, "mask": images[::-1], "hash": [b"\1", b"\2", b"\3"]})
    source = opened(written(tmp_path / "x.parquet", table))
    assert source.schema.field_names == ("photo", "mask") and source.schema.columns.names == ["hash"]
    assert [bytes(view or b"") for view in source.read("mask", np.arange(3)).place.views()] == images[::-1]  # type: ignore[union-attr]
    assert opened(tmp_path / "x.parquet", inner="mask").schema.field_names == ("image",)


def test_keys_are_the_column_key_or_paths_that_differ(tmp_path: Path) -> None:
    images = foreign.encoded(2)
    paths = written(tmp_path / "paths.parquet", foreign.table(images, paths=["a.png", "b.png"]))
    assert opened(paths).table["key"].to_pylist() == ["a.png", "b.png"]
    keys = written(tmp_path / "keys.parquet", foreign.table(images, paths=["a.png", "b.png"], key=["one", "two"]))
    assert opened(keys).table.select(["key", "image_path"]).to_pydict() == {"key": ["one", "two"], "image_path": ["a.png", "b.png"]}


def test_a_sample_without_an_image_is_absent_in_that_field(tmp_path: Path) -> None:
    images = foreign.encoded(3)
    table = pa.table({"image": foreign.image_structs(images), "mask": foreign.image_structs([images[0], None, images[2]])})
    dataset = pixstore.open(written(tmp_path / "x.parquet", table, row_group_size=2))
    assert dataset.absent("mask", [2, 1, 0]).tolist() == [1] and dataset.absent("image", [0, 1]).tolist() == []
    assert dataset.encoded_many([2, 0], field="mask") == [images[2], images[0]]


def test_rows_in_order_decode_each_row_group_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path / "x.parquet", foreign.table(foreign.encoded(12)), row_group_size=3)
    source, decoded = SOURCE.open(path, SourceOptions()), []
    load = source.load_group
    monkeypatch.setattr(source, "load_group", lambda field, group: decoded.append(group) or load(field, group))
    for start in range(0, 12, 2):
        source.read("image", np.arange(start, start + 2))
    assert decoded == [0, 1, 2, 3]


def test_what_stores_cannot_keep_is_named(tmp_path: Path) -> None:
    table = foreign.table(foreign.encoded(2), box=[{"x": 1}, {"x": 2}])
    assert "column 'box'" in opened(written(tmp_path / "x.parquet", table)).report.notes[0]


def test_images_named_by_path_alone_are_refused(tmp_path: Path) -> None:
    table = foreign.table([None, None], paths=["a.png", "b.png"])
    with pytest.raises(InvalidInputError, match=r"column 'image' names its images by path and does not hold them"):
        opened(written(tmp_path / "x.parquet", table))


def test_a_table_without_images_is_refused_with_its_columns(tmp_path: Path) -> None:
    path = written(tmp_path / "x.parquet", pa.table({"a": [1], "b": ["x"]}))
    with pytest.raises(InvalidInputError, match=r"no column of images; its columns are a \(int64\), b \(string\)"):
        opened(path)


def test_wrongly_described_rows_that_lost_their_image_are_refused(tmp_path: Path) -> None:
    table = foreign.table([*foreign.encoded(2), None], paths=["a.png", "b.png", "c.png"])
    with pytest.raises(
        InvalidInputError, match=r"1 rows of column 'image' name an image by path and do not hold it, the first is 'c\.png'"
    ):
        opened(written(tmp_path / "x.parquet", table, row_group_size=2))


def test_wrongly_described_a_missing_shard_is_named(tmp_path: Path) -> None:
    table = foreign.table(foreign.encoded(2))
    for number in (0, 2):
        written(tmp_path / f"train-{number:05}-of-00003.parquet", table)
    with pytest.raises(PathNotFoundError, match="00001"):
        opened(tmp_path)


def test_wrongly_described_labels_beyond_their_names_are_refused(tmp_path: Path) -> None:
    table = foreign.described(foreign.table(foreign.encoded(2)), names=["cat"])
    with pytest.raises(LabelMismatchError, match="row 1 has label 1, and there are 1 class names"):
        opened(written(tmp_path / "x.parquet", table))


def test_wrongly_described_keys_twice_are_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "x.parquet", foreign.table(foreign.encoded(3), key=["a", "b", "a"]))
    with pytest.raises(DuplicateKeyError, match="'a'"):
        opened(path)


def test_wrongly_described_shards_with_other_columns_are_refused(tmp_path: Path) -> None:
    written(tmp_path / "a.parquet", foreign.table(foreign.encoded(2), age=[1, 2]))
    written(tmp_path / "b.parquet", foreign.table(foreign.encoded(2), size=[1, 2]))
    with pytest.raises(CorruptStoreError, match=r"b\.parquet: its columns are not those of a\.parquet \(age, size\)"):
        opened(tmp_path)


def test_wrongly_described_metadata_that_is_no_json_is_refused(tmp_path: Path) -> None:
    table = foreign.table(foreign.encoded(1)).replace_schema_metadata({"huggingface": "{"})
    with pytest.raises(CorruptStoreError, match="no JSON"):
        opened(written(tmp_path / "x.parquet", table))
    odd = table.replace_schema_metadata({"huggingface": json.dumps({"info": ["features"]})})
    assert opened(written(tmp_path / "y.parquet", odd)).schema.classes == {}


def test_a_damaged_file_is_recognised_and_refused_with_its_name(tmp_path: Path) -> None:
    path = written(tmp_path / "x.parquet", foreign.table(foreign.encoded(2)))
    os.truncate(path, path.stat().st_size - 5)
    assert SOURCE.recognises(path)
    with pytest.raises(CorruptStoreError, match=r"x\.parquet: is not readable as Parquet"):
        opened(path)


def test_any_damage_is_an_error_of_ours(tmp_path: Path) -> None:
    whole = written(tmp_path / "whole.parquet", foreign.table(foreign.encoded(3))).read_bytes()
    random = np.random.default_rng(7)
    for number in range(60):
        damaged = bytearray(whole)
        damaged[int(random.integers(4, len(whole)))] ^= int(random.integers(1, 256))
        path = tmp_path / f"{number}.parquet"
        path.write_bytes(damaged)
        try:
            source = opened(path)
            source.read("image", np.arange(len(source)))
        except PixstoreError as error:
            assert path.name in str(error)


def test_wrongly_described_chunks_are_refused_and_do_not_end_the_process(tmp_path: Path) -> None:
    whole = written(tmp_path / "whole.parquet", foreign.table(foreign.encoded(9)), row_group_size=2).read_bytes()
    # The type of a chunk, BYTE_ARRAY, before its encodings: FLOAT, as no column has.
    places = [place for place in range(len(whole) - 3) if whole[place : place + 3] == b"\x15\x0c\x19"]
    assert len(places) >= 10
    for place in places:
        (tmp_path / "a.parquet").write_bytes(whole[:place] + b"\x15\x08\x19" + whole[place + 3 :])
        with pytest.raises(CorruptStoreError, match=r"a\.parquet: is not readable as Parquet"):
            opened(tmp_path / "a.parquet")


def test_wrongly_described_footers_change_no_label(tmp_path: Path) -> None:
    whole = written(tmp_path / "whole.parquet", foreign.table(foreign.encoded(9)), row_group_size=2).read_bytes()
    expected = opened(tmp_path / "whole.parquet").table["label"].to_pylist()
    footer = len(whole) - 8 - int.from_bytes(whole[-8:-4], "little")
    random = np.random.default_rng(5)
    for place in random.integers(footer, len(whole) - 8, 150).tolist():
        damaged = bytearray(whole)
        damaged[place] ^= 1 << int(random.integers(8))
        (tmp_path / "a.parquet").write_bytes(damaged)
        try:
            table = opened(tmp_path / "a.parquet").table
        except PixstoreError:
            continue
        assert "label" not in table.column_names or table["label"].to_pylist() == expected


def test_a_row_group_above_the_limit_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet_files, "MAX_GROUP_BYTES", 100)
    source = opened(written(tmp_path / "x.parquet", foreign.table(foreign.encoded(2))))
    with pytest.raises(pixstore.errors.LimitExceededError, match="fewer rows in a group"):
        source.read("image", np.arange(2))


def test_a_file_that_changed_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "x.parquet", foreign.table(foreign.encoded(2)))
    source = opened(path)
    os.utime(path, ns=(1, 1))
    with pytest.raises(StoreBusyError):
        source.read("image", np.arange(2))


def test_pictures_beside_a_table_are_a_folder_of_images(tmp_path: Path) -> None:
    (tmp_path / "1.png").write_bytes(foreign.encoded(1)[0])
    written(tmp_path / "notes.parquet", pa.table({"a": [1]}))
    assert not SOURCE.recognises(tmp_path)


def test_wrongly_described_pointers_that_pose_as_shards_are_named(shared_data: Path) -> None:
    with pytest.raises(CorruptStoreError, match=r"train-00000-of-00001\.parquet: is no Parquet file: it looks like a Git LFS pointer"):
        opened(shared_data / "badinput-lfs-pointers" / "data")
