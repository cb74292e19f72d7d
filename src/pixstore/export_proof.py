"""Proof that an export holds what was exported: it is opened where it lies, and its samples are compared with those of the dataset.

Rows may come in another order and under other keys, so images are compared as a multiset: each image with its label is there as often
as it should be.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pixstore.codec import hash_bytes
from pixstore.dataset import Dataset
from pixstore.errors import CorruptStoreError
from pixstore.layout import Export, Layout
from pixstore.layouts.losses import LABEL
from pixstore.opening import open_dataset
from pixstore.samples import IMAGE

PIXELS_CHANGE = frozenset({"depth", "alpha", "format"})
"""Losses after which pixels are others than they were."""


FIRST = slice(0, 8)


def prove(export: Export, layout: Layout, lost: Collection[str], *, check: bool) -> tuple[int, str, list[str]]:
    """Open what was exported and count its samples; with `check`, compare pixels and labels too.

    Returns how many there are, what was done, and what is no loss but otherwise than it was.

    Raises CorruptStoreError naming what is not there.
    """
    absent = len(export.dataset.absent(IMAGE, slice(None)))
    with closing(open_dataset(layout.reopened(export.dataset, export.place), threads=export.threads)) as found:
        if not len(export.dataset) - absent <= len(found) <= len(export.dataset):
            raise _wrong(export.place, f"{len(found):,} samples are there, {len(export.dataset):,} were written")
        notes = _axes_told(export.dataset, found)
        if not check:
            return len(found), "samples counted", notes
        changed = sorted(PIXELS_CHANGE & set(lost))
        if changed:
            return len(found), f"samples counted; pixels not compared, because this was accepted to be lost: {', '.join(changed)}", notes
        return len(found), _compared(export, found, lost), notes


def _axes_told(source: Dataset, found: Dataset) -> list[str]:
    """Return a note for each field whose images of one channel have an axis for it on one side only; the first samples are looked at."""
    notes = []
    for field in source.schema.field_names:
        if field not in found.schema.field_names or source.schema.field(field).is_stack:
            continue
        before, after = _axes(source, field), _axes(found, field)
        if before and after and before != after:
            notes.append(
                f"{field}: images of one channel were {' or '.join(before)} and are {' or '.join(after)} when they are opened again"
            )
    return notes


def _axes(dataset: Dataset, field: str) -> list[str]:
    """Return as what images of one channel come: "H·W", "H·W·1" or both."""
    rows = np.arange(len(dataset))[FIRST]
    present = np.delete(rows, dataset.absent(field, rows))
    shapes = [each.shape or () for each in dataset.formats(present, field=field)] if len(present) else []
    return sorted({"H·W" if len(shape) == 2 else "H·W·1" for shape in shapes if len(shape) == 2 or shape[2:] == (1,)})


def _compared(export: Export, found: Dataset, lost: Collection[str]) -> str:
    source, found = _with_images(export.dataset), _with_images(found)
    fields = [name for name in source.schema.field_names if name in found.schema.field_names]
    labels, words = _labels(export.place, source, found, lost)
    wanted, there = (_hashes(Export(each, export.place, threads=export.threads), fields, names) for each, names in labels)
    if not np.array_equal(np.sort(wanted), np.sort(there)):
        row = int(np.argmin(np.isin(wanted, there)))
        raise _wrong(export.place, f"the image or label of {source.keys[row].as_py()!r} is not there as it was")
    is_part = len(fields) < len(source.schema.field_names)
    return f"samples counted, pixels{' of ' + ', '.join(fields) if is_part else ''}{words} compared"


def _with_images(dataset: Dataset) -> Dataset:
    """Return the samples that have an image."""
    absent = dataset.absent(IMAGE, slice(None))
    return dataset.select(np.delete(np.arange(len(dataset)), absent)) if len(absent) else dataset


Labelled = tuple[Dataset, list[str] | None]


def _labels(place: Path, source: Dataset, found: Dataset, lost: Collection[str]) -> tuple[tuple[Labelled, Labelled], str]:
    """Return both datasets with the labels to compare: their names where both have names, else their numbers; none where they are lost."""
    if LABEL not in source.table.column_names or (LABEL not in found.table.column_names and "columns" in lost):
        return ((source, None), (found, None)), ""
    if LABEL not in found.table.column_names:
        raise _wrong(place, "the labels are not there")
    by_name = all(has_label_names(each) for each in (source, found))
    return ((source, label_texts(source, by_name=by_name)), (found, label_texts(found, by_name=by_name))), " and labels"


def has_label_names(dataset: Dataset) -> bool:
    """Return whether the labels of a dataset are names, or numbers that have names."""
    return bool(dataset.classes) or pa.types.is_string(dataset.table[LABEL].type) or pa.types.is_large_string(dataset.table[LABEL].type)


def label_texts(dataset: Dataset, *, by_name: bool) -> list[str]:
    """Return the label of each sample as text; of numbers with names the name, where that is asked for."""
    values, names = dataset.table[LABEL].to_pylist(), dataset.classes
    if not by_name or not names:
        return [str(value) for value in values]
    return [names[value] if isinstance(value, int) and 0 <= value < len(names) else str(value) for value in values]


def _hashes(export: Export, fields: Sequence[str], labels: list[str] | None) -> NDArray[np.uint64]:
    """Return one number per sample that depends on its label, and on pixels, shape and dtype of its fields."""
    texts = labels or [""] * len(export.dataset)
    hashes = np.fromiter((hash_bytes(text.encode(errors="surrogatepass")) for text in texts), np.uint64, len(texts))
    for field in fields:
        for rows, images in export.pixels(field):
            for row, image in zip(rows.tolist(), images, strict=True):
                hashes[row] = hash_bytes(_described(image), int(hashes[row]))
    return hashes


def _described(image: NDArray[Any] | None) -> bytes:
    """Return what tells images apart; a last axis of one channel does not count, nor the order of a number's bytes."""
    if image is None:
        return b""
    image = image.astype(image.dtype.newbyteorder("="), copy=False)
    shape = image.shape[:2] if image.shape[2:] == (1,) else image.shape
    pixels = hash_bytes(np.ascontiguousarray(image).reshape(-1).view(np.uint8).data)
    return f"{pixels} {shape} {image.dtype.str}".encode()


def _wrong(place: Path, reason: str) -> CorruptStoreError:
    return CorruptStoreError(f"{place.name}: the export was read again, and {reason}; it was removed: check disk and memory, then repeat")
