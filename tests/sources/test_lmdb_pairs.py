"""Pairs of image and label entries: rows in the order of the numbers, labels of every kind, and nothing that does not match."""

from __future__ import annotations

import importlib
import io
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pixstore
from pixstore.errors import (
    CorruptStoreError,
    DuplicateKeyError,
    InvalidInputError,
    LabelMismatchError,
    PixstoreError,
    UnsupportedImageError,
)
from pixstore.source import SourceOptions
from pixstore.sources import lmdb_pairs

sys.path.append(str(Path(__file__).parents[1]))
make = importlib.import_module("foreign_databases")

FILES = [make.encoded(image) for image in make.images(12)]


def pairs(path: Path, labels: list[bytes] | None, *, image: str = "image_%d", label: str = "label_%d", **more: bytes) -> Path:
    entries = {(image % number).encode(): FILES[number] for number in range(12 if labels is None else len(labels))}
    for number, value in enumerate(labels or []):
        entries[(label % number).encode()] = value
    return make.write(path, entries | {key.replace("_", "-").encode(): value for key, value in more.items()})


def arrays(path: Path, images: list[Any]) -> Path:
    return make.write(path, {b"image_%d" % number: saved(image) for number, image in enumerate(images)})


def saved(array: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


def labels_of(path: Path) -> list[Any]:
    return list(pixstore.open(path).table["label"].to_pylist())


def test_rows_come_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    dataset = pixstore.open(pairs(tmp_path / "a", [b"%d" % (number % 5) for number in range(12)]))
    assert dataset.table["key"].to_pylist() == [f"image_{number}" for number in range(12)]
    assert dataset.table["label"].to_pylist() == [number % 5 for number in range(12)]
    assert np.array_equal(dataset.read(slice(None))["image"], make.images(12))


@pytest.mark.parametrize("kind", ["u1", "<i2", "<i4", "<i8"])
def test_labels_may_be_integers_of_any_size(tmp_path: Path, kind: str) -> None:
    values = np.array([0, 1, 9, 3], kind)
    assert labels_of(pairs(tmp_path / "a", [value.tobytes() for value in values])) == [0, 1, 9, 3]


def test_labels_may_be_class_names(tmp_path: Path) -> None:
    path = pairs(tmp_path / "a", [b"dog", b"cat", b"dog"])
    assert labels_of(path) == [1, 0, 1]
    assert pixstore.open(path).schema.classes == {"label": ("cat", "dog")}


def test_labels_that_are_images_are_masks(tmp_path: Path) -> None:
    masks = [make.encoded(image[..., 0]) for image in make.images(3)]
    dataset = pixstore.open(pairs(tmp_path / "a", masks))
    assert dataset.schema.field_names == ("image", "mask")
    assert np.array_equal(np.squeeze(dataset.read([2, 0])["mask"]), make.images(3)[[2, 0], ..., 0])
    assert "label" not in dataset.table.column_names


def test_words_of_scene_text_stay_text(tmp_path: Path) -> None:
    words = ["café", "2012", "café"]
    path = pairs(tmp_path / "a", [word.encode() for word in words], image="image-%09d", label="label-%09d", num_samples=b"3")
    assert labels_of(path) == words
    assert [each.reason for each in lmdb_pairs.SOURCE.open(path, SourceOptions()).report.skipped] == ["the number of images, 3"]


def test_images_without_any_label_have_no_column(tmp_path: Path) -> None:
    assert pixstore.open(pairs(tmp_path / "a", None)).table.column_names == ["key"]


def test_other_entries_and_gaps_are_reported(tmp_path: Path) -> None:
    path = pairs(tmp_path / "a", None, camera=b"a good one")
    make.write(path, {b"image_20": FILES[0]})
    report = lmdb_pairs.SOURCE.open(path, SourceOptions()).report
    assert [each.path for each in report.skipped] == [f"{path}/data.mdb, key 'camera'"]
    assert report.notes == ["8 numbers between 0 and 20 have no image, the first at 12"]


@pytest.mark.parametrize(
    ("more", "error", "words"),
    [
        ({b"image_3": FILES[3]}, LabelMismatchError, r"4 images and 3 labels.*without a label: 1 \('3'\)"),
        ({b"label_3": b"1"}, LabelMismatchError, r"3 images and 4 labels.*without an image: 1 \('3'\)"),
        ({b"image_02": FILES[3]}, DuplicateKeyError, "'image_2' and 'image_02' are the same number"),
        ({b"num-samples": b"4"}, LabelMismatchError, "'num-samples': states 4 images, there are 3"),
        ({b"num-samples": b"few"}, CorruptStoreError, "'num-samples': should be the number of images, is 'few'"),
        ({b"label_1": b"cat"}, LabelMismatchError, "labels that are no integers"),
        ({b"label_1": b"1.5"}, LabelMismatchError, "such as '1.5'"),
        ({b"label_1": b"\x01\x00\x00"}, LabelMismatchError, "neither text nor integers"),
        ({b"label_1": b"\xff" * 100_000}, LabelMismatchError, None),
    ],
)
def test_wrongly_described_pairs_are_refused(
    tmp_path: Path, more: dict[bytes, bytes], error: type[PixstoreError], words: str | None
) -> None:
    make.write(pairs(tmp_path / "a", [b"0", b"1", b"2"]), more)
    if words is None:
        error, words = PixstoreError, "100000 bytes, the limit"
    with pytest.raises(error, match=f"data.mdb.*{words}"):
        pixstore.open(tmp_path / "a")


def test_wrongly_described_integers_that_are_floats_are_refused(tmp_path: Path) -> None:
    path = pairs(tmp_path / "a", [np.float64(value).tobytes() for value in (0.5, 1.5)])
    with pytest.raises(LabelMismatchError, match=r"would be .* as an integer"):
        pixstore.open(path)


@pytest.mark.parametrize("kind", [">i2", ">i4", ">i8", "<f4", "<f8"])
@pytest.mark.parametrize("most", [3, 300])
def test_wrongly_described_integers_of_another_kind_are_refused(tmp_path: Path, kind: str, most: int) -> None:
    path = pairs(tmp_path / "a", [np.array(value, kind).tobytes() for value in (0, 1, 2, most)])
    with pytest.raises(LabelMismatchError, match=r"data.mdb: .* would be .* write labels as text"):
        pixstore.open(path)


@pytest.mark.parametrize("values", [[0, 1, 255, 256, 300], [0, 0, 0], [-1, 0, 7], [0, 511, 513]])
def test_integers_of_two_bytes_are_little_endian(tmp_path: Path, values: list[int]) -> None:
    assert labels_of(pairs(tmp_path / "a", [np.array(value, "<i2").tobytes() for value in values])) == values


def test_bytes_that_are_space_are_numbers_and_space_around_text_is_not_its(tmp_path: Path) -> None:
    assert labels_of(pairs(tmp_path / "a", [bytes([value]) for value in (9, 10, 13, 33)])) == [9, 10, 13, 33]
    assert labels_of(pairs(tmp_path / "b", [b"2\n", b"10\n"])) == [2, 10]


def test_wrongly_described_bytes_that_may_be_signs_or_numbers_are_refused(tmp_path: Path) -> None:
    with pytest.raises(LabelMismatchError, match=r"one byte such as 2 \('!', 'A'\) may be signs or numbers"):
        pixstore.open(pairs(tmp_path / "a", [b"!", b"A"]))


def test_arrays_of_numpy_are_read_in_place_in_the_order_that_is_stated(tmp_path: Path) -> None:
    images = make.images(4)
    arrays(tmp_path / "a", [*images[:2], *(np.ascontiguousarray(image.transpose(2, 0, 1)) for image in images[2:])])
    dataset = pixstore.open(tmp_path / "a")
    assert np.array_equal(dataset.read(slice(None))["image"], images)
    assert np.array_equal(pixstore.open(tmp_path / "a", channel_order="bgr").read(slice(None))["image"], images[..., ::-1])
    assert lmdb_pairs.SOURCE.open(tmp_path / "a", SourceOptions()).locate("image", np.arange(4)) is not None


def test_an_order_of_channels_is_for_arrays(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="encoded images know their own"):
        pixstore.open(pairs(tmp_path / "a", [b"1"]), channel_order="bgr")


def test_labels_without_any_image_are_refused(tmp_path: Path) -> None:
    with pytest.raises(LabelMismatchError, match="0 images and 1 labels"):
        pixstore.open(make.write(tmp_path / "a", {b"label_0": b"1"}))


def test_plain_pixels_whose_size_nothing_says_are_refused(tmp_path: Path) -> None:
    make.write(tmp_path / "a", {b"image_0": make.images(1)[0].tobytes(), b"label_0": b"1"})
    with pytest.raises(UnsupportedImageError, match="360 bytes that are no encoded image"):
        pixstore.open(tmp_path / "a")
