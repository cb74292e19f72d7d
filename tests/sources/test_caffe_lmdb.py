"""Caffe's LMDB opens where it lies: RGB pixels as they went in, labels, keys; contradictions are named."""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path

import lmdb
import numpy as np
import pytest

import pixstore
from pixstore.errors import CorruptRecordError, LabelMismatchError, StoreBusyError, UnsupportedImageError
from pixstore.source import SourceOptions
from pixstore.sources import caffe_lmdb

sys.path.append(str(Path(__file__).parents[1]))
make = importlib.import_module("foreign_databases")


def test_arrays_come_out_as_the_rgb_images_that_went_in(tmp_path: Path) -> None:
    make.caffe(tmp_path / "a", 8)
    dataset = pixstore.open(tmp_path / "a")
    assert np.array_equal(dataset.read(slice(None))["image"], make.images(8))
    assert dataset.table["label"].to_pylist() == [0, 1, 2, 0, 1, 2, 0, 1]
    assert dataset.table["key"][3].as_py() == "00000003_cat3.jpg"
    assert dataset.schema.fields[0].channel_order == "bgr"


def test_wrongly_described_channels_are_swapped_by_the_user_alone(tmp_path: Path) -> None:
    make.caffe(tmp_path / "a", 3)
    stated = pixstore.open(tmp_path / "a", channel_order="rgb")
    assert stated.schema.fields[0].channel_order == "rgb"
    assert np.array_equal(stated.read(slice(None))["image"], make.images(3)[..., ::-1])


def test_floats_and_encoded_images_are_read(tmp_path: Path) -> None:
    make.caffe_floats(tmp_path / "floats", 4)
    floats = pixstore.open(tmp_path / "floats").read(slice(None))["image"]
    assert floats.dtype == np.float32 and np.array_equal(floats, make.images(4).astype(np.float32) / 255)
    files = make.caffe_encoded(tmp_path / "files", 4)
    dataset = pixstore.open(tmp_path / "files")
    assert [bytes(each) for each in dataset.encoded_many([0, 1, 2, 3])] == files
    assert np.array_equal(dataset[1].image, make.images(4)[1])


def test_images_of_different_sizes_are_a_list(tmp_path: Path) -> None:
    small, large = make.images(1, height=4, width=5)[0], make.images(1, height=7, width=3)[0]
    make.write(tmp_path / "a", {b"a": make.datum(small), b"b": make.datum(large)})
    found = pixstore.open(tmp_path / "a").read(slice(None))["image"]
    assert np.array_equal(found[0], small) and np.array_equal(found[1], large)


def test_a_named_database_is_chosen_by_its_address(tmp_path: Path) -> None:
    for name, image in ((b"train", make.images(1)[0]), (b"val", make.images(2)[1])):
        make.write(tmp_path / "a", {b"x": make.datum(image)}, name=name)
    assert np.array_equal(pixstore.open(f"{tmp_path / 'a'}::val")["x"].image, make.images(2)[1])


def test_wrongly_described_sizes_are_refused_with_key_and_sizes(tmp_path: Path) -> None:
    good = make.datum(make.images(1)[0])
    make.write(tmp_path / "a", {b"good": good, b"lies": make.datum(make.images(1)[0], height=99)})
    with pytest.raises(CorruptRecordError, match=r"data\.mdb, key 'lies': data has 360 values, 3 × 99 × 10 needs 2970"):
        pixstore.open(tmp_path / "a")
    make.write(tmp_path / "b", {b"good": good, b"features": make.datum(make.images(1)[0], channels=0, data=b"")})
    with pytest.raises(UnsupportedImageError, match="key 'features': 0 channels"):
        pixstore.open(tmp_path / "b")


def test_wrongly_described_sizes_of_encoded_images_are_reported_and_the_image_decides(tmp_path: Path) -> None:
    png = make.encoded(make.images(1)[0])
    right = make.Datum(data=png, encoded=True, label=1, channels=3, height=12, width=10).SerializeToString()
    wrong = make.Datum(data=png, encoded=True, label=1, channels=3, height=10, width=12).SerializeToString()
    make.write(tmp_path / "a", {b"a": right, b"b": wrong})
    source = caffe_lmdb.SOURCE.open(tmp_path / "a", SourceOptions())
    assert source.report.notes == ["Datum states other sizes than 1 of 2 images have: b (10, 12, 3) is (12, 10, 3); the images decide"]
    assert pixstore.open(tmp_path / "a")["b"].image.shape == (12, 10, 3)


def test_labels_of_two_bytes_are_no_messages(tmp_path: Path) -> None:
    make.write(tmp_path / "a", {b"label_0": b"\x22\x00", b"image_0": make.encoded(make.images(1)[0])})
    assert pixstore.open(tmp_path / "a").table["label"].to_pylist() == [34]


def test_wrongly_described_values_that_are_no_datum_are_named(tmp_path: Path) -> None:
    good = make.datum(make.images(1)[0])
    make.write(tmp_path / "a", {b"a": good, b"b": b"\x20\x05"})
    with pytest.raises(CorruptRecordError, match="key 'b': is no Datum"):
        pixstore.open(tmp_path / "a")


def test_wrongly_described_labels_that_some_lack_are_refused(tmp_path: Path) -> None:
    image = make.images(1)[0]
    make.write(tmp_path / "a", {b"a": make.datum(image, 1), b"b": make.datum(image, None)})
    with pytest.raises(LabelMismatchError, match=r"without a label, of 2: 1 \('b'\)"):
        pixstore.open(tmp_path / "a")


def test_a_database_that_is_written_to_is_refused_and_opens_again(tmp_path: Path) -> None:
    make.caffe(tmp_path / "a", 3)
    dataset = pixstore.open(tmp_path / "a")
    make.write(tmp_path / "a", {b"new": make.datum(make.images(1)[0])})
    with pytest.raises(StoreBusyError, match="was changed after it was opened"):
        dataset.read([0])
    assert len(pixstore.open(tmp_path / "a")) == 4


def test_real_databases_equal_what_caffe_reads(shared_data: Path) -> None:
    folders = sorted(each.parent for each in (shared_data / "lmdb-foreign" / "caffe-authorship").rglob("data.mdb"))
    assert len(folders) == 4
    for folder in folders:
        dataset = pixstore.open(folder)
        with lmdb.open(str(folder), readonly=True, lock=False) as environment, environment.begin() as transaction:
            theirs = [(key.decode(), make.Datum.FromString(value)) for key, value in transaction.cursor()]
        assert [key for key, _ in theirs] == dataset.table["key"].to_pylist()
        assert [datum.label for _, datum in theirs] == dataset.table["label"].to_pylist()
        for (_, datum), image in zip(theirs, dataset.read(slice(None))["image"], strict=True):
            planes = np.frombuffer(datum.data, np.uint8).reshape(datum.channels, datum.height, datum.width)
            assert np.array_equal(planes.transpose(1, 2, 0)[..., ::-1], image)


def test_pixels_lie_in_place_so_that_threads_read_them(tmp_path: Path) -> None:
    make.caffe(tmp_path / "a", 3)
    source = caffe_lmdb.SOURCE.open(tmp_path / "a", SourceOptions())
    located = source.locate("image", np.arange(3))
    assert located is not None and os.path.samefile(located.place.paths[0], tmp_path / "a" / "data.mdb")
