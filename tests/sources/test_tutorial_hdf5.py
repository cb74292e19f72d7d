"""The tutorial's HDF5: stacks, single images, one dataset per image, and what does not fit together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import pixstore
from pixstore.errors import (
    InvalidInputError,
    LabelMismatchError,
    NotAStoreError,
    PixstoreError,
    StoreTruncatedError,
    UnsafeInputError,
    UnsupportedImageError,
)
from pixstore.rows import Extents
from pixstore.source import SourceOptions
from pixstore.sources.tutorial_hdf5 import TutorialHdf5


def open_hdf5(path: Path) -> TutorialHdf5:
    return TutorialHdf5.open(path, SourceOptions())


def records_of(source: TutorialHdf5, rows: list[int] | None = None) -> list[bytes]:
    found = source.read("image", np.array(range(len(source)) if rows is None else rows, np.int64)).place
    assert isinstance(found, list)
    return [bytes(each) for each in found]


@pytest.mark.parametrize("dtype", [h5py.h5t.STD_U8BE, "u1"])
@pytest.mark.parametrize("storage", [{}, {"chunks": (4, 8, 8, 3)}, {"compression": "gzip"}])
def test_a_stack_is_read_however_it_is_stored(make: Any, tmp_path: Path, dtype: Any, storage: dict[str, Any]) -> None:
    images = make.make_images(21)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("images", images.shape, dtype, data=images, **storage)
        file.create_dataset("meta", (21, 1), dtype, data=np.arange(21)[:, None])
    assert TutorialHdf5.recognises(tmp_path / "a.h5")
    source = open_hdf5(tmp_path / "a.h5")
    assert source.table["label"].to_pylist() == list(range(21))
    assert source.schema.fields[0].shape == (32, 32, 3)
    rows = [20, 3, 4, 5, 3, 0]
    assert records_of(source, rows) == [images[row].tobytes() for row in rows]
    assert (source.locate("image", np.array([0])) is None) == bool(storage)


def test_grey_images_have_one_channel(tmp_path: Path) -> None:
    images = np.arange(60, dtype=np.uint8).reshape(3, 4, 5)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["images"], file["meta"] = images, np.zeros(3, np.uint8)
    assert open_hdf5(tmp_path / "a.h5").schema.fields[0].shape == (4, 5, 1)


def test_a_group_of_images_of_different_sizes_is_read_in_the_order_of_its_numbers(make: Any, tmp_path: Path) -> None:
    images = [make.make_images(1, height=4 + number, width=9)[0] for number in range(12)]
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for number, image in enumerate(images):
            file.create_dataset(f"images/{number}", image.shape, h5py.h5t.STD_U8BE, data=image)
        file["meta"] = np.arange(12)
    source = open_hdf5(tmp_path / "a.h5")
    assert records_of(source) == [image.tobytes() for image in images]
    assert not source.schema.fields[0].is_uniform
    located = source.locate("image", np.array([11, 2]))
    assert located is not None
    assert [located.formats[number].shape for number in located.format] == [(15, 9, 3), (6, 9, 3)]


def write_one(path: Path, image: Any, label: Any) -> None:
    with h5py.File(path, "w") as file:
        file.create_dataset("image", np.shape(image), h5py.h5t.STD_U8BE, data=image)
        file.create_dataset("meta", np.shape(label), h5py.h5t.STD_U8BE, data=label)


def test_a_file_of_one_image_and_a_folder_of_them_are_read(make: Any, tmp_path: Path) -> None:
    images = make.make_images(12)
    for number, image in enumerate(images):
        write_one(tmp_path / f"{number}.h5", image, number if number % 2 else [number])
    (tmp_path / "100_many.h5").touch()
    assert TutorialHdf5.recognises(tmp_path / "3.h5") and TutorialHdf5.recognises(tmp_path)
    one, source = open_hdf5(tmp_path / "3.h5"), open_hdf5(tmp_path)
    assert one.table.to_pydict() == {"key": ["00000000"], "label": [3]}
    assert records_of(one) == [images[3].tobytes()]
    assert source.table["key"].to_pylist() == [f"{number}.h5" for number in range(12)]
    assert source.table["label"].to_pylist() == list(range(12))
    assert records_of(source, [11, 2, 11]) == [images[row].tobytes() for row in (11, 2, 11)]
    located = source.locate("image", np.array([5]))
    assert located is not None and isinstance(located.place, Extents)
    assert list(located.place.paths) == [str(tmp_path / "5.h5")]
    assert [each.path for each in source.report.skipped] == ["100_many.h5"]


def test_a_folder_with_stacks_is_no_folder_of_single_images(make: Any, tmp_path: Path) -> None:
    make.write_hdf5(tmp_path / "1.h5", make.make_images(3), [1, 2, 3])
    with pytest.raises(NotAStoreError, match=r"1\.h5: does not hold one image"):
        open_hdf5(tmp_path)


@pytest.mark.parametrize(
    ("datasets", "error", "message"),
    [
        ({"images": np.zeros((3, 4, 4, 3), "u1"), "meta": np.zeros(2, "u1")}, LabelMismatchError, "3 images and 2 labels"),
        ({"images": np.zeros((3, 4, 4, 3), "u1"), "meta": np.zeros(3, "f4")}, LabelMismatchError, "one integer per image"),
        ({"images": np.zeros((3, 4, 4, 3), "u1"), "meta": np.zeros((3, 2), "u1")}, LabelMismatchError, "one integer per image"),
        ({"images": np.zeros((3, 4, 4, 3), "f4"), "meta": np.zeros(3, "u1")}, UnsupportedImageError, "float32"),
        ({"images": np.zeros((3, 4, 4, 3), "u2"), "meta": np.zeros(3, "u1")}, UnsupportedImageError, "uint16"),
        ({"images": np.zeros((3, 4), "u1"), "meta": np.zeros(3, "u1")}, UnsupportedImageError, r"\(3, 4\)"),
        ({"image": np.zeros(4, "u1"), "meta": np.zeros(1, "u1")}, UnsupportedImageError, r"\(4,\)"),
        ({"images/a/b": np.zeros((4, 4, 3), "u1"), "meta": np.zeros(1, "u1")}, NotAStoreError, "group within a group"),
    ],
)
def test_what_does_not_fit_together_is_named(tmp_path: Path, datasets: dict[str, Any], error: type[PixstoreError], message: str) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for name, value in datasets.items():
            file[name] = value
    assert TutorialHdf5.recognises(tmp_path / "a.h5")
    with pytest.raises(error, match=message) as caught:
        open_hdf5(tmp_path / "a.h5")
    assert str(tmp_path / "a.h5") in str(caught.value)


def test_a_place_within_the_file_and_an_order_of_colours_are_taken(make: Any, tmp_path: Path) -> None:
    images = make.make_images(3)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["images"], file["meta"] = images[..., ::-1].astype("f4"), [7, 8, 9]
    with pytest.raises(UnsupportedImageError, match=r"a\.h5::/images' takes it as it is"):
        open_hdf5(tmp_path / "a.h5")
    dataset = pixstore.open(f"{tmp_path / 'a.h5'}::/images", channel_order="bgr")
    np.testing.assert_array_equal(dataset[:]["image"], images.astype("f4"))
    assert dataset.table["label"].to_pylist() == [7, 8, 9]
    (tmp_path / "many").mkdir()
    write_one(tmp_path / "many" / "0.h5", images[0], 1)
    with pytest.raises(InvalidInputError, match="no place within and no order of colours"):
        pixstore.open(tmp_path / "many", channel_order="bgr")


def test_images_in_another_file_are_not_read(make: Any, tmp_path: Path) -> None:
    make.write_hdf5(tmp_path / "other.h5", make.make_images(2), [1, 2])
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["images"] = h5py.ExternalLink("other.h5", "/images")
        file["meta"] = np.zeros(2, np.uint8)
    assert TutorialHdf5.recognises(tmp_path / "a.h5")
    with pytest.raises(UnsafeInputError, match=r"other\.h5"):
        open_hdf5(tmp_path / "a.h5")


def test_a_cut_file_is_recognised_and_named(make: Any, tmp_path: Path) -> None:
    make.write_hdf5(tmp_path / "a.h5", make.make_images(20), list(range(20)))
    with open(tmp_path / "a.h5", "r+b") as file:
        file.truncate(30_000)
    assert TutorialHdf5.recognises(tmp_path / "a.h5")
    with pytest.raises(StoreTruncatedError, match="truncated file"):
        open_hdf5(tmp_path / "a.h5")


def test_other_layouts_are_not_recognised(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["train_set_x"] = np.zeros((2, 4, 4, 3), np.uint8)
    assert not TutorialHdf5.recognises(tmp_path / "a.h5")
    with pytest.raises(NotAStoreError, match="an HDF5 file with train_set_x; images and meta are expected"):
        open_hdf5(tmp_path / "a.h5")


def test_files_of_others_are_not_taken_for_this_layout(shared_data: Path) -> None:
    paths = [*(shared_data / "hdf5-foreign").rglob("*.h5"), *(shared_data / "badinput-lfs-pointers").rglob("*.h5")]
    assert len(paths) == 4
    assert not any(TutorialHdf5.recognises(path) for path in paths)
