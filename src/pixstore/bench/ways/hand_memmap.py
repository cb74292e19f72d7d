"""NumPy by hand: all images in one .npy file and all labels in another, mapped into memory and copied out of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from pixstore.bench.ways.base import Found, Reader, Work
from pixstore.bench.ways.by_hand import HandWay, run_of, uniform_images

IMAGES = "images.npy"
LABELS = "labels.npy"


class HandMemmap(HandWay):
    """`images.npy`, N·H·W·C of any dtype, written by `numpy.save`."""

    name = "hand-memmap"

    def store_many(self, folder: Path, work: Work) -> None:
        np.save(folder / IMAGES, uniform_images(work, self.name), allow_pickle=False)
        np.save(folder / LABELS, work.labels, allow_pickle=False)

    def reader(self, folder: Path, work: Work) -> Reader:
        return HandMemmapReader(folder)


class HandMemmapReader(Reader):
    """Both files, mapped; which pages are in memory is the system's affair."""

    def __init__(self, folder: Path) -> None:
        # As plain arrays: every slice of a np.memmap would be one too, which costs more than copying a small image.
        self._images: NDArray[Any] = np.asarray(open_memmap(folder / IMAGES, mode="r"))
        self._labels: NDArray[np.int64] = np.asarray(open_memmap(folder / LABELS, mode="r"))

    def read(self, rows: NDArray[np.int64]) -> Found:
        run = run_of(rows)
        images = self._images[rows] if run is None else self._images[run.start : run.stop].copy()
        return Found(images, self._labels[rows])


WAY = HandMemmap()
