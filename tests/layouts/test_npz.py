"""Exported as .npz: numpy.load alone finds the same pixels, labels, keys and columns, and so does our own source."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pixstore
from pixstore import layout
from pixstore.errors import InvalidInputError, LossNotAcceptedError
from pixstore.rows import Extents

COUNT = 12


def images(dtype: str = "uint8", *shape: int) -> Any:
    return (np.random.default_rng(0).random((COUNT, *(shape or (6, 7, 3)))) * 250).astype(dtype)


def store(path: Path, array: Any, **columns: Any) -> pixstore.Dataset:
    with pixstore.Writer(path, durability="process") as writer:
        for number, image in enumerate(array):
            writer.add(image, key=f"photo/{number}", label=number - 3, **{name: values[number] for name, values in columns.items()})
    return pixstore.open(path)


@pytest.mark.parametrize("most", [1, 32 << 20], ids=["one at a time", "at once"])
@pytest.mark.parametrize(
    ("dtype", "shape"),
    [
        ("uint8", (6, 7, 3)),
        ("uint8", (6, 7)),
        ("uint16", (6, 7, 1)),
        ("float32", (6, 7, 2)),
        ("bool", (6, 7)),
        ("uint8", (16, 17, 9)),
        ("uint8", (6, 7, 4)),
    ],
)
def test_numpy_finds_the_same_arrays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dtype: str, shape: tuple[int, ...], most: int
) -> None:
    monkeypatch.setattr(layout, "READ_BYTES", most)
    array = images(dtype, *shape)
    dataset = store(tmp_path / "s", array)
    pixstore.export(tmp_path / "s", tmp_path / "out.npz", to="npz", check=True)
    with np.load(tmp_path / "out.npz", allow_pickle=False) as found:
        np.testing.assert_array_equal(found["images"], array)
        assert found["images"].dtype == array.dtype
        assert found["labels"].tolist() == list(range(-3, COUNT - 3))
        assert found["key"].tolist() == [f"photo/{number}" for number in range(COUNT)]
    again = pixstore.open(tmp_path / "out.npz")
    np.testing.assert_array_equal(again.read(slice(None))["image"], array)
    assert again.table.equals(dataset.table) and isinstance(again.located("image", [0]).place, Extents)


@pytest.mark.parametrize("width", [3, 4])
def test_narrow_grey_images_are_not_taken_for_one_image(tmp_path: Path, width: int) -> None:
    array = images("uint8", 6, width)
    store(tmp_path / "s", array)
    pixstore.export(tmp_path / "s", tmp_path / "out.npz", to="npz")
    assert np.array_equal(pixstore.open(tmp_path / "out.npz").read(slice(None))["image"][..., 0], array)


def test_columns_and_masks_are_arrays_too(tmp_path: Path) -> None:
    with pixstore.Writer(tmp_path / "s") as writer:
        for number, image in enumerate(images()):
            columns = {"score": number / 2, "side": ("left", "rïght")[number % 2], "target": number}
            writer.add(image, mask=image[..., 0], label=1, **columns)
    pixstore.export(tmp_path / "s", tmp_path / "out.npz", to="npz", check=True)
    with np.load(tmp_path / "out.npz") as found:
        assert sorted(found) == ["images", "key", "labels", "mask", "score", "side", "target"]
    dataset, again = pixstore.open(tmp_path / "s"), pixstore.open(tmp_path / "out.npz")
    assert again.table.select(dataset.table.column_names).equals(dataset.table)
    assert np.array_equal(again.read(slice(None))["mask"], images()[..., 0])


def test_names_of_labels_are_kept(tmp_path: Path) -> None:
    np.savez(tmp_path / "in.npz", images=images(), labels=["dog", "cat", "cow"] * 4)
    pixstore.convert(tmp_path / "in.npz", tmp_path / "s")
    pixstore.export(tmp_path / "s", tmp_path / "out.npz", to="npz", check=True)
    assert pixstore.open(tmp_path / "out.npz").classes == ("cat", "cow", "dog")


def test_what_arrays_do_not_hold_is_refused_or_named(tmp_path: Path) -> None:
    store(tmp_path / "a", [np.zeros((5, 6, 3), np.uint8), np.zeros((6, 5, 3), np.uint8)])
    with pytest.raises(InvalidInputError, match="npz holds images of one shape"):
        pixstore.export(tmp_path / "a", tmp_path / "a.npz", to="npz")
    store(tmp_path / "b", images("uint8", 3, 8, 9))
    with pytest.raises(InvalidInputError, match=r"field 'image' has 3·8·9"):
        pixstore.export(tmp_path / "b", tmp_path / "b.npz", to="npz")
    store(tmp_path / "c", images(), box=[[1, 2]] * COUNT, note=["zero\0"] * COUNT)
    with pytest.raises(LossNotAcceptedError, match="box, note"):
        pixstore.export(tmp_path / "c", tmp_path / "c.npz", to="npz")


@pytest.mark.parametrize("values", [[0.5, 1.5], [3, 4], ["b", "a"]])
def test_a_column_called_as_labels_are_is_not_taken_for_labels(tmp_path: Path, values: list[Any]) -> None:
    with pixstore.Writer(tmp_path / "s", durability="process") as writer:
        writer.add_batch(np.zeros((2, 4, 5, 3), np.uint8), target=values)
    with pytest.raises(LossNotAcceptedError, match="columns that are left out: target"):
        pixstore.export(tmp_path / "s", tmp_path / "out", to="npz")
    pixstore.export(tmp_path / "s", tmp_path / "out", to="npz", accept="columns")
    assert pixstore.open(tmp_path / "out").schema.columns.names == []
