"""Arrays of images: what shapes mean, and which labels belong to which images."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from pixstore.errors import LabelMismatchError, LimitExceededError
from pixstore.schema import Format
from pixstore.source import SourceReport
from pixstore.sources.image_arrays import Images, described, images_of, is_images, label_names, labels_of, split_of
from pixstore.sources.labels import Labels
from pixstore.sources.npy_header import ArrayHeader


@pytest.mark.parametrize(
    ("shape", "count", "codec", "each"),
    [
        ((9, 8, 7), 9, "raw", (8, 7)),
        ((9, 8, 3), 1, "raw", (9, 8, 3)),
        ((9, 8, 7, 3), 9, "raw", (8, 7, 3)),
        ((9, 1, 8, 7), 9, "raw", (8, 7)),
        ((9, 3, 8, 7), 9, "raw-planar", (8, 7, 3)),
        ((9, 3, 8, 3), 9, "raw", (3, 8, 3)),
        ((9, 30, 20, 7), 9, "raw", (30, 20, 7)),
        ((0, 8, 7, 3), 0, "raw", (8, 7, 3)),
    ],
)
def test_shapes_have_one_meaning(shape: tuple[int, ...], count: int, codec: str, each: tuple[int, ...]) -> None:
    images = images_of("x", ArrayHeader("|u1", shape, 128), None, "there")
    assert (images.count, images.format) == (count, Format(codec, each, "uint8"))


@pytest.mark.parametrize("shape", [(), (9,), (9, 8), (9, 8, 7, 7), (9, 0, 7), (0, 4, 4), (0, 4, 3), (4, 0, 3), (1, 2, 3, 4, 5)])
def test_other_shapes_are_no_images(shape: tuple[int, ...]) -> None:
    assert not is_images(ArrayHeader("|u1", shape, 128))


def test_labels_are_called_as_their_images_are() -> None:
    assert list(label_names("x_train", is_alone=False)) == ["y_train"]
    assert list(label_names("train-images", is_alone=False)) == ["train-labels", "train-label"]
    assert list(label_names("arr_0", is_alone=False)) == ["arr_1"]
    assert list(label_names("faces", is_alone=False)) == [] and "y" in label_names("faces", is_alone=True)
    assert [split_of(name) for name in ("x_train", "val_images", "trainer")] == ["train", "val", None]


def test_wrongly_described_labels_are_refused_and_others_left_out() -> None:
    images, report = Images("x", 2, Format("raw", (4, 4), "uint8"), 0), SourceReport()
    for wrong in (np.arange(3), np.array(1)):
        with pytest.raises(LabelMismatchError, match="for the 2 images"):
            labels_of(wrong, images, "there", report)
    assert labels_of(np.eye(2), images, "there", report) is None and "were left out" in report.notes[0]


def test_names_of_several_splits_are_numbered_together() -> None:
    report, form = SourceReport(), Format("raw", (4, 4), "uint8")
    parts = [Images(name, 1, form, 0) for name in ("x_train", "x_test")]
    named = [
        part.with_labels(labels_of(np.array([text]), part, "there", report)) for part, text in zip(parts, ("dog", b"cat"), strict=True)
    ]
    schema, table = described(named, {}, None, None)
    assert table.to_pydict() == {"key": ["00000000", "00000001"], "label": [1, 0], "split": ["train", "test"]}
    assert schema.classes == {"label": ("cat", "dog")}


def test_labels_of_names_and_of_numbers_are_not_mixed() -> None:
    form = Format("raw", (4, 4), "uint8")
    parts = [Images("x_train", 1, form, 0, Labels(pa.array([0]), ("a",))), Images("x_test", 1, form, 0, Labels(pa.array([0]), None))]
    with pytest.raises(LabelMismatchError, match="names"):
        described(parts, {}, None, None)


def test_images_larger_than_any_are_refused_even_where_there_are_none() -> None:
    with pytest.raises(LimitExceededError, match="the limit is"):
        images_of("x", ArrayHeader("|u1", (0, 999999999, 999999999, 3), 128), None, "there")
