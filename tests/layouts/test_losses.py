"""What layouts say they lose, and what they refuse: by name, with the samples and what to do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from PIL import Image

import pixstore
from pixstore.errors import InvalidInputError
from pixstore.layouts import losses


def store(path: Path, images: Any, **columns: Any) -> pixstore.Dataset:
    with pixstore.Writer(path / "s", durability="process") as writer:
        writer.add_batch(images, **columns)
    return pixstore.open(path / "s")


IMAGES = np.zeros((3, 4, 5, 3), np.uint8)


def test_columns_and_fields_that_are_not_kept_are_named(tmp_path: Path) -> None:
    dataset = store(tmp_path, IMAGES, mask=IMAGES[..., 0], label=[0, 1, 2], site=["a", "b", "c"])
    assert [(loss.name, loss.words) for loss in losses.columns_lost(dataset, {"label"})] == [("columns", "columns that are left out: site")]
    assert [loss.name for loss in losses.fields_lost(dataset)] == ["fields"]
    assert losses.fields_lost(dataset, ["image", "mask"]) == losses.columns_lost(dataset, {"label", "site"}) == []


def test_attributes_of_the_whole_are_named(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("image", data=IMAGES)
        file.attrs["site"] = "here"
    (loss,) = losses.attributes_lost(pixstore.open(tmp_path / "a.h5"))
    assert (loss.name, loss.words) == ("columns", "attributes of the dataset as a whole that are left out: site")


def test_class_names_are_a_loss_where_there_are_any(tmp_path: Path) -> None:
    for number in range(7):
        (tmp_path / f"c{number}").mkdir()
        Image.fromarray(IMAGES[0]).save(tmp_path / f"c{number}" / "a.png")
    (loss,) = losses.classes_lost(pixstore.open(tmp_path))
    assert loss.name == "classes" and "7 names" in loss.words and loss.words.endswith("c0, c1, c2, c3, c4 and 2 more")


def test_samples_without_an_image_are_counted_and_the_first_is_named(tmp_path: Path) -> None:
    with pixstore.Writer(tmp_path / "s", durability="process") as writer:
        writer.add(IMAGES[0], key="whole", mask=IMAGES[0, :, :, 0])
        writer.add(IMAGES[0], key="bare", mask=None)
    dataset = pixstore.open(tmp_path / "s")
    assert losses.missing_lost(dataset) == []
    assert [loss.words for loss in losses.missing_lost(dataset, "mask")] == ["1 samples have no mask, the first is 'bare'"]
    assert len(losses.formats_of(dataset, "mask")) == 1


@pytest.mark.parametrize("kind", ["PNG", "8-bit"])
def test_arrays_that_no_image_file_holds_are_refused(tmp_path: Path, kind: Any) -> None:
    dataset = store(tmp_path, IMAGES.astype(np.float32))
    with pytest.raises(InvalidInputError, match=r"field 'image' has 4·5·3 float32; hdf5 and npz hold it"):
        losses.require_pixels(dataset, "folder", kind)


def test_sixteen_bits_are_for_png_only(tmp_path: Path) -> None:
    dataset = store(tmp_path, IMAGES.astype(np.uint16))
    losses.require_pixels(dataset, "folder", "PNG")
    with pytest.raises(InvalidInputError, match=r"holds uint8 images.*uint16"):
        losses.require_pixels(dataset, "tutorial-png", "8-bit")


@pytest.mark.parametrize(
    ("labels", "most", "words"),
    [
        (["a", "b", "c"], None, "these are string"),
        ([0, 1, None], None, "1 have none, the first is '00000002'"),
        ([0, 1, 300], 255, "from 0 to 255, and these go from 0 to 300"),
        ([0, 1, -1], 255, "from -1 to 1"),
    ],
)
def test_labels_that_do_not_fit_are_refused(tmp_path: Path, labels: list[Any], most: int | None, words: str) -> None:
    with pytest.raises(InvalidInputError, match=words):
        losses.require_labels(store(tmp_path, IMAGES, label=labels), "tutorial-hdf5", most=most)


def test_no_labels_are_refused_and_fitting_ones_are_not(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match=r"there is no column 'label'"):
        losses.require_labels(store(tmp_path / "a", IMAGES), "tutorial-png")
    losses.require_labels(store(tmp_path / "b", IMAGES, label=[0, 255, 1]), "tutorial-hdf5", most=255)
