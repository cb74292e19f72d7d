"""Archives and arrays as others make them: webdataset, tarfile, zipfile and NumPy themselves, MNIST's files by their description."""

from __future__ import annotations

import gzip
import io
import struct
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import webdataset
from numpy.typing import NDArray
from PIL import Image

COUNT = 8


def pixels(count: int = COUNT, *more: int) -> NDArray[np.uint8]:
    """Return images of 20 × 24, every one different."""
    return np.random.default_rng(count).integers(0, 256, (count, 20, 24, *more), np.uint8)


def encoded(image: NDArray[Any], form: str = "PNG") -> bytes:
    made = io.BytesIO()
    Image.fromarray(image).save(made, form)
    return made.getvalue()


def photos() -> list[bytes]:
    return [encoded(image) for image in pixels(COUNT, 3)]


def shards(folder: Path) -> list[bytes]:
    """Write two shards with labels, captions and masks through webdataset's ShardWriter."""
    folder.mkdir()
    images = photos()
    with webdataset.ShardWriter(f"{folder}/train-%06d.tar", maxcount=COUNT // 2, verbose=0) as writer:
        for number, image in enumerate(images):
            described = {"png": image, "cls": number % 3, "json": {"width": 24, "caption": f"photo {number}"}}
            writer.write({"__key__": f"{number:04}", **described, "mask.png": encoded(pixels(number + 1)[number])})
    return images


def tar(path: Path, mode: str = "w") -> list[bytes]:
    """Write an archive of a folder of classes with tarfile."""
    images = photos()
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for number, image in enumerate(images):
            info = tarfile.TarInfo(f"photos/{('cat', 'dog')[number * 2 // COUNT]}/{number}.png")
            info.size = len(image)
            archive.addfile(info, io.BytesIO(image))
    return images


def zipped(path: Path, method: int = zipfile.ZIP_STORED) -> list[bytes]:
    images = photos()
    with zipfile.ZipFile(path, "w", method) as archive:
        for number, image in enumerate(images):
            archive.writestr(f"{('cat', 'dog')[number * 2 // COUNT]}/{number}.png", image)
    return images


def idx(array: NDArray[np.uint8]) -> bytes:
    """Return an array of bytes as an IDX file."""
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


def mnist(folder: Path, *, compressed: bool = False) -> list[bytes]:
    """Write the four files that MNIST is published as."""
    folder.mkdir()
    images = pixels()
    for name, rows in (("train", slice(0, 5)), ("t10k", slice(5, COUNT))):
        for kind, array in (("images-idx3", images[rows]), ("labels-idx1", np.arange(COUNT, dtype=np.uint8)[rows])):
            content = idx(array)
            ending = ".gz" if compressed else ""
            (folder / f"{name}-{kind}-ubyte{ending}").write_bytes(gzip.compress(content) if compressed else content)
    return [image.tobytes() for image in images]


def npy(path: Path) -> list[bytes]:
    path.mkdir()
    images = pixels(COUNT, 3)
    np.save(path / "images.npy", images)
    np.save(path / "labels.npy", np.arange(COUNT) % 3)
    return [image.tobytes() for image in images]


def npz(path: Path, *, compressed: bool = False) -> list[bytes]:
    images = pixels(COUNT, 3)
    save = np.savez_compressed if compressed else np.savez
    save(path, x_train=images[:5], y_train=np.arange(5), x_test=images[5:], y_test=np.arange(COUNT - 5))
    return [image.tobytes() for image in images]
