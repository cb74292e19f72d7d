"""What layouts lose, told alike by all of them: the names that users accept, and the samples that no layout of its kind can hold."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal, TypeAlias

import numpy as np
import pyarrow.compute as pc

from pixstore import codec
from pixstore.dataset import Dataset
from pixstore.errors import InvalidInputError
from pixstore.layout import Loss
from pixstore.samples import IMAGE
from pixstore.schema import Format

LABEL = "label"
SHOWN = 5
Images: TypeAlias = Literal["PNG", "8-bit"]
LIKED = {"PNG": ("uint8", "uint16"), "8-bit": ("uint8",)}


def columns_lost(dataset: Dataset, kept: Collection[str]) -> list[Loss]:
    """Return the loss of the columns that are not among `kept`; none where there are no others."""
    lost = [name for name in dataset.schema.columns.names if name not in kept]
    return [Loss("columns", f"columns that are left out: {_first(lost)}")] if lost else []


def attributes_lost(dataset: Dataset) -> list[Loss]:
    """Return the loss of what a dataset says of itself as a whole, where it says something."""
    names = list(dataset.schema.attributes)
    return [Loss("columns", f"attributes of the dataset as a whole that are left out: {_first(names)}")] if names else []


def fields_lost(dataset: Dataset, kept: Collection[str] = (IMAGE,)) -> list[Loss]:
    """Return the loss of the fields that are not among `kept`."""
    lost = [name for name in dataset.schema.field_names if name not in kept]
    return [Loss("fields", f"further images of a sample that are left out: {_first(lost)}")] if lost else []


def classes_lost(dataset: Dataset) -> list[Loss]:
    """Return the loss of the class names, where labels have any."""
    names = dataset.classes
    return [Loss("classes", f"labels stay as numbers, their {len(names)} names are left out: {_first(names)}")] if names else []


def missing_lost(dataset: Dataset, field: str = IMAGE) -> list[Loss]:
    """Return the loss of samples that have no image in a field."""
    absent = dataset.absent(field, slice(None))
    if not len(absent):
        return []
    return [Loss("missing", f"{len(absent):,} samples have no {field}, the first is {dataset.keys[int(absent[0])].as_py()!r}")]


def formats_of(dataset: Dataset, field: str = IMAGE) -> set[Format]:
    """Return how the images of a field are kept, each way once; where nothing states it, headers are read."""
    rows = np.delete(np.arange(len(dataset)), dataset.absent(field, slice(None)))
    if not len(rows):
        return set()
    records = dataset.located(field, rows)
    if any(not each.is_known for each in records.formats):
        records = codec.probe(records)
    return {records.formats[number] for number in np.unique(records.format).tolist()}


def require_pixels(dataset: Dataset, layout: str, kind: Images, field: str = IMAGE) -> None:
    """Raise InvalidInputError where images are not such as PNG holds ("PNG": 8 or 16 bits, 1 to 4 channels), or not of 8 bits ("8-bit")."""
    if dataset.schema.field(field).is_stack:
        raise InvalidInputError(f"{layout} holds one image per sample, and field {field!r} has many; npz holds them")
    for each in formats_of(dataset, field):
        shape = each.shape or ()
        channels = shape[2] if len(shape) == 3 else 1
        # PNG has a byte order of its own.
        dtype = None if each.dtype is None else np.dtype(each.dtype).newbyteorder("=").name
        if dtype not in LIKED[kind] or not 2 <= len(shape) <= 3 or not 1 <= channels <= 4 or 0 in shape:
            described = f"{'·'.join(map(str, shape))} {each.dtype}"
            bits = "uint8 or uint16" if kind == "PNG" else "uint8"
            raise InvalidInputError(
                f"{layout} holds {bits} images of 1 to 4 channels, and field {field!r} has {described}; hdf5 and npz hold it"
            )


def require_labels(dataset: Dataset, layout: str, *, most: int | None = None) -> None:
    """Raise InvalidInputError unless every sample has an integer label, from 0 to `most` where that is given."""
    kinds = {column.name: column.type for column in dataset.schema.columns}
    if LABEL not in kinds:
        raise InvalidInputError(f"{layout} needs a label of each sample, and there is no column {LABEL!r}; `folder` does without")
    column = dataset.table[LABEL]
    if not str(kinds[LABEL]).lstrip("u").startswith("int"):
        raise InvalidInputError(f"{layout} holds labels that are integers, and these are {kinds[LABEL]}; `folder` holds them")
    if column.null_count:
        missing = int(np.flatnonzero(column.is_null().to_numpy())[0])
        raise InvalidInputError(
            f"{layout} needs a label of each sample; {column.null_count:,} have none, the first is {dataset.keys[missing].as_py()!r}"
        )
    if most is not None and len(column):
        least, largest = pc.min(column).as_py(), pc.max(column).as_py()
        if least < 0 or largest > most:
            raise InvalidInputError(f"{layout} holds labels from 0 to {most}, and these go from {least} to {largest}; `hdf5` holds them")


def _first(names: Collection[str]) -> str:
    few = list(names)[:SHOWN]
    return ", ".join(few) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
