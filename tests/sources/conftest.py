"""Foreign data as others would make it, written with their own tools: pickle, Pillow, csv, py-lmdb, h5py, tarfile."""

from __future__ import annotations

import csv
import pickle
import sys
import tarfile
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
from pixstore.sources import cifar, cifar_binary, folder, tutorial_hdf5, tutorial_lmdb, tutorial_png

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


def _png(path: Path) -> Made:
    write_numbered_png(path / "disk", make_images(12))
    write_table(path / "disk" / "12.csv", range(12))
    return Made(tutorial_png.SOURCE, path / "disk", [(path / "disk" / f"{number}.png").read_bytes() for number in range(12)])


LAYOUTS: dict[str, Callable[[Path], Made]] = {
    "folder": _folder,
    "cifar": _cifar,
    "cifar-archive": _cifar_archive,
    "cifar-binary": _cifar_binary,
    "tutorial-lmdb": _lmdb,
    "tutorial-hdf5": _hdf5,
    "tutorial-hdf5-compressed": _hdf5_compressed,
    "tutorial-png": _png,
}


@pytest.fixture
def make() -> ModuleType:
    """This module, for the tests beside it: they cannot import it by name."""
    return sys.modules[__name__]


@pytest.fixture(params=sorted(LAYOUTS))
def made(request: pytest.FixtureRequest, tmp_path: Path) -> Made:
    """Every layout in turn."""
    return LAYOUTS[request.param](tmp_path)
