"""The tutorial's LMDB: one environment, one write transaction, one pickled object per image.

Reading a pickle is the point of the tutorial's way, and this is the one place in pixstore that does it. What is loaded was
written by this very process into its own private folder: `store_*` notes the file's identity, `read_*` refuses any other.
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lmdb
import numpy as np
from numpy.typing import NDArray

from pixstore.bench.ways.base import Found, Image, Way, Work, require_bytes
from pixstore.errors import CorruptStoreError, UnsafeInputError

ENVIRONMENT = "images_lmdb"
LEAST_MAP_BYTES = 1 << 20
"""Ten times a single small image is less than LMDB's own pages need; the tutorial's images were larger."""
LIBRARY_VERSION = ".".join(map(str, lmdb.version()[:3]))


class TutorialImage:
    """The object the tutorial pickles: the pixels as bytes, and what is needed to shape them again."""

    def __init__(self, image: Image, label: int) -> None:
        self.channels = image.shape[2] if image.ndim == 3 else 1
        self.size = image.shape[:2]
        self.image = image.tobytes()
        self.label = label

    def get_image(self) -> NDArray[np.uint8]:
        return np.frombuffer(self.image, dtype=np.uint8).reshape(*self.size, self.channels)


class TutorialLmdb(Way):
    """Keys of eight digits, map size ten times the pixels, LMDB's own defaults (the commit is synced to disk)."""

    name = "tutorial-lmdb"

    def __init__(self) -> None:
        self._written: set[tuple[int, int]] = set()

    def store_one(self, folder: Path, work: Work) -> None:
        require_bytes(work.images[0], self.name)
        self._store(folder, work.images[:1], work.labels[:1].tolist(), work.images[0].nbytes)

    def store_many(self, folder: Path, work: Work) -> None:
        require_bytes(work.images[0], self.name)
        self._store(folder, work.images, work.labels.tolist(), work.pixel_bytes)

    def read_many(self, folder: Path, work: Work) -> Found:
        return self._read(folder, range(len(work)))

    def read_shuffled(self, folder: Path, work: Work) -> Found:
        return self._read(folder, work.order.tolist())

    def _store(self, folder: Path, images: Sequence[Image] | NDArray[Any], labels: list[int], pixel_bytes: int) -> None:
        environment = lmdb.open(str(folder / ENVIRONMENT), map_size=max(pixel_bytes * 10, LEAST_MAP_BYTES))
        try:
            with environment.begin(write=True) as transaction:
                for number, image in enumerate(images):
                    value = TutorialImage(image, labels[number])
                    transaction.put(f"{number:08}".encode("ascii"), pickle.dumps(value))
        finally:
            environment.close()
        self._written.add(identity(folder))

    def _read(self, folder: Path, numbers: Sequence[int]) -> Found:
        if identity(folder) not in self._written:
            raise UnsafeInputError(f"{folder} was not written by this run; pickles of others are never loaded")
        images, labels = [], []
        environment = lmdb.open(str(folder / ENVIRONMENT), readonly=True)
        try:
            with environment.begin() as transaction:
                for number in numbers:
                    stored = transaction.get(f"{number:08}".encode("ascii"))
                    if stored is None:
                        raise CorruptStoreError(f"{folder}: image {number} is not in it any more; somebody else changed it during the run")
                    # Only bytes that this process has written: see the module's docstring.
                    found = pickle.loads(stored)
                    images.append(found.get_image())
                    labels.append(found.label)
        finally:
            environment.close()
        return Found(images, labels)


def identity(folder: Path) -> tuple[int, int]:
    """Return device and inode of the environment's data file."""
    status = os.stat(folder / ENVIRONMENT / "data.mdb", follow_symlinks=False)
    return status.st_dev, status.st_ino


WAY = TutorialLmdb()
