"""The tutorial's files: one Pillow PNG per image, labels in a CSV beside them, everything in a plain loop."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow

from pixstore.bench.ways.base import Found, Image, Reader, Way, Work, require_bytes


class TutorialPng(Way):
    """`0.png`, `1.png` …, and `COUNT.csv` with one label per row; a single image has its own `0.csv`."""

    name = "tutorial-png"

    def store_one(self, folder: Path, work: Work) -> None:
        require_bytes(work.images[0], self.name)
        Pillow.fromarray(picture(work.images[0])).save(folder / "0.png")
        write_labels(folder / "0.csv", work.labels[:1])

    def store_many(self, folder: Path, work: Work) -> None:
        require_bytes(work.images[0], self.name)
        for number, image in enumerate(work.images):
            Pillow.fromarray(picture(image)).save(folder / f"{number}.png")
        write_labels(folder / f"{len(work)}.csv", work.labels)

    def read_one(self, folder: Path, work: Work) -> Found:
        return Found([np.array(Pillow.open(folder / "0.png"))], read_labels(folder / "0.csv"))

    def read_many(self, folder: Path, work: Work) -> Found:
        return self._read(folder, range(len(work)))

    def read_shuffled(self, folder: Path, work: Work) -> Found:
        return self._read(folder, work.order.tolist())

    def reader(self, folder: Path, work: Work) -> Reader:
        return TutorialPngReader(folder, read_labels(folder / f"{len(work)}.csv"))

    def _read(self, folder: Path, numbers: Sequence[int]) -> Found:
        images = read_each(folder, numbers)
        labels = read_labels(folder / f"{len(numbers)}.csv")
        return Found(images, [labels[number] for number in numbers])


class TutorialPngReader(Reader):
    """The same loop over some of the files; the labels have been read."""

    def __init__(self, folder: Path, labels: list[int]) -> None:
        self._folder = folder
        self._labels = labels

    def read(self, rows: NDArray[np.int64]) -> Found:
        numbers = rows.tolist()
        return Found(read_each(self._folder, numbers), [self._labels[number] for number in numbers])


def read_each(folder: Path, numbers: Sequence[int]) -> list[Image]:
    images = []
    for number in numbers:
        images.append(np.array(Pillow.open(folder / f"{number}.png")))
    return images


def picture(image: Image) -> Image:
    """Return the array as Pillow takes it: grey images without their channel axis."""
    return image[:, :, 0] if image.ndim == 3 and image.shape[2] == 1 else image


def write_labels(path: Path, labels: Iterable[int]) -> None:
    with open(path, "w") as file:
        writer = csv.writer(file, delimiter=" ", quotechar="|", quoting=csv.QUOTE_MINIMAL)
        for label in labels:
            writer.writerow([label])


def read_labels(path: Path) -> list[int]:
    with open(path) as file:
        return [int(row[0]) for row in csv.reader(file, delimiter=" ", quotechar="|", quoting=csv.QUOTE_MINIMAL)]


WAY = TutorialPng()
