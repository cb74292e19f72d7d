"""Ten images as the tutorial keeps them: PNG files with a CSV of labels, an LMDB of pickled objects, one HDF5 file."""

from __future__ import annotations

import csv
import pickle
import sys
from pathlib import Path
from types import ModuleType

import h5py
import lmdb
import numpy as np
from numpy.typing import NDArray
from PIL import Image


class CIFAR_Image:
    """What the tutorial's notebook pickles."""

    def __init__(self, image: NDArray[np.uint8], label: int) -> None:
        self.channels = image.shape[2]
        self.size = image.shape[:2]
        self.image = image.tobytes()
        self.label = label


def make(folder: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (10, 32, 32, 3), np.uint8)
    labels = [number % 3 for number in range(10)]
    (folder / "disk").mkdir()
    for number, image in enumerate(images):
        Image.fromarray(image).save(folder / "disk" / f"{number}.png")
    with open(folder / "disk" / "10.csv", "w") as file:
        writer = csv.writer(file, delimiter=" ", quotechar="|", quoting=csv.QUOTE_MINIMAL)
        for label in labels:
            writer.writerow([label])
    with h5py.File(folder / "10_many.h5", "w") as opened:
        opened.create_dataset("images", np.shape(images), h5py.h5t.STD_U8BE, data=images)
        opened.create_dataset("meta", np.shape(labels), h5py.h5t.STD_U8BE, data=labels)
    pickled = [pickle_in_notebook(CIFAR_Image(image, label)) for image, label in zip(images, labels, strict=True)]
    with lmdb.open(str(folder / "10_lmdb"), map_size=images.nbytes * 10) as environment, environment.begin(write=True) as transaction:
        for number, value in enumerate(pickled):
            transaction.put(f"{number:08}".encode("ascii"), value)


def pickle_in_notebook(value: CIFAR_Image) -> bytes:
    """Pickle as where the class is one of a module that can be imported."""
    notebook = ModuleType("notebook")
    notebook.CIFAR_Image = CIFAR_Image  # type: ignore[attr-defined]
    CIFAR_Image.__module__ = "notebook"
    sys.modules["notebook"] = notebook
    return pickle.dumps(value)
