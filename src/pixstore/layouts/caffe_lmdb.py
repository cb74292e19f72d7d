"""Caffe's LMDB: a Datum for each sample, as `convert_imageset` makes them and Caffe's data layer reads them.

PNG and JPEG images stay the files they are (`encoded`), other images become planes of blue, green and red: uint8 as `data`, float32 as
`float_data`. Caffe reads in the order of the keys: keys that are not in the order of the rows get a number of 8 digits in front.
Format: caffe.proto of BVLC Caffe.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pixstore import wire
from pixstore.dataset import Dataset
from pixstore.errors import InvalidInputError
from pixstore.layout import Encoded, Export, Layout, Loss, require_image_field
from pixstore.layouts.lmdb_file import new_lmdb
from pixstore.layouts.losses import LABEL, attributes_lost, classes_lost, columns_lost, fields_lost, formats_of, missing_lost
from pixstore.samples import IMAGE

CHANNELS, HEIGHT, WIDTH, DATA, LABEL_NUMBER, FLOATS, ENCODED = range(1, 8)
FLOAT_TAG = FLOATS << 3 | wire.FIXED32
FILES = ("png", "jpeg")
LEAST_LABEL, MOST_LABEL = -(1 << 31), (1 << 31) - 1


class CaffeLmdb(Layout):
    """An LMDB environment (a folder) of Datum messages."""

    name = "caffe-lmdb"
    words = "LMDB of Datum messages: Caffe, DIGITS, and whoever has caffe.proto"

    def losses(self, dataset: Dataset) -> list[Loss]:
        require_image_field(dataset, self.name)
        _require_pixels(dataset)
        has_labels = _has_labels(dataset)
        return [
            *missing_lost(dataset),
            *_keys_lost(dataset),
            *(classes_lost(dataset) if has_labels else []),
            *columns_lost(dataset, {LABEL} if has_labels else set()),
            *fields_lost(dataset),
            *attributes_lost(dataset),
        ]

    def write(self, export: Export) -> None:
        with new_lmdb(export.place) as environment:
            for part in _entries(export):
                environment.put(part)


def _require_pixels(dataset: Dataset) -> None:
    """Raise InvalidInputError where images are neither uint8 nor float32, or are no single H·W or H·W·C."""
    if dataset.schema.field(IMAGE).is_stack:
        raise InvalidInputError(f"{CaffeLmdb.name} holds one image per sample, and field {IMAGE!r} has many; npz holds them")
    for each in formats_of(dataset):
        shape = each.shape or ()
        if each.dtype not in ("uint8", "float32") or not 2 <= len(shape) <= 3 or 0 in shape:
            described = f"{'·'.join(map(str, shape))} {each.dtype}"
            raise InvalidInputError(f"{CaffeLmdb.name} holds uint8 and float32 images, and field {IMAGE!r} has {described}; hdf5 holds it")


def _has_labels(dataset: Dataset) -> bool:
    """Return whether each sample has an integer label. Raises InvalidInputError for integers that no int32 is."""
    if LABEL not in dataset.schema.columns.names or not pa.types.is_integer(dataset.schema.columns.field(LABEL).type):
        return False
    column = dataset.table[LABEL]
    if column.null_count:
        raise InvalidInputError(f"{CaffeLmdb.name} needs a label of every sample or of none; {column.null_count:,} have none")
    if len(column) and not LEAST_LABEL <= pc.min(column).as_py() <= pc.max(column).as_py() <= MOST_LABEL:
        raise InvalidInputError(f"{CaffeLmdb.name} holds labels of 32 bits, and the largest here is {pc.max(column).as_py()}")
    return True


def _in_order(dataset: Dataset) -> bool:
    return all(first.encode() < second.encode() for first, second in pairwise(dataset.keys.to_pylist()))


def _keys_lost(dataset: Dataset) -> list[Loss]:
    if _in_order(dataset):
        return []
    return [Loss("keys", "keys get a number in front, as Caffe's own tool writes them, so that they are read in the order of the rows")]


def _entries(export: Export) -> Iterator[list[tuple[bytes, bytes]]]:
    labels = export.dataset.table[LABEL].to_pylist() if _has_labels(export.dataset) else [None] * len(export.dataset)
    prefix = "" if _in_order(export.dataset) else f"{{:0{max(8, len(str(len(export.dataset))))}}}_"
    for part in export.encoded():
        arrays = _arrays(export, part)
        yield [
            (f"{prefix.format(row)}{key}".encode(), _datum(record, arrays.get(place), labels[row]))
            for place, (row, key, record) in enumerate(zip(part.rows.tolist(), part.keys, part.records, strict=True))
            if record is not None
        ]


def _arrays(export: Export, part: Encoded) -> dict[int, NDArray[Any]]:
    """Return the pixels of the records that do not stay files, by their place in the part."""
    places = [
        place
        for place, (record, form) in enumerate(zip(part.records, part.formats, strict=True))
        if record is not None and (form.codec not in FILES or form.dtype != "uint8")
    ]
    if not places:
        return {}
    images = export.dataset.read(part.rows[places], fields=[IMAGE], columns=[], threads=export.threads)[IMAGE]
    return dict(zip(places, images, strict=True))


def _datum(record: bytes, image: NDArray[Any] | None, label: int | None) -> bytes:
    """Return the message of one sample, its fields in the order in which Caffe's tools write them."""
    labelled = b"" if label is None else wire.varint_field(LABEL_NUMBER, label)
    if image is None:
        return wire.bytes_field(DATA, record) + labelled + wire.varint_field(ENCODED, 1)
    planes = _planes(image)
    size = b"".join(wire.varint_field(number, each) for number, each in zip((CHANNELS, HEIGHT, WIDTH), planes.shape, strict=True))
    if planes.dtype == np.uint8:
        return size + wire.bytes_field(DATA, planes.tobytes()) + labelled
    return size + labelled + _spaced(planes)


def _planes(image: NDArray[Any]) -> NDArray[Any]:
    """Return an image as C·H·W, colours as blue, green and red, what is beyond them last."""
    if image.ndim == 2:
        return image[None]
    planes = image.transpose(2, 0, 1)
    return planes[[2, 1, 0, *range(3, len(planes))]] if len(planes) in (3, 4) else planes


def _spaced(planes: NDArray[Any]) -> bytes:
    """Return float_data, which is not packed: the tag stands before each number."""
    spaced = np.empty((planes.size, 5), np.uint8)
    spaced[:, 0] = FLOAT_TAG
    spaced[:, 1:] = np.ascontiguousarray(planes, "<f4").reshape(-1, 1).view(np.uint8)
    return spaced.tobytes()


LAYOUT = CaffeLmdb()
