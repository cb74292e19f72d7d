"""The tutorial's HDF5: `images` (N·H·W·C) and `meta` (N labels), unsigned 8-bit, each in one piece."""

from __future__ import annotations

import os

import h5py
import numpy as np

from pixstore.dataset import Dataset
from pixstore.engines.hdf5_file import LastingFile
from pixstore.engines.writing import claim
from pixstore.errors import InvalidInputError
from pixstore.layout import Export, Layout, Loss, require_image_field
from pixstore.layouts.losses import (
    LABEL,
    attributes_lost,
    classes_lost,
    columns_lost,
    fields_lost,
    formats_of,
    missing_lost,
    require_labels,
    require_pixels,
)
from pixstore.layouts.tutorial_png import numbered_keys_lost

BYTE = h5py.h5t.STD_U8BE
LARGEST_LABEL = 255


class TutorialHdf5(Layout):
    """One HDF5 file with all images in one dataset and all labels in another."""

    name = "tutorial-hdf5"
    words = "one HDF5 file with images and meta, 8-bit, as the well-known tutorial writes and reads them"
    is_file = True

    def losses(self, dataset: Dataset) -> list[Loss]:
        require_image_field(dataset, self.name)
        require_pixels(dataset, self.name, "8-bit")
        require_labels(dataset, self.name, most=LARGEST_LABEL)
        shapes = sorted({_with_channels(each.shape or ()) for each in formats_of(dataset)})
        if len(shapes) > 1:
            found = " and ".join("·".join(map(str, shape)) for shape in shapes[:2])
            raise InvalidInputError(f"{self.name} holds images of one size, and here are {found}; tutorial-lmdb and folder hold both")
        return [
            *missing_lost(dataset),
            *numbered_keys_lost(dataset, "{:08}"),
            *classes_lost(dataset),
            *columns_lost(dataset, {LABEL}),
            *attributes_lost(dataset),
            *fields_lost(dataset),
        ]

    def write(self, export: Export) -> None:
        present = np.delete(np.arange(len(export.dataset)), export.dataset.absent("image", slice(None)))
        labels = export.dataset.table[LABEL].to_numpy()[present]
        shape = _with_channels(next(iter(formats_of(export.dataset))).shape or ())
        descriptor = claim(export.place)
        try:
            file = LastingFile(descriptor)
            with h5py.File(file, "w", driver="fileobj") as opened:
                images = opened.create_dataset("images", (len(present), *shape), BYTE)
                opened.create_dataset("meta", (len(present),), BYTE, data=labels.astype(np.uint8))
                done = 0
                for _, found in export.pixels():
                    there = [image for image in found if image is not None]
                    images[done : done + len(there)] = np.stack(there).reshape(-1, *shape) if there else np.empty((0, *shape), np.uint8)
                    done += len(there)
                    file.require_whole()
            file.require_whole()
        finally:
            os.close(descriptor)


def _with_channels(shape: tuple[int, ...]) -> tuple[int, ...]:
    return shape if len(shape) == 3 else (*shape, 1)


LAYOUT = TutorialHdf5()
