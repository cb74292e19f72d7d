"""Foreign data as others would make it, written with their own tools: pickle, Pillow, csv, py-lmdb, h5py, tarfile."""

from __future__ import annotations

import csv
import importlib
import pickle
import sys
import tarfile
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import h5py
import lmdb
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from pixstore.source import Source
from pixstore.sources import (
    arrow,
    caffe_leveldb,
    caffe_lmdb,
    cifar,
    cifar_binary,
    folder,
    hdf5_images,
    idx,
    lmdb_arrays,
    lmdb_basicsr,
    lmdb_databases,
    lmdb_images,
    lmdb_pairs,
    mds,
    npy,
    npz,
    nuclei,
    parquet,
    tfrecord,
    tutorial_hdf5,
    tutorial_lmdb,
    tutorial_png,
    webdataset,
    zip_images,
)

# The makers of LMDB files serve the tests of layouts too.
sys.path.append(str(Path(__file__).parents[1]))
foreign_databases = importlib.import_module("foreign_databases")
foreign_archives = importlib.import_module("foreign_archives")
foreign_tables = importlib.import_module("foreign_tables")

Pixels = NDArray[np.uint8]
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


class TutorialObject:
    """What the tutorial pickles; the sources must never need this class."""

    def __init__(self, image: Pixels, label: Any) -> None:
        self.channels = image.shape[2]
        self.size = image.shape[:2]
        self.image = image.tobytes()
        self.label = label


def make_images(count: int, *, height: int = 32, width: int = 32) -> Pixels:
    """Return (count, height, width, 3) uint8, every image different."""
    return np.random.default_rng(count).integers(0, 256, (count, height, width, 3), dtype=np.uint8)


def planes(images: Pixels) -> Pixels:
    """Return the images as rows of red, green and blue planes, as CIFAR keeps them."""
    return np.ascontiguousarray(images.transpose(0, 3, 1, 2)).reshape(len(images), -1)


def write_cifar(path: Path, *, per_batch: int = 4, protocol: int = 2, batches: Sequence[str] = tuple(cifar.CIFAR_10.batches)) -> Pixels:
    """Write CIFAR-10 python batches and the meta file; return all images in file order."""
    path.mkdir()
    images = make_images(per_batch * len(batches))
    for number, name in enumerate(batches):
        rows = slice(number * per_batch, (number + 1) * per_batch)
        content = {
            b"data": planes(images[rows]),
            b"labels": [(number + row) % 10 for row in range(per_batch)],
            b"filenames": [f"{name}_{row}.png".encode() for row in range(per_batch)],
        }
        (path / name).write_bytes(pickle.dumps(content, protocol))
    (path / "batches.meta").write_bytes(pickle.dumps({b"label_names": [name.encode() for name in CLASSES]}, protocol))
    return images


def write_archive(folder_path: Path, path: Path, mode: str) -> Path:
    """Pack a folder as tar ("w", "w:gz", "w:xz", "w:bz2")."""
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        archive.add(folder_path, arcname="cifar-10-batches-py")
    return path


def write_cifar_binary(path: Path, *, per_batch: int = 3) -> Pixels:
    path.mkdir()
    names = list(cifar_binary.CIFAR_10.files)
    images = make_images(per_batch * len(names))
    for number, name in enumerate(names):
        rows = planes(images[number * per_batch : (number + 1) * per_batch])
        (path / name).write_bytes(b"".join(bytes([row % 10]) + pixels.tobytes() for row, pixels in enumerate(rows)))
    (path / "batches.meta.txt").write_text("\n".join(CLASSES) + "\n\n")
    return images


def write_lmdb(path: Path, images: Sequence[Pixels] | Pixels, labels: Sequence[Any], *, protocol: int = 4, subdir: bool = True) -> None:
    environment = lmdb.open(str(path), map_size=1 << 24, subdir=subdir, lock=subdir)
    with environment.begin(write=True) as transaction:
        for number, (image, label) in enumerate(zip(images, labels, strict=True)):
            transaction.put(f"{number:08}".encode("ascii"), pickle.dumps(TutorialObject(image, label), protocol))
    environment.close()


def write_hdf5(path: Path, images: Pixels, labels: Sequence[int], **storage: Any) -> None:
    with h5py.File(path, "w") as file:
        file.create_dataset("images", images.shape, h5py.h5t.STD_U8BE, data=images, **storage)
        file.create_dataset("meta", (len(labels),), h5py.h5t.STD_U8BE, data=labels)


