"""The tutorial's files: `0.png`, `1.png` … and `COUNT.csv` with one label a row, delimited by spaces and quoted by `|`.

Its reader opens `NUMBER.png` with Pillow and takes the array as it is, so PNGs that Pillow would hand over otherwise than they look
(palettes, one colour made transparent, fewer than 8 bits) are encoded again.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pixstore.dataset import Dataset
from pixstore.layout import Export, Layout, Loss, require_image_field
from pixstore.layouts.images import Kept, encoded_images
from pixstore.layouts.losses import (
    LABEL,
    attributes_lost,
    classes_lost,
    columns_lost,
    fields_lost,
    missing_lost,
    require_labels,
    require_pixels,
)
from pixstore.schema import KEY, Format

DEPTH, COLOURS = 24, 25
"""Where in a PNG its bits per sample and its kind of colours are, within the header that every PNG begins with."""
PLAIN_COLOURS = (0, 2, 4, 6)
TRANSPARENT = b"tRNS"
PIXELS_BEGIN = b"IDAT"


@dataclass(frozen=True)
class _PlainPng(Kept):
    def takes(self, record: bytes, form: Format) -> bool:
        """Return whether Pillow hands over this PNG's pixels as they are."""
        if form.codec not in self.codecs or len(record) <= COLOURS or record[DEPTH] != 8 or record[COLOURS] not in PLAIN_COLOURS:
            return False
        return TRANSPARENT not in record[: record.find(PIXELS_BEGIN)]


class TutorialPng(Layout):
    """PNG files by number and one CSV file of labels."""

    name = "tutorial-png"
    words = "0.png, 1.png … and COUNT.csv of labels, as the well-known tutorial writes and reads them"

    def losses(self, dataset: Dataset) -> list[Loss]:
        require_image_field(dataset, self.name)
        require_pixels(dataset, self.name, "8-bit")
        require_labels(dataset, self.name)
        return [
            *missing_lost(dataset),
            *numbered_keys_lost(dataset, "{}.png"),
            *classes_lost(dataset),
            *columns_lost(dataset, {LABEL}),
            *attributes_lost(dataset),
            *fields_lost(dataset),
        ]

    def write(self, export: Export) -> None:
        export.place.mkdir()
        labels: list[int] = export.dataset.table[LABEL].to_pylist()
        written: list[int] = []
        for part in encoded_images(export, _PlainPng({"png"})):
            for row, record in zip(part.rows.tolist(), part.records, strict=True):
                if record is not None:
                    (export.place / f"{len(written)}.png").write_bytes(record)
                    written.append(labels[row])
        write_labels(export.place / f"{len(written)}.csv", written)


def numbered_keys_lost(dataset: Dataset, pattern: str) -> list[Loss]:
    """Return the loss of keys where samples are called by their place in the order, unless they are called so already."""
    if all(key.as_py() == pattern.format(number) for number, key in enumerate(dataset.table[KEY])):
        return []
    return [Loss("keys", f"samples are called by number, {pattern.format(0)} and so on, in the order they have here")]


def write_labels(path: Path, labels: Iterable[int]) -> None:
    """Write one label a row, as the tutorial does."""
    with open(path, "w", encoding="ascii") as file:
        csv.writer(file, delimiter=" ", quotechar="|", quoting=csv.QUOTE_MINIMAL).writerows([label] for label in labels)


LAYOUT = TutorialPng()
