"""A work's images as files that another process maps: they lie in the page cache, and are no private memory of whoever looks at them.

pixels    all images' samples, end to end
encoded   all encoded images, end to end, where there are any
labels    int64
JSON      what lies where: shapes, dtypes, lengths
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pixstore.bench.ways.base import Found, Images, Work

PIXELS, ENCODED, LABELS = "pixels", "encoded", "labels"


def carry(work: Work, folder: Path) -> dict[str, Any]:
    """Write the work into the empty folder and return, as JSON, what `carried` needs."""
    with open(folder / PIXELS, "wb") as file:
        for image in work.images:
            file.write(np.ascontiguousarray(image).data)
    (folder / LABELS).write_bytes(np.asarray(work.labels, np.int64).tobytes())
    if work.encoded is not None:
        (folder / ENCODED).write_bytes(b"".join(work.encoded))
    return {
        "folder": str(folder),
        "is_uniform": work.is_uniform,
        "shapes": [list(image.shape) for image in work.images],
        "dtypes": [image.dtype.str for image in work.images],
        "lengths": None if work.encoded is None else list(map(len, work.encoded)),
    }


def carried_bytes(work: Work) -> int:
    """Return about how much `carry` writes."""
    return work.pixel_bytes + sum(map(len, work.encoded or []))


def carried(said: dict[str, Any]) -> Work:
    """Return the work that `carry` wrote: pixels mapped from its file, encoded images in memory, without rows of a source."""
    folder = Path(said["folder"])
    labels = np.fromfile(folder / LABELS, np.int64)
    return Work(_images(folder / PIXELS, said), labels, None if said["lengths"] is None else _encoded(folder / ENCODED, said["lengths"]))


def _images(path: Path, said: dict[str, Any]) -> Images:
    whole: NDArray[Any] = np.memmap(path, np.uint8, "r")
    shapes, dtypes = said["shapes"], said["dtypes"]
    if said["is_uniform"]:
        together: NDArray[Any] = whole.view(dtypes[0]).reshape(len(shapes), *shapes[0])
        return together
    images: list[NDArray[Any]] = []
    start = 0
    for shape, dtype in zip(shapes, dtypes, strict=True):
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        # A view of a larger dtype needs no alignment of the part, a copy would be private memory.
        images.append(whole[start : start + size].view(dtype).reshape(shape))
        start += size
    return images


def _encoded(path: Path, lengths: list[int]) -> list[bytes]:
    with open(path, "rb") as file:
        return [file.read(length) for length in lengths]


class Digest:
    """What was read, in a few characters: two processes compare them instead of pixels. Lossy: sizes and labels alone."""

    def __init__(self, *, is_lossy: bool) -> None:
        self._hash = hashlib.blake2b(digest_size=16)
        self._is_lossy = is_lossy

    def add(self, found: Found) -> None:
        """Take these images and labels in; a channel axis of one is the same as none."""
        for image, label in zip(found.images, found.labels, strict=True):
            array = np.asarray(image)
            self._hash.update(np.array([*array.shape[:2], array.size, int(label)], np.int64).data)
            if not self._is_lossy:
                self._hash.update(np.ascontiguousarray(array).data)

    @property
    def text(self) -> str:
        return self._hash.hexdigest()


def digest_of(work: Work, order: NDArray[np.int64], *, is_lossy: bool) -> str:
    """Return the digest of the work's own images in this order."""
    digest = Digest(is_lossy=is_lossy)
    for row in order.tolist():
        digest.add(Found([work.images[row]], [int(work.labels[row])]))
    return digest.text
