"""The tutorial's LMDB: one environment, one write transaction, one pickled object per image.

Reading a pickle is the point of the tutorial's way, and this is the one place in pixstore that does it. What is loaded was
written by this very process into its own private folder: `store_*` notes the file's identity, `read_*` refuses any other. A process
that the bench starts is told by the bench, and by nobody else, which files the bench has written.
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import lmdb
import numpy as np
from numpy.typing import NDArray

from pixstore.bench.ways.base import Found, Image, Reader, Way, Work, require_bytes
from pixstore.errors import CorruptStoreError, UnsafeInputError

ENVIRONMENT = "images_lmdb"
LEAST_MAP_BYTES = 1 << 20
"""Ten times a single small image is less than LMDB's own pages need; the tutorial's images were larger."""
LIBRARY_VERSION = ".".join(map(str, lmdb.version()[:3]))

Identity: TypeAlias = tuple[int, int]
"""Device and inode of a file."""


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

    def __init__(self, written: Iterable[Identity] = ()) -> None:
        self._written = set(written)

    @property
    def written(self) -> list[Identity]:
        """Device and inode of each file that was written here, and may be read."""
        return sorted(self._written)

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

    def reader(self, folder: Path, work: Work) -> Reader:
        return TutorialLmdbReader(self._open(folder))

    def _read(self, folder: Path, numbers: Sequence[int]) -> Found:
        reader = TutorialLmdbReader(self._open(folder))
        try:
            return reader.read(np.asarray(numbers))
        finally:
            reader.close()

    def _open(self, folder: Path) -> lmdb.Environment:
        if identity(folder) not in self._written:
            raise UnsafeInputError(f"{folder} was not written by this run; pickles of others are never loaded")
        return lmdb.open(str(folder / ENVIRONMENT), readonly=True)


class TutorialLmdbReader(Reader):
    """An environment that this process has written, read in one transaction per call."""

    def __init__(self, environment: lmdb.Environment) -> None:
        self._environment = environment

    def read(self, rows: NDArray[np.int64]) -> Found:
        images, labels = [], []
        with self._environment.begin() as transaction:
            for number in rows.tolist():
                stored = transaction.get(f"{number:08}".encode("ascii"))
                if stored is None:
                    raise CorruptStoreError(f"image {number} is not in the environment any more; somebody else changed it during the run")
                # Only bytes that this process has written: see the module's docstring.
                found = pickle.loads(stored)
                images.append(found.get_image())
                labels.append(found.label)
        return Found(images, labels)

    def close(self) -> None:
        self._environment.close()


def identity(folder: Path) -> Identity:
    """Return device and inode of the environment's data file."""
    status = os.stat(folder / ENVIRONMENT / "data.mdb", follow_symlinks=False)
    return status.st_dev, status.st_ino


WAY = TutorialLmdb()
