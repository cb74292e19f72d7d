"""Exported as HDF5: h5py alone finds the same pixels, keys, labels, columns and names, and so does our own source."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import pixstore
from pixstore import layout
from pixstore.errors import InvalidInputError, LossNotAcceptedError

COUNT = 12


def images_of(dtype: str = "uint8", channels: int = 3) -> NDArray[Any]:
    return (np.random.default_rng(0).random((COUNT, 6, 7, channels)) * 250).astype(dtype)


def filled(path: Path, images: Any, **options: Any) -> Path:
    with pixstore.Writer(path, durability="process", **options) as writer:
        for number, image in enumerate(images):
            writer.add(image, key=f"photo/{number}", label=number - 3)
    return path


@pytest.mark.parametrize("most", [1, 32 << 20], ids=["one at a time", "at once"])
@pytest.mark.parametrize(
    ("dtype", "channels", "codec"), [("uint8", 3, "png"), ("uint8", 4, "keep"), ("uint16", 1, "png"), ("float32", 2, "keep")]
)
def test_h5py_finds_images_of_one_shape_in_one_dataset(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dtype: str, channels: int, codec: str, most: int
) -> None:
    monkeypatch.setattr(layout, "READ_BYTES", most)
    images = images_of(dtype, channels)
    filled(tmp_path / "s", images, codec=codec)
    pixstore.export(tmp_path / "s", tmp_path / "out.h5", to="hdf5", check=True)
    with h5py.File(tmp_path / "out.h5") as file:
        np.testing.assert_array_equal(file["image"][()], images)
        assert file["image"].chunks is None and file["image"].dtype == np.dtype(dtype)
        assert file["label"][()].tolist() == list(range(-3, COUNT - 3))
        assert file["key"].asstr()[()].tolist() == [f"photo/{number}" for number in range(COUNT)]
    found = pixstore.open(tmp_path / "out.h5")
    np.testing.assert_array_equal(found[:]["image"], images)
    assert found.table.equals(pixstore.open(tmp_path / "s").table)


def test_columns_class_names_and_attributes_are_kept(tmp_path: Path) -> None:
    columns: dict[str, Any] = {
        "label": np.arange(COUNT) % 2,
        "score": np.linspace(0, 1, COUNT),
        "is_front": np.arange(COUNT) > 4,
        "camera": ["left", "rïght"] * 6,
        "box": [[number, 2, 3, 4] for number in range(COUNT)],
    }
    with h5py.File(tmp_path / "in.h5", "w") as file:
        file["images"] = images_of()
        for name, values in columns.items():
            file[name] = values
        file["classes"] = [b"cat", b"dog"]
        file.attrs["made"], file.attrs["scale"], file.attrs["axes"] = "by hand", 0.5, ["y", "x"]
        file["label"].attrs["by"] = "three people"
    pixstore.convert(tmp_path / "in.h5", tmp_path / "s")
    pixstore.export(tmp_path / "s", tmp_path / "out.h5", to="hdf5", check=True)
    with h5py.File(tmp_path / "out.h5") as file:
        assert file["box"][()].tolist() == columns["box"] and file["is_front"].dtype == np.bool_
        assert file["camera"].asstr()[()].tolist() == columns["camera"]
        assert file["label_classes"].asstr()[()].tolist() == ["cat", "dog"]
        assert (file.attrs["made"], file.attrs["scale"], list(file.attrs["axes"])) == ("by hand", 0.5, ["y", "x"])
    first, again = pixstore.open(tmp_path / "in.h5"), pixstore.open(tmp_path / "out.h5")
    assert again.schema.attributes == first.schema.attributes
    assert again.schema.attributes == {"made": "by hand", "scale": 0.5, "axes": ["y", "x"], "/label": {"by": "three people"}}
    assert again.classes == ("cat", "dog")
    assert sorted(again.table.column_names) == sorted(first.table.column_names)
    assert again.table.select(first.table.column_names).equals(first.table)


def test_encoded_images_of_several_sizes_are_kept_byte_for_byte_in_a_group(tmp_path: Path) -> None:
    files = []
    for number in range(COUNT):
        made = io.BytesIO()
        Image.fromarray(images_of()[number, : 2 + number % 4]).save(made, "JPEG" if number % 2 else "PNG")
        files.append(made.getvalue())
    filled(tmp_path / "s", files)
    pixstore.export(tmp_path / "s", tmp_path / "out.h5", to="hdf5", check=True)
    with h5py.File(tmp_path / "out.h5") as file:
        assert [file[f"image/{number:08}"][()].tobytes() for number in range(COUNT)] == files
    found = pixstore.open(tmp_path / "out.h5")
    assert [found.encoded(row) for row in range(COUNT)] == files
    assert found.table.equals(pixstore.open(tmp_path / "s").table)


def test_arrays_of_several_sizes_are_a_group_of_arrays(tmp_path: Path) -> None:
    images = [image[: 2 + number % 4] for number, image in enumerate(images_of("float32"))]
    filled(tmp_path / "s", images)
    pixstore.export(tmp_path / "s", tmp_path / "out.h5", to="hdf5", check=True)
    with h5py.File(tmp_path / "out.h5") as file:
        assert all(np.array_equal(file[f"image/{number:08}"][()], image) for number, image in enumerate(images))


def test_further_fields_are_datasets_of_their_own(tmp_path: Path) -> None:
    images, masks = images_of(), images_of(channels=1)[..., 0]
    with pixstore.Writer(tmp_path / "s", durability="process") as writer:
        writer.add_batch(images, mask=masks)
    pixstore.export(tmp_path / "s", tmp_path / "out.h5", to="hdf5", check=True)
    with h5py.File(tmp_path / "out.h5") as file:
        np.testing.assert_array_equal(file["image"][()], images)
        np.testing.assert_array_equal(file["mask"][..., 0], masks)
    found = pixstore.open(tmp_path / "out.h5")[:]
    np.testing.assert_array_equal(found["image"], images)
    np.testing.assert_array_equal(found["mask"][..., 0], masks)


def test_what_hdf5_does_not_hold_is_named_and_asked_for(tmp_path: Path) -> None:
    with pixstore.Writer(tmp_path / "s", durability="process") as writer:
        for number, image in enumerate(images_of()):
            writer.add(image, label=None if number == 2 else 1, tags=["a"] * number)
    with pytest.raises(LossNotAcceptedError, match="columns that are left out: label, tags"):
        pixstore.export(tmp_path / "s", tmp_path / "out.h5", to="hdf5")
    pixstore.export(tmp_path / "s", tmp_path / "out.h5", to="hdf5", accept=["columns"])
    with h5py.File(tmp_path / "out.h5") as file:
        assert sorted(file) == ["image", "key"]


def test_what_is_no_image_of_height_width_and_channels_is_refused(tmp_path: Path) -> None:
    filled(tmp_path / "s", np.zeros((3, 2, 3, 4, 5), np.float32))
    with pytest.raises(InvalidInputError, match=r"field 'image' has 2x3x4x5; only a store keeps it"):
        pixstore.export(tmp_path / "s", tmp_path / "out.h5", to="hdf5", accept="all")
