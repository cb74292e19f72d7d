"""The tutorial's HDF5: one file with all images in one dataset and all labels in another, read back whole."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from pixstore.bench.ways.base import Found, Reader, Way, Work, require_bytes
from pixstore.errors import InvalidInputError

FILE = "images.h5"
LIBRARY_VERSION = str(h5py.version.hdf5_version)
LARGEST_LABEL = 255
BYTE = h5py.h5t.STD_U8BE


class TutorialHdf5(Way):
    """`images` and `meta` as unsigned 8-bit; where sizes differ, one dataset per image in a group."""

    name = "tutorial-hdf5"

    def title(self, work: Work) -> str:
        return "" if work.is_uniform else "HDF5, tutorial, one dataset per image"

    def store_one(self, folder: Path, work: Work) -> None:
        self._check(work)
        with h5py.File(folder / FILE, "w") as file:
            file.create_dataset("image", np.shape(work.images[0]), BYTE, data=work.images[0])
            file.create_dataset("meta", np.shape(work.labels[:1]), BYTE, data=work.labels[:1])

    def store_many(self, folder: Path, work: Work) -> None:
        self._check(work)
        with h5py.File(folder / FILE, "w") as file:
            if work.is_uniform:
                file.create_dataset("images", np.shape(work.images), BYTE, data=work.images)
            else:
                for number, image in enumerate(work.images):
                    file.create_dataset(f"images/{number}", np.shape(image), BYTE, data=image)
            file.create_dataset("meta", np.shape(work.labels), BYTE, data=work.labels)

    def read_one(self, folder: Path, work: Work) -> Found:
        with h5py.File(folder / FILE, "r") as file:
            return Found([np.array(file["/image"]).astype("uint8")], np.array(file["/meta"]).astype("uint8"))

    def read_many(self, folder: Path, work: Work) -> Found:
        with h5py.File(folder / FILE, "r") as file:
            labels = np.array(file["/meta"]).astype("uint8")
            if work.is_uniform:
                return Found(np.array(file["/images"]).astype("uint8"), labels)
            return Found(read_each(file, range(len(work))), labels)

    def read_shuffled(self, folder: Path, work: Work) -> Found:
        order = work.order
        if work.is_uniform:
            whole = self.read_many(folder, work)
            return Found(np.asarray(whole.images)[order], np.asarray(whole.labels)[order])
        with h5py.File(folder / FILE, "r") as file:
            labels = np.array(file["/meta"]).astype("uint8")
            return Found(read_each(file, order.tolist()), labels[order])

    def reader(self, folder: Path, work: Work) -> Reader:
        # As the tutorial has it: everything is read, then what is wanted is taken out of memory.
        return MemoryReader(self.read_many(folder, work))

    def _check(self, work: Work) -> None:
        require_bytes(work.images[0], self.name)
        if len(work) and not 0 <= int(work.labels.min()) <= int(work.labels.max()) <= LARGEST_LABEL:
            raise InvalidInputError(
                f"labels from {work.labels.min()} to {work.labels.max()} do not fit the tutorial's 8-bit labels (0–{LARGEST_LABEL}); "
                "the other ways keep them"
            )


class MemoryReader(Reader):
    """Images that have all been read."""

    def __init__(self, whole: Found) -> None:
        self._whole = whole

    def read(self, rows: NDArray[np.int64]) -> Found:
        images, labels = self._whole.images, np.asarray(self._whole.labels)
        some = images[rows] if isinstance(images, np.ndarray) else [images[row] for row in rows.tolist()]
        return Found(some, labels[rows])


def read_each(file: h5py.File, numbers: range | list[int]) -> list[NDArray[np.uint8]]:
    return [np.array(file[f"/images/{number}"]).astype("uint8") for number in numbers]


WAY = TutorialHdf5()
