"""Exported as the tutorial's HDF5: its own reader, h5py, finds the same pixels and labels."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

import pixstore
from pixstore import layout
from pixstore.errors import InvalidInputError


@pytest.mark.parametrize("most", [1, 32 << 20], ids=["one at a time", "at once"])
@pytest.mark.parametrize("shape", [(6, 7, 3), (6, 7)], ids=["rgb", "grey"])
def test_the_tutorials_reader_finds_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shape: tuple[int, ...], most: int) -> None:
    monkeypatch.setattr(layout, "READ_BYTES", most)
    images = np.random.default_rng(0).integers(0, 256, (40, *shape), np.uint8)
    with pixstore.Writer(tmp_path / "s", codec="png", durability="process") as writer:
        writer.add_batch(images, label=np.arange(40) + 200)
    pixstore.export(tmp_path / "s", tmp_path / "many.h5", to="tutorial-hdf5", check=True)
    with h5py.File(tmp_path / "many.h5", "r") as file:
        found, labels = np.array(file["/images"]).astype("uint8"), np.array(file["/meta"]).astype("uint8")
    assert np.array_equal(found.reshape(images.shape), images) and labels.tolist() == list(range(200, 240))
    assert pixstore.open(tmp_path / "many.h5").table["label"].to_pylist() == labels.tolist()


def test_images_of_several_sizes_are_refused(tmp_path: Path) -> None:
    with pixstore.Writer(tmp_path / "s", durability="process") as writer:
        writer.add(np.zeros((3, 4, 3), np.uint8), label=1)
        writer.add(np.zeros((4, 4, 3), np.uint8), label=1)
    with pytest.raises(InvalidInputError, match=r"one size, and here are 3·4·3 and 4·4·3; tutorial-lmdb and folder hold both"):
        pixstore.export(tmp_path / "s", tmp_path / "out.h5", to="tutorial-hdf5", accept="all")


def test_labels_above_a_byte_are_refused(tmp_path: Path) -> None:
    with pixstore.Writer(tmp_path / "s", durability="process") as writer:
        writer.add(np.zeros((3, 4, 3), np.uint8), label=256)
    with pytest.raises(InvalidInputError, match="labels from 0 to 255, and these go from 256 to 256"):
        pixstore.export(tmp_path / "s", tmp_path / "out.h5", to="tutorial-hdf5", accept="all")
