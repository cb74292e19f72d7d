"""Arrays in .npy files as NumPy saves them: shapes, labels beside them, and what does not fit."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pixstore
from pixstore.errors import (
    CorruptStoreError,
    InvalidInputError,
    LabelMismatchError,
    StoreTruncatedError,
    UnsafeInputError,
    UnsupportedImageError,
)
from pixstore.rows import Extents
from pixstore.source import SourceOptions
from pixstore.sources.npy import Npy


def images(*shape: int, kind: str = "u1") -> Any:
    return np.random.default_rng(len(shape)).integers(0, 200, shape).astype(kind)


def save(path: Path, array: Any) -> Path:
    path.parent.mkdir(exist_ok=True)
    np.save(path, array, allow_pickle=True)
    return path


def opened(path: Path, **options: Any) -> Npy:
    return Npy.open(path, SourceOptions(**options))


@pytest.mark.parametrize("shape", [(5, 8, 9, 3), (5, 8, 9, 1), (5, 8, 9), (5, 8, 9, 4), (1, 8, 9, 3)])
@pytest.mark.parametrize("kind", ["u1", "u2", ">u2", "f4", "?"])
def test_rows_of_images_are_read_in_place(tmp_path: Path, shape: tuple[int, ...], kind: str) -> None:
    array = images(*shape, kind=kind)
    path = save(tmp_path / "images.npy", array)
    located = opened(path).locate("image", np.arange(shape[0]))
    assert located is not None and isinstance(located.place, Extents)
    assert np.array_equal(pixstore.open(path).read(slice(None))["image"], array)


def test_channels_before_rows_are_put_last(tmp_path: Path) -> None:
    array = images(5, 3, 8, 9)
    assert np.array_equal(pixstore.open(save(tmp_path / "a.npy", array)).read(slice(None))["image"], array.transpose(0, 2, 3, 1))
    grey = images(5, 1, 8, 9)
    assert np.array_equal(pixstore.open(save(tmp_path / "b.npy", grey)).read(slice(None))["image"], grey[:, 0])


def test_one_image_is_one_row(tmp_path: Path) -> None:
    array = images(30, 20, 3)
    assert np.array_equal(pixstore.open(save(tmp_path / "a.npy", array))[0]["image"], array)


@pytest.mark.parametrize("shape", [(5, 8, 9, 3), (5, 3, 8, 9)])
def test_wrongly_described_swapped_channels_are_put_right_where_it_is_said(tmp_path: Path, shape: tuple[int, ...]) -> None:
    array = images(*shape)
    path = save(tmp_path / "a.npy", array)
    right = array if shape[3] == 3 else array.transpose(0, 2, 3, 1)
    assert np.array_equal(pixstore.open(path, channel_order="bgr").read(slice(None))["image"], right[..., ::-1])
    assert opened(path, channel_order="bgr").schema.fields[0].channel_order == "bgr"
    with pytest.raises(InvalidInputError, match="is for images of three channels"):
        opened(save(tmp_path / "grey.npy", images(4, 5, 6)), channel_order="bgr")


@pytest.mark.parametrize(
    ("name", "labels"),
    [("x_train", "y_train"), ("X_test", "y_test"), ("images", "labels"), ("train_images", "train_labels"), ("faces", "y")],
)
def test_labels_are_found_beside_images_by_name(tmp_path: Path, name: str, labels: str) -> None:
    save(tmp_path / f"{labels}.npy", np.array([[3], [1], [2]], "u1"))
    assert opened(save(tmp_path / f"{name}.npy", images(3, 8, 9))).table["label"].to_pylist() == [3, 1, 2]


def test_labels_of_one_name_are_not_taken_for_one_of_several_arrays(tmp_path: Path) -> None:
    save(tmp_path / "labels.npy", np.arange(3))
    save(tmp_path / "other.npy", images(7, 8, 9))
    source = opened(save(tmp_path / "faces.npy", images(3, 8, 9)))
    assert source.table.column_names == ["key"] and "no file of labels" in source.report.notes[0]


def test_names_become_classes(tmp_path: Path) -> None:
    save(tmp_path / "y.npy", np.array(["dog", "cat", "dog"]))
    source = opened(save(tmp_path / "x.npy", images(3, 8, 9)))
    assert source.table["label"].to_pylist() == [1, 0, 1] and source.schema.classes == {"label": ("cat", "dog")}


@pytest.mark.parametrize("count", [2, 4])
def test_wrongly_described_labels_of_another_number_are_refused(tmp_path: Path, count: int) -> None:
    save(tmp_path / "y.npy", np.arange(count))
    with pytest.raises(LabelMismatchError, match=rf"y\.npy: {count} labels for the 3 images"):
        opened(save(tmp_path / "x.npy", images(3, 8, 9)))


def test_wrongly_described_labels_that_are_fractions_are_refused(tmp_path: Path) -> None:
    save(tmp_path / "y.npy", np.array([1.0, 2.5, np.nan]))
    with pytest.raises(LabelMismatchError, match=r"2 labels are no integers, the first is 2\.5 of image 1"):
        opened(save(tmp_path / "x.npy", images(3, 8, 9)))
    save(tmp_path / "y.npy", np.array([1.0, 2.0, 0.0]))
    assert opened(tmp_path / "x.npy").table["label"].to_pylist() == [1, 2, 0]


def test_wrongly_described_a_header_that_lies_is_refused(tmp_path: Path) -> None:
    whole = save(tmp_path / "x.npy", images(3, 8, 9)).read_bytes()
    (tmp_path / "x.npy").write_bytes(whole[:-1])
    with pytest.raises(StoreTruncatedError, match=r"needs 344 bytes, 343 are there"):
        opened(tmp_path / "x.npy")
    (tmp_path / "x.npy").write_bytes(whole + b"x")
    with pytest.raises(CorruptStoreError, match=r"needs 344 bytes, 345 are there"):
        opened(tmp_path / "x.npy")


class Runs:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("touch pwned",)


def test_arrays_of_objects_are_never_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UnsafeInputError, match="nothing was run"):
        opened(save(tmp_path / "x.npy", np.array([Runs()], object)))
    save(tmp_path / "y.npy", np.array([Runs()] * 3, object))
    with pytest.raises(UnsafeInputError, match="nothing was run"):
        opened(save(tmp_path / "x.npy", images(3, 8, 9)))
    assert not (tmp_path / "pwned").exists()


@pytest.mark.parametrize("array", [images(4, 30), images(4, 2, 8, 9, 3), images(4, 6, 9, 7), images(2, 3, 4).astype("c8"), np.array(["a"])])
def test_what_is_no_array_of_images_is_named(tmp_path: Path, array: Any) -> None:
    with pytest.raises(UnsupportedImageError, match=r"x\.npy"):
        opened(save(tmp_path / "x.npy", array))