def write_table(path: Path, labels: Sequence[Any]) -> None:
    with open(path, "w") as file:
        writer = csv.writer(file, delimiter=" ", quotechar="|", quoting=csv.QUOTE_MINIMAL)
        for label in labels:
            writer.writerow([label])


def write_numbered_png(path: Path, images: Pixels) -> None:
    path.mkdir(exist_ok=True)
    for number, image in enumerate(images):
        Image.fromarray(image).save(path / f"{number}.png")


@dataclass(frozen=True)
class Made:
    """One layout on disk: its class, where it is, and the bytes its records should have."""

    source: type[Source]
    path: Path
    records: list[bytes]


def _folder(path: Path) -> Made:
    for name in ("cat", "dog"):
        (path / "photos" / name).mkdir(parents=True)
        for number, image in enumerate(make_images(4)):
            Image.fromarray(image).save(path / "photos" / name / f"{number}.png")
    files = sorted((path / "photos").rglob("*.png"))
    return Made(folder.SOURCE, path / "photos", [file.read_bytes() for file in files])


def _cifar(path: Path) -> Made:
    images = write_cifar(path / "batches", protocol=4)
    return Made(cifar.SOURCE, path / "batches", [row.tobytes() for row in planes(images)])


def _cifar_archive(path: Path) -> Made:
    images = write_cifar(path / "batches")
    return Made(cifar.SOURCE, write_archive(path / "batches", path / "cifar.tar.gz", "w:gz"), [row.tobytes() for row in planes(images)])


def _cifar_binary(path: Path) -> Made:
    return Made(cifar_binary.SOURCE, path / "binary", [row.tobytes() for row in planes(write_cifar_binary(path / "binary"))])


def _lmdb(path: Path) -> Made:
    images = make_images(40)
    write_lmdb(path / "40_lmdb", images, list(range(40)))
    return Made(tutorial_lmdb.SOURCE, path / "40_lmdb", [image.tobytes() for image in images])


def _hdf5(path: Path) -> Made:
    images = make_images(10)
    write_hdf5(path / "10_many.h5", images, list(range(10)))
    return Made(tutorial_hdf5.SOURCE, path / "10_many.h5", [image.tobytes() for image in images])


def _hdf5_compressed(path: Path) -> Made:
    images = make_images(10)
    write_hdf5(path / "10_many.h5", images, list(range(10)), compression="gzip", chunks=(3, 32, 32, 3))
    return Made(tutorial_hdf5.SOURCE, path / "10_many.h5", [image.tobytes() for image in images])


def _hdf5_images(path: Path) -> Made:
    images = make_images(10)
    with h5py.File(path / "photos.h5", "w") as file:
        file["train/x"], file["train/y"] = images, np.arange(10)
    return Made(hdf5_images.SOURCE, path / "photos.h5", [image.tobytes() for image in images])


def _hdf5_images_compressed(path: Path) -> Made:
    images = make_images(10)
    with h5py.File(path / "photos.h5", "w") as file:
        file.create_dataset("x", data=images, chunks=(4, 20, 32, 3), compression="gzip", shuffle=True)
        file["y"] = np.arange(10)
    return Made(hdf5_images.SOURCE, path / "photos.h5", [image.tobytes() for image in images])


def _hdf5_images_encoded(path: Path) -> Made:
    files = [foreign_tables.png(image) for image in make_images(10)]
    with h5py.File(path / "photos.h5", "w") as file:
        rows = file.create_dataset("jpgs", (10,), h5py.vlen_dtype(np.uint8))
        for number, data in enumerate(files):
            rows[number] = np.frombuffer(data, np.uint8)
    return Made(hdf5_images.SOURCE, path / "photos.h5", files)


def _png(path: Path) -> Made:
    write_numbered_png(path / "disk", make_images(12))
    write_table(path / "disk" / "12.csv", range(12))
    return Made(tutorial_png.SOURCE, path / "disk", [(path / "disk" / f"{number}.png").read_bytes() for number in range(12)])


def _database(source: type[Source], write: Callable[[Path], list[bytes]]) -> Callable[[Path], Made]:
    return lambda path: Made(source, path / "cats_lmdb", write(path / "cats_lmdb"))


def _nuclei(path: Path) -> Made:
    for number, image in enumerate(make_images(4)):
        for folder_name, pixels in (("images", [image]), ("masks", [image[..., 0], image[..., 1]])):
            (path / "cells" / f"cell{number}" / folder_name).mkdir(parents=True)
            for place, each in enumerate(pixels):
                Image.fromarray(each).save(path / "cells" / f"cell{number}" / folder_name / f"{place}.png")
    files = sorted((path / "cells").glob("*/images/*.png"))
    return Made(nuclei.SOURCE, path / "cells", [file.read_bytes() for file in files])


