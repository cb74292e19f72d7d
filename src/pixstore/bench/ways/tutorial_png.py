"""The tutorial's files: one Pillow PNG per image, labels in a CSV beside them, everything in a plain loop."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image as Pillow

from pixstore.bench.ways.base import Found, Image, Way, Work, require_bytes


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

    def _read(self, folder: Path, numbers: Sequence[int]) -> Found:
        images = []
        for number in numbers:
            images.append(np.array(Pillow.open(folder / f"{number}.png")))
        labels = read_labels(folder / f"{len(numbers)}.csv")
        return Found(images, [labels[number] for number in numbers])


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
