"""Data that others have put on the net, as it lies: opened in place, trained from, converted, and exported back into its layout."""

from __future__ import annotations

import importlib
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import pixstore
from pixstore.layouts import catalog

sys.path.append(str(Path(__file__).parent))
contents = importlib.import_module("contents")


@dataclass(frozen=True)
class Real:
    """One dataset below the folder of real data: how many samples it has, and the layout that it goes back to."""

    where: str | dict[str, str]
    samples: int
    layout: str

    def open_in(self, folder: Path) -> Any:
        """Return what `pixstore.open` takes."""
        return folder / self.where if isinstance(self.where, str) else {name: folder / path for name, path in self.where.items()}


CAFFE, BASICSR, CATS = "lmdb-foreign/caffe-authorship", "lmdb-foreign/basicsr-realesrgan/tests/data", "hdf5-foreign/catvnoncat/datasets"
REAL = {
    "caffe-train": Real(f"{CAFFE}/train_lmdb", 38, "caffe-lmdb"),
    "caffe-test": Real(f"{CAFFE}/test_lmdb", 17, "caffe-lmdb"),
    "caffe-colour-train": Real(f"{CAFFE}/data/train_lmdb", 38, "caffe-lmdb"),
    "caffe-colour-test": Real(f"{CAFFE}/data/test_lmdb", 17, "caffe-lmdb"),
    "basicsr-high": Real(f"{BASICSR}/gt.lmdb", 2, "basicsr-lmdb"),
    "basicsr-low": Real(f"{BASICSR}/lq.lmdb", 2, "basicsr-lmdb"),
    "hdf5-train": Real(f"{CATS}/train_catvnoncat.h5", 209, "hdf5"),
    "hdf5-test": Real(f"{CATS}/test_catvnoncat.h5", 50, "hdf5"),
    "tfrecord": Real("tfrecord-foreign/captcha/train.tfrecord", 1854, "tfrecord"),
    "idx": Real("mnist-idx", 10_000, "npz"),
    "image-and-mask": Real({"image": "human-seg/Training_Images", "mask": "human-seg/Ground_Truth"}, 290, "folder"),
}


@pytest.mark.parametrize("name", REAL)
def test_real_data_is_the_same_in_place_in_a_store_and_taken_out_again(name: str, shared_data: Path, tmp_path: Path) -> None:
    real = REAL[name]
    with pixstore.open(real.open_in(shared_data)) as dataset:
        source = contents.Contents.of(dataset)
        assert len(source.keys) == real.samples
        pixstore.convert(dataset, tmp_path / "s", durability="process")
    with pixstore.open(tmp_path / "s") as dataset:
        store = contents.Contents.of(dataset)
        contents.require_same(source, store)
        report = pixstore.export(dataset, tmp_path / "out", to=real.layout, accept="all")
    found = tmp_path / "out"
    is_folder = real.layout == "folder"
    with pixstore.open({field: found / field for field in store.images} if is_folder else found) as dataset:
        contents.require_kept(store, contents.Contents.of(dataset), {loss.name for loss in report.losses}, is_folder=is_folder)


@pytest.mark.parametrize("name", REAL)
def test_real_data_is_trained_from_as_it_lies(name: str, shared_data: Path) -> None:
    with pixstore.open(REAL[name].open_in(shared_data)) as dataset:
        keys = [key for batch in dataset.loader(64, shuffle=True, seed=1) for key in batch["key"]]
        assert sorted(keys) == sorted(dataset.keys.to_pylist())


def test_every_file_of_these_layouts_is_among_them(shared_data: Path) -> None:
    endings = {"lmdb-foreign": "data.mdb", "hdf5-foreign": ".h5", "tfrecord-foreign": ".tfrecord", "mnist-idx": "-ubyte.gz"}
    named = [shared_data / each.where for each in REAL.values() if isinstance(each.where, str)]
    for folder, ending in endings.items():
        for path in (shared_data / folder).rglob(f"*{ending}"):
            assert any(path == each or each in path.parents for each in named), path
    assert {each.layout for each in REAL.values()} <= set(catalog.LAYOUTS)
