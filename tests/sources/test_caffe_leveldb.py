"""Caffe's LevelDB opens where it lies, out of tables and logs, packed or not; nothing is written into its folder."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import numpy as np
import plyvel
import pytest

import pixstore
from pixstore.errors import CorruptRecordError, CorruptStoreError, KeyInvalidError, NotAStoreError, PathNotFoundError
from pixstore.source import SourceOptions
from pixstore.sources import caffe_leveldb

sys.path.append(str(Path(__file__).parents[1]))
make = importlib.import_module("foreign_databases")


@pytest.mark.parametrize("compression", ["snappy", None])
@pytest.mark.parametrize("tables", [True, False])
def test_what_leveldb_reads_is_read(tmp_path: Path, compression: str | None, tables: bool) -> None:
    make.caffe_level(tmp_path / "a", 60, compression=compression, tables=tables)
    before = sorted((each.name, each.stat().st_mtime_ns) for each in (tmp_path / "a").iterdir())
    dataset = pixstore.open(tmp_path / "a")
    found = dataset.read(slice(None))["image"]
    assert sorted((each.name, each.stat().st_mtime_ns) for each in (tmp_path / "a").iterdir()) == before
    with plyvel.DB(str(tmp_path / "a")) as database:
        theirs = [(key.decode(), make.Datum.FromString(value)) for key, value in database]
    assert dataset.table["key"].to_pylist() == [key for key, _ in theirs]
    assert dataset.table["label"].to_pylist() == [datum.label for _, datum in theirs]
    for (_, datum), image in zip(theirs, found, strict=True):
        assert datum.data == make.planar_bgr(image)


def test_tables_that_did_not_shrink_are_read_in_place(tmp_path: Path) -> None:
    images = make.images(40)
    items = {b"%04d" % number: make.datum(image, number) for number, image in enumerate(images)}
    make.write_level(tmp_path / "a", items, tables=True)
    source = caffe_leveldb.SOURCE.open(tmp_path / "a", SourceOptions())
    assert source.locate("image", np.arange(40)) is not None
    assert np.array_equal(pixstore.open(tmp_path / "a").read(slice(None))["image"], images)
    make.caffe_level(tmp_path / "packed", 40)
    assert caffe_leveldb.SOURCE.open(tmp_path / "packed", SourceOptions()).locate("image", np.arange(40)) is None


def test_changes_and_deletions_in_several_files_count(tmp_path: Path) -> None:
    first, second = make.images(1)[0], make.images(2)[1]
    make.write_level(tmp_path / "a", {b"%03d" % number: make.datum(first, number) for number in range(100)}, tables=True)
    with plyvel.DB(str(tmp_path / "a")) as database:
        database.delete(b"007")
        database.put(b"050", make.datum(second, 500))
    dataset = pixstore.open(tmp_path / "a")
    assert len(dataset) == 99 and "007" not in dataset.table["key"].to_pylist()
    assert np.array_equal(dataset["050"].image, second) and dataset["050"]["label"] == 500


def test_floats_and_encoded_images_are_read(tmp_path: Path) -> None:
    image = make.images(1)[0].astype(np.float32)
    make.write_level(tmp_path / "floats", {b"a": make.datum(image)}, tables=True)
    assert np.array_equal(pixstore.open(tmp_path / "floats")[0].image, image)
    png = make.encoded(make.images(1)[0])
    make.write_level(tmp_path / "files", {b"a": make.Datum(data=png, encoded=True).SerializeToString()})
    assert np.array_equal(pixstore.open(tmp_path / "files")[0].image, make.images(1)[0])


def test_wrongly_described_channels_are_swapped_by_the_user_alone(tmp_path: Path) -> None:
    image = make.images(1)[0]
    make.write_level(tmp_path / "a", {b"a": make.datum(image)})
    assert np.array_equal(pixstore.open(tmp_path / "a", channel_order="rgb")[0].image, image[..., ::-1])


def test_wrongly_described_sizes_of_encoded_images_are_reported(tmp_path: Path) -> None:
    png = make.encoded(make.images(1)[0])
    sizes = {b"a": (12, 10), b"b": (10, 12), b"c": (0, 0)}
    values = {
        key: make.Datum(data=png, encoded=True, channels=3 if height else 0, height=height, width=width).SerializeToString()
        for key, (height, width) in sizes.items()
    }
    make.write_level(tmp_path / "a", values, tables=True)
    source = caffe_leveldb.SOURCE.open(tmp_path / "a", SourceOptions())
    assert source.report.notes == ["Datum states other sizes than 1 of 3 images have: b (10, 12, 3) is (12, 10, 3); the images decide"]
    assert all(np.array_equal(image, make.images(1)[0]) for image in pixstore.open(tmp_path / "a").read(slice(None))["image"])


def test_wrongly_described_values_are_named_by_their_keys(tmp_path: Path) -> None:
    make.write_level(tmp_path / "a", {b"a": make.datum(make.images(1)[0]), b"b": make.datum(make.images(1)[0], width=77)})
    with pytest.raises(CorruptRecordError, match="key 'b': data has 360 values, 3 × 12 × 77 needs 2772"):
        pixstore.open(tmp_path / "a")
    make.write_level(tmp_path / "words", {b"a": b"\xff" * 20})
    with pytest.raises(CorruptStoreError, match="key 'a'"):
        pixstore.open(tmp_path / "words")
    make.write_level(tmp_path / "twice", {b"\xff": make.datum(make.images(1)[0]), b"\\xff": make.datum(make.images(1)[0])})
    with pytest.raises(KeyInvalidError, match="the same text"):
        pixstore.open(tmp_path / "twice")
    with pytest.raises(NotAStoreError, match="without entries"):
        pixstore.open(make.write_level(tmp_path / "empty", {}))


def test_a_database_that_is_written_to_is_refused_and_opens_again(tmp_path: Path) -> None:
    make.caffe_level(tmp_path / "a", 5, tables=False)
    dataset = pixstore.open(tmp_path / "a")
    with plyvel.DB(str(tmp_path / "a")) as database:
        database.put(b"z", make.datum(make.images(1)[0]))
        # LevelDB made a table of the log when it opened the database, and removed the log.
        with pytest.raises(PathNotFoundError, match=r"\.log: does not exist"):
            dataset.read([0])
        assert len(pixstore.open(tmp_path / "a")) == 6
