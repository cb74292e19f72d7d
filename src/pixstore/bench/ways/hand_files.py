"""Files by hand: one PNG per image, or the user's own bytes, and one CSV of labels; listed by os.scandir, read by Pillow.

One plain loop, as in most programs; storing may have threads, which Pillow and the system let work side by side.
"""

from __future__ import annotations

import csv
import os
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow

from pixstore.bench.ways.base import Found, Image, Reader, Work
from pixstore.bench.ways.by_hand import HandWay, decoded, require_pillow
from pixstore.errors import InvalidInputError

IMAGES = "images"
LABELS = "labels.csv"
SIGNATURES = ((b"\xff\xd8\xff", ".jpg"), (b"\x89PNG", ".png"), (b"GIF8", ".gif"), (b"BM", ".bmp"), (b"II*\0", ".tif"), (b"MM\0*", ".tif"))


class HandFiles(HandWay):
    """`images/00000000.png`, `images/00000001.png` …, and `labels.csv` with name and label."""

    name = "hand-files"

    def __init__(self, threads: int = 1) -> None:
        self.threads = threads

    def store_many(self, folder: Path, work: Work) -> None:
        require_pillow(work, self.name)
        place = folder / IMAGES
        place.mkdir()
        write = partial(_write, place, work)
        if self.threads == 1:
            names = list(map(write, range(len(work))))
        else:
            with ThreadPoolExecutor(self.threads) as pool:
                names = list(pool.map(write, range(len(work))))
        with open(folder / LABELS, "w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(zip(names, work.labels.tolist(), strict=True))

    def reader(self, folder: Path, work: Work) -> Reader:
        return HandFilesReader(folder)


class HandFilesReader(Reader):
    """The files of the folder in the order of their names; the labels have been read."""

    def __init__(self, folder: Path) -> None:
        with open(folder / LABELS, newline="", encoding="utf-8") as file:
            labels = {name: int(label) for name, label in csv.reader(file)}
        with os.scandir(folder / IMAGES) as entries:
            found = sorted((entry.name, entry.path) for entry in entries)
        self._paths = [path for _, path in found]
        self._labels = [labels[name] for name, _ in found]

    def read(self, rows: NDArray[np.int64]) -> Found:
        numbers = rows.tolist()
        return Found([decoded(self._paths[number]) for number in numbers], [self._labels[number] for number in numbers])


def _write(place: Path, work: Work, number: int) -> str:
    """Write one image and return its name."""
    if work.encoded is not None:
        name = f"{number:08}{extension(work.encoded[number])}"
        (place / name).write_bytes(work.encoded[number])
        return name
    name = f"{number:08}.png"
    picture(work.images[number]).save(place / name)
    return name


def picture(image: Image) -> Pillow.Image:
    """Return the array as Pillow's image. Raises InvalidInputError for 16 bits in colour, which Pillow does not write."""
    flat = image[:, :, 0] if image.ndim == 3 and image.shape[2] == 1 else image
    if flat.dtype != np.uint8 and (flat.dtype != np.uint16 or flat.ndim != 2):
        raise InvalidInputError(
            f"Pillow writes no PNG of {image.dtype} with shape {image.shape}; hand-lmdb, hand-hdf5 and hand-memmap keep any"
        )
    return Pillow.fromarray(flat)


def extension(encoded: bytes) -> str:
    """Return the usual ending of a file of these bytes; ".img" where they are of another kind."""
    return next((ending for signature, ending in SIGNATURES if encoded.startswith(signature)), ".img")


WAY = HandFiles()
