"""NumPy's .npz: `images` (N·H·W·C, N·H·W for grey), `labels`, `key`, `classes`, further fields and columns as arrays of N values.

A zip archive of .npy arrays, stored, as numpy.savez makes it: numpy.load reads it without pickle, and we read its images in place.
Written array by array, some megabytes at a time; no array is whole in memory.
"""

from __future__ import annotations

import math
import os
import zipfile
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pixstore.dataset import Dataset
from pixstore.engines.writing import claim
from pixstore.errors import InvalidInputError
from pixstore.layout import Export, Layout, Loss, require_image_field
from pixstore.layouts.losses import LABEL, attributes_lost, columns_lost, fields_lost, formats_of, missing_lost
from pixstore.rows import Indices
from pixstore.samples import IMAGE
from pixstore.schema import KEY
from pixstore.sources.image_arrays import ALONE, images_of, is_images
from pixstore.sources.npy_header import ArrayHeader

IMAGES, LABELS, CLASSES = "images", "labels", "classes"
LARGEST = 1 << 63


class Npz(Layout):
    """One file of arrays."""

    name = "npz"
    words = "one .npz file with images (N x H x W x C) and labels, as numpy.savez writes and numpy.load reads it"
    is_file = True

    def losses(self, dataset: Dataset) -> list[Loss]:
        require_image_field(dataset, self.name)
        if not len(dataset):
            raise InvalidInputError(f"{self.name} has a shape for its images, and there is no sample to take it from")
        for field in _fields(dataset):
            _array_shape(dataset, field)
        kept = [*_columns(dataset), *([LABEL] if _has_labels(dataset) else [])]
        return [
            *missing_lost(dataset),
            *_classes_lost(dataset),
            *columns_lost(dataset, kept),
            *attributes_lost(dataset),
            *fields_lost(dataset, _fields(dataset)),
        ]

    def write(self, export: Export) -> None:
        dataset = export.dataset
        present = np.delete(np.arange(len(dataset)), dataset.absent(IMAGE, slice(None)))
        descriptor = claim(export.place)
        with os.fdopen(descriptor, "wb") as file, zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
            for field in _fields(dataset):
                shape, dtype = _array_shape(dataset, field)
                pieces = (image for rows, found in export.pixels(field) for image in _there(rows, found, present))
                _write(archive, IMAGES if field == IMAGE else field, (len(present), *shape), dtype, pieces)
            for name, values in _values(dataset, present).items():
                _write(archive, name, values.shape, values.dtype, iter([values]))


def _fields(dataset: Dataset) -> list[str]:
    """Return the fields that are written: `image`, and those that every sample has one image of, all of one shape."""
    found = [IMAGE]
    for field in dataset.schema.fields:
        if field.name == IMAGE or field.is_stack or field.name in (IMAGES, LABELS, CLASSES) or len(dataset.absent(field.name, slice(None))):
            continue
        if len({(each.shape, each.dtype) for each in formats_of(dataset, field.name)}) == 1:
            found.append(field.name)
    return found


def _array_shape(dataset: Dataset, field: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Return shape and type of each image as it is written, in the machine's byte order.

    Raises InvalidInputError where images differ, or where nobody could tell from the array what its axes are.
    """
    kinds = {(each.shape, each.dtype) for each in formats_of(dataset, field)}
    if len(kinds) != 1:
        found = " and ".join(f"{'·'.join(map(str, shape or ()))} {dtype}" for shape, dtype in sorted(kinds, key=str)[:2])
        raise InvalidInputError(f"npz holds images of one shape and type, and field {field!r} has {found}; folder and webdataset hold all")
    shape, text = kinds.pop()
    dtype = np.dtype(text or "").newbyteorder("=")
    for each in (shape or (), (*(shape or ()), 1)):
        header = ArrayHeader(dtype.str, (len(dataset), *each), 0)
        if (
            is_images(header)
            and images_of(field, header, None, field).format.shape == each
            and images_of(field, header, None, field).count == len(dataset)
        ):
            return each, dtype
    raise InvalidInputError(
        f"npz holds images of H·W or H·W·C, and field {field!r} has {'·'.join(map(str, shape or ()))}; only a store keeps it"
    )


def _there(rows: Indices, found: Any, present: Indices) -> list[Any]:
    """Return what is there of the rows that are written."""
    return [found[place] for place in np.flatnonzero(np.isin(rows, present)).tolist()]


def _write(archive: zipfile.ZipFile, name: str, shape: tuple[int, ...], dtype: np.dtype[Any], pieces: Iterator[NDArray[Any]]) -> None:
    """Write one array, whose pieces follow each other."""
    description = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    member = zipfile.ZipInfo(f"{name}.npy")
    written, wanted = 0, math.prod(shape) * dtype.itemsize
    with archive.open(member, "w", force_zip64=True) as file:
        np.lib.format.write_array_header_2_0(file, description)
        for piece in pieces:
            written += file.write(np.ascontiguousarray(piece, dtype).data.cast("B") if piece.size else b"")
    if written != wanted:
        raise InvalidInputError(f"npz: {name} has {written} bytes, {wanted} were foreseen; the dataset changed while it was written")


def _has_labels(dataset: Dataset) -> bool:
    kinds = {column.name: column.type for column in dataset.schema.columns}
    return LABEL in kinds and pa.types.is_integer(kinds[LABEL]) and not dataset.table[LABEL].null_count


def _columns(dataset: Dataset) -> list[str]:
    """Return the columns that become arrays besides the label: numbers, truths and text, a value for each sample."""
    # Without labels, what is called as labels are would be taken for them.
    like_labels = () if _has_labels(dataset) else ALONE
    taken = {LABEL, IMAGES, LABELS, CLASSES, KEY, "keys", *like_labels, *_fields(dataset)}
    return [name for name in dataset.schema.columns.names if name not in taken and _fits(dataset.table[name])]


def _fits(column: pa.ChunkedArray) -> bool:
    kind = column.type
    is_text = pa.types.is_string(kind) or pa.types.is_large_string(kind)
    if column.null_count or not (is_text or pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)):
        return False
    # NumPy's text is filled with zeros: its own at the end would go with them.
    return not is_text or not any(text.endswith("\0") for text in column.to_pylist())


def _values(dataset: Dataset, present: Indices) -> dict[str, NDArray[Any]]:
    rows = pa.array(present)
    found: dict[str, NDArray[Any]] = {}
    if _has_labels(dataset):
        found[LABELS] = dataset.table[LABEL].take(rows).to_numpy().astype(np.int64)
    if _has_labels(dataset) and dataset.classes and not _classes_lost(dataset):
        found[CLASSES] = np.array(dataset.classes)
    for name in [KEY, *_columns(dataset)]:
        column = dataset.table[name].take(rows)
        values = column.to_numpy()
        found[name] = values if values.dtype != object else np.array(column.to_pylist(), dtype="U")
    return found


def _classes_lost(dataset: Dataset) -> list[Loss]:
    if not dataset.classes or not _has_labels(dataset):
        return []
    labels = dataset.table[LABEL].to_numpy()
    beyond = int(np.count_nonzero((labels < 0) | (labels >= len(dataset.classes))))
    return [Loss("classes", f"{beyond} labels are beyond the {len(dataset.classes)} names, which are left out")] if beyond else []


LAYOUT = Npz()
