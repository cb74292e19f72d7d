"""HDF5 by hand: all images in one dataset and all labels in another, read in slices.

Uniform images are one N·H·W·C dataset of their own dtype: contiguous; in chunks; in chunks with the shuffle filter and gzip 4. Encoded
images whose sizes differ are one dataset of byte strings of varying length, for the plain way only. From chunks, h5py's own lists of
rows take many times as long as a loop over single rows in ascending order, so the loop is what is used; where more than half of a
range is wanted, the range is read and the rest dropped.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from pixstore.bench.ways.base import Found, Reader, Work
from pixstore.bench.ways.by_hand import HandWay, decoded, require_pillow, uniform_images

FILE = "images.h5"
IMAGES = "images"
LABELS = "labels"
CHUNK_BYTES = 256 << 10
GZIP_LEVEL = 4
DENSE = 0.5
"""From this part of a range on, reading all of it beats asking for its rows one by one."""


class HandHdf5(HandWay):
    """`images` and `labels`. flush_every: images between two flushes to the file, all at once for None."""

    def __init__(self, name: str, *, is_chunked: bool = False, is_compressed: bool = False, flush_every: int | None = None) -> None:
        self.name = name
        self._is_chunked = is_chunked or is_compressed
        self._is_compressed = is_compressed
        self._flush_every = flush_every

    def title(self, work: Work) -> str:
        return "" if work.is_uniform else "HDF5, by hand, encoded bytes"

    def store_many(self, folder: Path, work: Work) -> None:
        with h5py.File(folder / FILE, "w") as file:
            file.create_dataset(LABELS, data=work.labels)
            if work.is_uniform or work.encoded is None or self._is_chunked:
                self._store(file, uniform_images(work, self.name))
            else:
                require_pillow(work, self.name)
                images = file.create_dataset(IMAGES, (len(work),), h5py.vlen_dtype(np.uint8))
                for number, encoded in enumerate(work.encoded):
                    images[number] = np.frombuffer(encoded, np.uint8)

    def reader(self, folder: Path, work: Work) -> Reader:
        return HandHdf5Reader(folder)

    def _store(self, file: h5py.File, images: NDArray[Any]) -> None:
        chunks = (chunk_rows(images), *images.shape[1:]) if self._is_chunked else None
        filters = {"compression": "gzip", "compression_opts": GZIP_LEVEL, "shuffle": True} if self._is_compressed else {}
        if self._flush_every is None:
            file.create_dataset(IMAGES, data=images, chunks=chunks, **filters)
            return
        dataset = file.create_dataset(IMAGES, images.shape, images.dtype, chunks=chunks, **filters)
        for start in range(0, len(images), self._flush_every):
            dataset[start : start + self._flush_every] = images[start : start + self._flush_every]
            file.flush()


class HandHdf5Reader(Reader):
    """An open file; the labels have been read. h5py lets one thread in at a time."""

    def __init__(self, folder: Path) -> None:
        self._file = h5py.File(folder / FILE, "r")
        self._images = self._file[IMAGES]
        self._labels = self._file[LABELS][:]

    def read(self, rows: NDArray[np.int64]) -> Found:
        wanted, places = np.unique(rows, return_inverse=True) if len(rows) > 1 else (rows, np.zeros_like(rows))
        if h5py.check_vlen_dtype(self._images.dtype) is not None:
            images = [decoded(io.BytesIO(self._images[row])) for row in wanted.tolist()]
            return Found([images[place] for place in places.tolist()], self._labels[rows])
        pixels = self._pixels(wanted)
        is_ascending = len(wanted) == len(rows) and bool((np.diff(places) > 0).all())
        return Found(pixels if is_ascending else pixels[places], self._labels[rows])

    def close(self) -> None:
        self._file.close()

    def _pixels(self, wanted: NDArray[np.int64]) -> NDArray[Any]:
        """Return the images of these rows, which ascend."""
        if len(wanted) == 0:
            return np.empty((0, *self._images.shape[1:]), self._images.dtype)
        first, last = int(wanted[0]), int(wanted[-1])
        if len(wanted) >= DENSE * (last + 1 - first):
            found: NDArray[Any] = self._images[first : last + 1]
            return found if len(wanted) == len(found) else found[wanted - first]
        found = np.empty((len(wanted), *self._images.shape[1:]), self._images.dtype)
        for place, row in enumerate(wanted.tolist()):
            found[place] = self._images[row]
        return found


def chunk_rows(images: NDArray[Any]) -> int:
    """Return how many images make a chunk of about CHUNK_BYTES."""
    image_bytes = max(1, images.nbytes // len(images))
    return max(1, min(len(images), CHUNK_BYTES // image_bytes))


WAY = HandHdf5("hand-hdf5")
CHUNKED = HandHdf5("hand-hdf5-chunked", is_chunked=True)
GZIP = HandHdf5("hand-hdf5-gzip", is_compressed=True)
