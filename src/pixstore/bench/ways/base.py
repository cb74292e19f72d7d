"""What a way of keeping images is: it stores and reads the same images and labels, in a folder of its own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pixstore.bench import disk
from pixstore.bench.measurements import Bytes
from pixstore.errors import InvalidInputError

Image: TypeAlias = NDArray[Any]
"""One H·W·C array."""
Images: TypeAlias = NDArray[Any] | list[Image]
"""N·H·W·C, or a list of H·W·C where sizes differ."""


@dataclass(frozen=True)
class Work:
    """The images one cell stores and reads: decoded, and the encoded bytes and source rows where there are any."""

    images: Images
    labels: NDArray[np.int64]
    encoded: list[bytes] | None = None
    rows: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.labels)

    @cached_property
    def pixel_bytes(self) -> int:
        """Bytes of all decoded images."""
        return self.images.nbytes if isinstance(self.images, np.ndarray) else sum(image.nbytes for image in self.images)

    @property
    def is_uniform(self) -> bool:
        return isinstance(self.images, np.ndarray)

    @property
    def order(self) -> NDArray[np.int64]:
        """The seeded order in which `read_shuffled` reads: the same for every way and every repeat."""
        return np.random.default_rng(len(self)).permutation(len(self))


@dataclass(frozen=True)
class Found:
    """What a way read: images and labels in the order asked."""

    images: Sequence[Image] | NDArray[Any]
    labels: Sequence[int] | NDArray[Any]


class Reader(ABC):
    """A store that stays open and is read in parts, as a training program reads it. Several threads may read at once."""

    @abstractmethod
    def read(self, rows: NDArray[np.int64]) -> Found:
        """Return the images and labels of these rows (their places in the work that was stored), in the order asked."""

    def close(self) -> None:  # noqa: B027
        """Close what is open; a reader that holds nothing open leaves it at that."""


class Way(ABC):
    """One way of keeping images. Every method does all that a user's program would: open, work, close."""

    name: str
    """The id: "tutorial-lmdb", "packed/png", "lmdb/raw@power"."""
    threads: int = 1
    stores: bool = True
    """Whether it writes files of its own; the data as it lies does not."""

    def title(self, work: Work) -> str:
        """Return what tables call this way where it differs from the name's usual title."""
        return ""

    def usage(self, folder: Path, work: Work) -> Bytes | None:
        """Return what the stored images take on disk, None where that cannot be told."""
        return disk.usage(folder)

    def store_one(self, folder: Path, work: Work) -> None:
        """Store the first image as users store a single one."""
        self.store_many(folder, work)

    @abstractmethod
    def store_many(self, folder: Path, work: Work) -> None:
        """Store all images and labels in the empty `folder`."""

    def read_one(self, folder: Path, work: Work) -> Found:
        """Read back what `store_one` stored."""
        return self.read_many(folder, work)

    @abstractmethod
    def read_many(self, folder: Path, work: Work) -> Found:
        """Read all images and labels in the order stored."""

    @abstractmethod
    def read_shuffled(self, folder: Path, work: Work) -> Found:
        """Read all images and labels in the order of `work.order`."""

    @abstractmethod
    def reader(self, folder: Path, work: Work) -> Reader:
        """Return the stored images, open to be read in parts; the images of `work` are not looked at."""


def require_bytes(image: Image, way: str) -> None:
    """Raise InvalidInputError where an image is not of 8-bit samples, all that the tutorial's code can keep."""
    if image.dtype != np.uint8:
        raise InvalidInputError(f"{way} keeps 8-bit images only, this one is {image.dtype}; hand-lmdb and ENGINE/raw keep any")