def _archive(source: type[Source], name: str, write: Callable[..., list[bytes]], inner: str = "", **options: Any) -> Callable[[Path], Made]:
    """Return what writes at `name`; `inner` is the file in it that is opened."""
    return lambda path: Made(source, path / name / inner, write(path / name, **options))


LAYOUTS: dict[str, Callable[[Path], Made]] = {
    "webdataset": _archive(webdataset.SOURCE, "shards", foreign_archives.shards),
    "webdataset-tar": _archive(webdataset.SOURCE, "photos.tar", foreign_archives.tar),
    "webdataset-tar-gz": _archive(webdataset.SOURCE, "photos.tar.gz", foreign_archives.tar, mode="w:gz"),
    "zip": _archive(zip_images.SOURCE, "photos.zip", foreign_archives.zipped),
    "zip-compressed": _archive(zip_images.SOURCE, "photos.zip", foreign_archives.zipped, method=zipfile.ZIP_DEFLATED),
    "mnist-idx": _archive(idx.SOURCE, "mnist", foreign_archives.mnist),
    "mnist-idx-gz": _archive(idx.SOURCE, "mnist", foreign_archives.mnist, compressed=True),
    "npy": _archive(npy.SOURCE, "arrays", foreign_archives.npy, "images.npy"),
    "npz": _archive(npz.SOURCE, "arrays.npz", foreign_archives.npz),
    "npz-gz": _archive(npz.SOURCE, "arrays.npz", foreign_archives.npz, compressed=True),
    "nuclei": _nuclei,
    "caffe-lmdb": _database(caffe_lmdb.SOURCE, foreign_databases.caffe),
    "caffe-lmdb-encoded": _database(caffe_lmdb.SOURCE, foreign_databases.caffe_encoded),
    "caffe-lmdb-floats-compressed": _database(caffe_lmdb.SOURCE, foreign_databases.caffe_floats),
    "caffe-leveldb-compressed": _database(caffe_leveldb.SOURCE, foreign_databases.caffe_level),
    "basicsr-lmdb": _database(lmdb_basicsr.SOURCE, foreign_databases.basicsr),
    "lmdb-arrays": _database(lmdb_arrays.SOURCE, foreign_databases.arrays),
    "lmdb-pairs": _database(lmdb_pairs.SOURCE, foreign_databases.pairs),
    "lmdb-databases": _database(lmdb_databases.SOURCE, foreign_databases.databases),
    "lmdb-images": _database(lmdb_images.SOURCE, foreign_databases.of_images),
    "folder": _folder,
    "cifar": _cifar,
    "cifar-archive": _cifar_archive,
    "cifar-binary": _cifar_binary,
    "tutorial-lmdb": _lmdb,
    "tutorial-hdf5": _hdf5,
    "tutorial-hdf5-compressed": _hdf5_compressed,
    "hdf5": _hdf5_images,
    "hdf5-compressed": _hdf5_images_compressed,
    "hdf5-encoded": _hdf5_images_encoded,
    "tutorial-png": _png,
    "parquet-compressed": _archive(parquet.SOURCE, "shards", foreign_tables.parquet_shards),
    "arrow": _archive(arrow.SOURCE, "cats.arrow", foreign_tables.arrow_stream),
    "arrow-compressed": _archive(arrow.SOURCE, "cats.feather", foreign_tables.feather_file),
    "tfrecord": _archive(tfrecord.SOURCE, "cats.tfrecord", foreign_tables.tfrecord),
    "tfrecord-gz": _archive(tfrecord.SOURCE, "cats.tfrecord.gz", foreign_tables.tfrecord, compressed=True),
    "tfrecord-raw": _archive(tfrecord.SOURCE, "cats.tfrecord", foreign_tables.tfrecord_raw),
    "mds": _archive(mds.SOURCE, "mds", foreign_tables.mds),
    "mds-arrays": _archive(mds.SOURCE, "mds", foreign_tables.mds_arrays),
    "mds-compressed": _archive(mds.SOURCE, "mds", foreign_tables.mds, compressed=True),
}


@pytest.fixture
def make() -> ModuleType:
    """This module, for the tests beside it: they cannot import it by name."""
    return sys.modules[__name__]


@pytest.fixture(params=sorted(LAYOUTS))
def made(request: pytest.FixtureRequest, tmp_path: Path) -> Made:
    """Every layout in turn."""
    return LAYOUTS[request.param](tmp_path)
