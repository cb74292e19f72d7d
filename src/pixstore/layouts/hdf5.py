"""One HDF5 file as people write them by hand: `image` (N·H·W·C) with everything else as datasets of N values beside it.

image           one dataset N·H·W·C in one piece, any numbers, where all have one shape; else a group with a dataset per sample,
                `00000000` …: 1-D unsigned 8-bit, the stored image file untouched, or H·W·C where images are kept as arrays
mask …          further fields, likewise
key             N texts
label …         columns: numbers, truths, text, or N·K for lists of K numbers each
label_classes   names of the classes
attributes      of the file, as the dataset has them; what HDF5 has no type for as JSON text
"""

from __future__ import annotations

import os
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from pixstore.dataset import Dataset
from pixstore.engines.hdf5_file import LastingFile
from pixstore.engines.writing import claim
from pixstore.errors import InvalidInputError
from pixstore.layout import Export, Layout, Loss, require_image_field
from pixstore.layouts.hdf5_columns import attributes_lost, column_values, kept_columns, write_attributes
from pixstore.layouts.losses import columns_lost, fields_lost, formats_of, missing_lost
from pixstore.rows import Indices
from pixstore.samples import IMAGE
from pixstore.schema import ARRAY_CODECS, KEY, Format

COLOURS = (1, 3, 4)
PLANES = (1, 3)
MOST_CHANNELS = 32
TEXT = h5py.string_dtype()


class Hdf5(Layout):
    """One HDF5 file with images, keys, labels and columns."""

    name = "hdf5"
    words = "one HDF5 file with image (N x H x W x C), key, label and columns, as h5py users write them by hand"
    is_file = True

    def losses(self, dataset: Dataset) -> list[Loss]:
        require_image_field(dataset, self.name)
        if not len(dataset):
            raise InvalidInputError(f"{self.name} has a shape for its images, and there is no sample to take it from")
        for field in kept_fields(dataset):
            _require_arrays(formats_of(dataset, field), field)
        return [
            *missing_lost(dataset),
            *fields_lost(dataset, kept_fields(dataset)),
            *columns_lost(dataset, kept_columns(dataset)),
            *attributes_lost(dataset),
        ]

    def write(self, export: Export) -> None:
        descriptor = claim(export.place)
        try:
            file = LastingFile(descriptor)
            with h5py.File(file, "w", driver="fileobj") as opened:
                present = np.delete(np.arange(len(export.dataset)), export.dataset.absent(IMAGE, slice(None)))
                for field in kept_fields(export.dataset):
                    _write_field(export, field, present, opened, file)
                _write_columns(export.dataset, present, opened)
            file.require_whole()
        finally:
            os.close(descriptor)


def kept_fields(dataset: Dataset) -> list[str]:
    """Return the fields that are written: `image`, and those that every sample has one image of."""
    others = [each.name for each in dataset.schema.fields if each.name != IMAGE and not each.is_stack]
    return [IMAGE, *(name for name in others if not len(dataset.absent(name, slice(None))))]


def _require_arrays(formats: set[Format], field: str) -> None:
    is_group = len({(_with_channels(each.shape or ()), each.dtype) for each in formats}) > 1
    for each in formats:
        shape = _with_channels(each.shape or ())
        is_usual = len(shape) == 3 and 0 not in shape and shape[2] <= MOST_CHANNELS
        # Readers tell other numbers of channels from planes and from stacks by the axes around them.
        if not is_usual or (shape[2] not in COLOURS and (is_group or shape[0] in PLANES)):
            found = "x".join(map(str, each.shape or ()))
            raise InvalidInputError(
                f"hdf5 holds images of height x width x channels, and field {field!r} has {found}; only a store keeps it"
            )


def _with_channels(shape: tuple[int, ...]) -> tuple[int, ...]:
    return (*shape, 1) if len(shape) == 2 else shape


def _write_field(export: Export, field: str, present: Indices, opened: h5py.File, file: LastingFile) -> None:
    formats = formats_of(export.dataset, field)
    kinds = {(_with_channels(each.shape or ()), each.dtype) for each in formats}
    if len(kinds) == 1:
        shape, dtype = kinds.pop()
        _write_stack(export, field, opened.create_dataset(field, (len(present), *shape), np.dtype(dtype or "").newbyteorder("<")), present)
    elif any(each.codec in ARRAY_CODECS for each in formats):
        _write_arrays(export, field, opened.create_group(field), present)
    else:
        _write_encoded(export, field, opened.create_group(field), present)
    file.require_whole()


def _write_stack(export: Export, field: str, images: h5py.Dataset, present: Indices) -> None:
    done = 0
    for rows, found in export.pixels(field):
        there = _present(rows, found, present)
        if there:
            images[done : done + len(there)] = np.stack(there).reshape(-1, *images.shape[1:])
        done += len(there)


def _write_arrays(export: Export, field: str, group: h5py.Group, present: Indices) -> None:
    done = 0
    for rows, found in export.pixels(field):
        for image in _present(rows, found, present):
            little = image.astype(image.dtype.newbyteorder("<"), copy=False)
            group.create_dataset(f"{done:08}", data=little.reshape(_with_channels(image.shape)))
            done += 1


def _write_encoded(export: Export, field: str, group: h5py.Group, present: Indices) -> None:
    done = 0
    for part in export.encoded(field):
        for record in _present(part.rows, part.records, present):
            group.create_dataset(f"{done:08}", data=np.frombuffer(record, np.uint8))
            done += 1


def _present(rows: Indices, found: Any, present: Indices) -> list[Any]:
    """Return what is there of the rows that are written."""
    return [found[place] for place in np.flatnonzero(np.isin(rows, present)).tolist()]


def _write_columns(dataset: Dataset, present: NDArray[np.int64], opened: h5py.File) -> None:
    opened.create_dataset(KEY, data=[dataset.keys[row].as_py() for row in present.tolist()], dtype=TEXT)
    for name in kept_columns(dataset):
        values = column_values(dataset.table[name], present)
        opened.create_dataset(name, data=values, dtype=TEXT if isinstance(values, list) else values.dtype)
        if classes := dataset.schema.classes.get(name):
            opened.create_dataset(f"{name}_classes", data=list(classes), dtype=TEXT)
    write_attributes(dataset, opened)


LAYOUT = Hdf5()
