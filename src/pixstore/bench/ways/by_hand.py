"""What the ways by hand share: a library used directly, in the usual good manner, as a careful program without pixstore would.

They show what comes from a format and its library, and what from pixstore. All run on one thread, as such loops do. None
waits for the disk but LMDB's, which syncs once at the end.
"""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow

from pixstore.bench.ways.base import Found, Image, Way, Work
from pixstore.errors import InvalidInputError


class HandWay(Way):
    """A way whose every read goes through its reader."""

    def store_one(self, folder: Path, work: Work) -> None:
        self.store_many(folder, replace(work, images=work.images[:1], labels=work.labels[:1], encoded=work.encoded and work.encoded[:1]))

    def read_one(self, folder: Path, work: Work) -> Found:
        return self._read(folder, work, np.arange(1))

    def read_many(self, folder: Path, work: Work) -> Found:
        return self._read(folder, work, np.arange(len(work)))

    def read_shuffled(self, folder: Path, work: Work) -> Found:
        return self._read(folder, work, work.order)

    def _read(self, folder: Path, work: Work, rows: NDArray[np.int64]) -> Found:
        reader = self.reader(folder, work)
        try:
            return reader.read(rows)
        finally:
            reader.close()


def decoded(file: str | io.BytesIO) -> Image:
    """Return the pixels of an encoded image as Pillow gives them, palettes expanded."""
    with Pillow.open(file) as image:
        if image.mode == "P":
            return np.asarray(image.convert("RGBA" if "transparency" in image.info else "RGB"))
        return np.asarray(image.convert("L") if image.mode == "1" else image)


def require_pillow(work: Work, way: str) -> None:
    """Raise InvalidInputError for encoded images of 16 bits in colour or with alpha: Pillow gives 8 bits of them, and says nothing."""
    if work.encoded is None:
        return
    for image in work.images[:1] if work.is_uniform else work.images:
        if image.dtype == np.uint16 and image.ndim == 3 and image.shape[2] > 1:
            raise InvalidInputError(
                f"{way} reads with Pillow, which gives 8 of the 16 bits of an image of shape {image.shape}; ENGINE/keep gives all"
            )


def uniform_images(work: Work, way: str) -> NDArray[Any]:
    """Return the images as one array. Raises InvalidInputError where their sizes differ."""
    if not isinstance(work.images, np.ndarray):
        raise InvalidInputError(f"{way} keeps one array of images of one size, these differ; use hand-files or hand-lmdb")
    return work.images


def run_of(rows: NDArray[np.int64]) -> range | None:
    """Return the range that these rows are, None where they are not one after another."""
    if len(rows) == 0:
        return range(0)
    found = range(int(rows[0]), int(rows[0]) + len(rows))
    if len(rows) == 1 or (int(rows[-1]) == found[-1] and bool((np.diff(rows) == 1).all())):
        return found
    return None
