from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

import pixstore
from pixstore.bench.check import difference
from pixstore.bench.ways.base import Work
from pixstore.bench.ways.tutorial_hdf5 import FILE, WAY
from pixstore.errors import InvalidInputError


def test_images_and_labels_are_two_datasets_of_unsigned_bytes(work: Work, tmp_path: Path) -> None:
    WAY.store_many(tmp_path, work)
    with h5py.File(tmp_path / FILE, "r") as file:
        assert {name: file[name].shape for name in file} == {"images": (6, 8, 6, 3), "meta": (6,)}
        assert file["images"].id.get_type().equal(h5py.h5t.STD_U8BE)
    assert difference(WAY.read_many(tmp_path, work), work, np.arange(6)) is None
    assert difference(WAY.read_shuffled(tmp_path, work), work, work.order) is None
    assert WAY.title(work) == ""


def test_one_image_is_called_image(work: Work, tmp_path: Path) -> None:
    WAY.store_one(tmp_path, work)
    with h5py.File(tmp_path / FILE, "r") as file:
        assert set(file) == {"image", "meta"}
    assert difference(WAY.read_one(tmp_path, work), work, np.arange(1)) is None


def test_images_of_several_sizes_get_a_dataset_each_and_say_so(mixed_work: Work, tmp_path: Path) -> None:
    WAY.store_many(tmp_path, mixed_work)
    assert difference(WAY.read_many(tmp_path, mixed_work), mixed_work, np.arange(4)) is None
    assert difference(WAY.read_shuffled(tmp_path, mixed_work), mixed_work, mixed_work.order) is None
    assert WAY.title(mixed_work) == "HDF5, tutorial, one dataset per image"


@pytest.mark.parametrize("label", [256, -1])
def test_labels_that_do_not_fit_a_byte_are_refused(work: Work, tmp_path: Path, label: int) -> None:
    labels = work.labels.copy()
    labels[2] = label
    with pytest.raises(InvalidInputError, match=str(label)):
        WAY.store_many(tmp_path, Work(work.images, labels))


def test_our_source_reads_its_files(work: Work, tmp_path: Path) -> None:
    WAY.store_many(tmp_path, work)
    with pixstore.open(tmp_path / FILE) as dataset:
        assert np.array_equal(dataset[:]["image"], work.images)
        assert list(dataset[:]["label"]) == work.labels.tolist()
