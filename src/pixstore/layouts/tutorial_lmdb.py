"""The tutorial's LMDB: keys of 8 digits, each value a pickled `CIFAR_Image` with `channels`, `size`, `image` (bytes) and `label`.

Its reader unpickles each value where its own class CIFAR_Image is defined. The map is as large as is needed, not ten times the pixels.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from pixstore.dataset import Dataset
from pixstore.layout import Export, Layout, Loss, require_image_field
from pixstore.layouts.lmdb_file import new_lmdb
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
from pixstore.layouts.pickle_object import pickled_object
from pixstore.layouts.tutorial_png import numbered_keys_lost

CLASS = ("__main__", "CIFAR_Image")


class TutorialLmdb(Layout):
    """An LMDB environment (a folder) of pickled objects."""

    name = "tutorial-lmdb"
    words = "LMDB of pickled CIFAR_Image objects, as the well-known tutorial writes and reads them"

    def losses(self, dataset: Dataset) -> list[Loss]:
        require_image_field(dataset, self.name)
        require_pixels(dataset, self.name, "8-bit")
        require_labels(dataset, self.name)
        return [
            *missing_lost(dataset),
            *numbered_keys_lost(dataset, "{:08}"),
            *classes_lost(dataset),
            *columns_lost(dataset, {LABEL}),
            *attributes_lost(dataset),
            *fields_lost(dataset),
        ]

    def write(self, export: Export) -> None:
        with new_lmdb(export.place) as environment:
            number = 0
            for values in _values(export):
                environment.put([(f"{place:08}".encode("ascii"), value) for place, value in enumerate(values, number)])
                number += len(values)


def _values(export: Export) -> Iterator[list[bytes]]:
    labels = export.dataset.table[LABEL].to_pylist()
    for rows, images in export.pixels():
        yield [_value(image, labels[row]) for row, image in zip(rows.tolist(), images, strict=True) if image is not None]


def _value(image: Any, label: int) -> bytes:
    channels = image.shape[2] if image.ndim == 3 else 1
    height, width = image.shape[:2]
    attributes = {"channels": channels, "size": (height, width), "image": np.ascontiguousarray(image).tobytes(), "label": label}
    return pickled_object(*CLASS, attributes)


LAYOUT = TutorialLmdb()
