"""The tutorial's HDF5: `images` (N·H·W·C) and `meta` (N labels), or `image` and `meta` of one image, unsigned 8-bit.

Also read: a group `images` with one dataset per image, where sizes differ, and a folder of one-image files `0.h5`, `1.h5` …
Contiguous datasets are read in place, others through h5py.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import h5py
import numpy as np
import pyarrow as pa

from pixstore.errors import (
    LabelMismatchError,
    LimitExceededError,
    NotAStoreError,
    PixstoreError,
    StoreTruncatedError,
    UnsupportedImageError,
)
from pixstore.rows import Buffer, Extents, Indices, Records
from pixstore.schema import KEY, Field, Format, Schema
from pixstore.source import Skipped, SourceOptions, SourceReport
from pixstore.sources.hdf5_file import has_signature, link_names, open_file, open_object
from pixstore.sources.located import LocatedSource, refuse_label_from

MANY, ONE, META = "images", "image", "meta"
NUMBERED = re.compile(r"([0-9]+)\.(h5|hdf5)\Z")
MAX_LABEL_BYTES = 1 << 30
NOT_IN_PLACE = -1


@dataclass(frozen=True)
class Images:
    """The images of one dataset: `count` of them, from byte `offset` of the file (NOT_IN_PLACE where h5py must read them)."""

    path: Path
    dataset: str
    is_stack: bool
    count: int
    format: Format
    offset: int


class TutorialHdf5(LocatedSource):
    """HDF5 with images and labels as the tutorial writes them."""

    name: ClassVar[str] = "HDF5 with images and meta (tutorial layout)"

    def __init__(self, schema: Schema, table: pa.Table, report: SourceReport, parts: Sequence[Images], origin: str) -> None:
        counts = [part.count for part in parts]
        part_of_row = np.repeat(np.arange(len(parts), dtype=np.uint32), counts)
        index = np.concatenate([np.zeros(0, np.int64), *(np.arange(count, dtype=np.int64) for count in counts)])
        size = np.array([part.format.decoded_bytes for part in parts], np.int64)[part_of_row]
        begin = np.array([part.offset for part in parts], np.int64)[part_of_row]
        formats = [part.format for part in parts for _ in range(part.count)]
        offset = (begin + index * size).astype(np.int64)
        place = Extents([str(part.path) for part in parts], part_of_row, offset, size)
        super().__init__(schema, table, report, place=place, formats=formats, origin=origin)
        self._parts = parts
        self._part_of_row = part_of_row
        self._index = index
        self._in_place = all(part.offset != NOT_IN_PLACE for part in parts)

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """Return whether the path is an HDF5 file with images and meta, or a folder of numbered ones."""
        if path.is_dir():
            path = next((path / name for name in _numbered(path)), path)
        if not has_signature(path):
            return False
        try:
            with open_file(path) as file:
                names = link_names(file)
                return META in names and (MANY in names or ONE in names)
        except PixstoreError:
            # A damaged HDF5 file: opening it says what is wrong with it.
            return True

    @classmethod
    def open(cls, path: Path, options: SourceOptions) -> TutorialHdf5:
        """Read the labels and find the images. Raises a PixstoreError naming the file and what is wrong with it."""
        refuse_label_from(cls, path, options)
        report = SourceReport()
        if not path.is_dir():
            parts, labels = _read_file(path)
            return _source(path, [f"{row:08}" for row in range(len(labels))], parts, labels, report)
        names = sorted(_numbered(path), key=lambda name: (int(name.partition(".")[0]), name))
        report.skipped += [Skipped(name, "not a numbered HDF5 file") for name in sorted(set(os.listdir(path)) - set(names))]
        found = [_read_file(path / name) for name in names]
        wrong = [name for name, (parts, _) in zip(names, found, strict=True) if sum(part.count for part in parts) != 1]
        if wrong:
            raise NotAStoreError(f"{path / wrong[0]}: does not hold one image, so this is no folder of single images; open the file")
        return _source(path, names, [part for parts, _ in found for part in parts], [label for _, each in found for label in each], report)

    def locate(self, field: str, rows: Indices) -> Records | None:
        located = super().locate(field, rows)
        return located if self._in_place else None

    def read(self, field: str, rows: Indices) -> Records:
        """Return these rows' pixels, read through h5py."""
        named = super().locate(field, rows)
        assert named is not None
        rows = np.asarray(rows, np.int64)
        found: dict[int, Buffer] = {}
        for number in np.unique(self._part_of_row[rows]).tolist():
            wanted = np.unique(rows[self._part_of_row[rows] == number])
            found.update(zip(wanted.tolist(), _read_images(self._parts[number], self._index[wanted]), strict=True))
        return Records([found[row] for row in rows.tolist()], named.formats, named.format, named.name)


def _numbered(folder: Path) -> list[str]:
    with os.scandir(folder) as entries:
        return [entry.name for entry in entries if NUMBERED.match(entry.name) and entry.is_file(follow_symlinks=False)]


def _read_file(path: Path) -> tuple[list[Images], list[int]]:
    """Return where the images of one file are, and their labels."""
    with open_file(path) as file:
        names = link_names(file)
        name = MANY if MANY in names else ONE
        if name not in names or META not in names:
            raise NotAStoreError(f"{path}: an HDF5 file with {', '.join(sorted(names))[:200] or 'nothing'}; images and meta are expected")
        found = open_object(file, name, path)
        if isinstance(found, h5py.Group):
            each_name = _ordered(link_names(found))
            parts = [_images(open_object(found, each, path), f"{name}/{each}", path, is_stack=False) for each in each_name]
        else:
            parts = [_images(found, name, path, is_stack=name == MANY)]
        labels = _labels(open_object(file, META, path), path)
    count = sum(part.count for part in parts)
    if len(labels) != count:
        raise LabelMismatchError(f"{path}: {count} images and {len(labels)} labels in {META!r}; they should be as many")
    return parts, labels


def _ordered(names: list[str]) -> list[str]:
    return sorted(names, key=int) if all(name.isascii() and name.isdigit() for name in names) else sorted(names)


def _images(dataset: h5py.Dataset | h5py.Group, name: str, path: Path, *, is_stack: bool) -> Images:
    if not isinstance(dataset, h5py.Dataset):
        raise NotAStoreError(f"{path}: {name!r} is a group within a group of images, a layout that is not supported")
    shape = dataset.shape[1:] if is_stack else dataset.shape
    if dataset.dtype.kind != "u" or dataset.dtype.itemsize != 1 or len(shape) not in (2, 3) or 0 in shape:
        expected = "N · height · width · channels" if is_stack else "height · width · channels"
        raise UnsupportedImageError(f"{path}: {name!r} is {dataset.shape} {dataset.dtype}; {expected} in unsigned 8-bit is expected")
    count = int(dataset.shape[0]) if is_stack else 1
    pixels = tuple(int(size) for size in shape) if len(shape) == 3 else (int(shape[0]), int(shape[1]), 1)
    offset = dataset.id.get_offset()
    if offset is None:
        return Images(path, name, is_stack, count, Format("raw", pixels, "uint8"), NOT_IN_PLACE)
    needed = int(offset) + count * math.prod(pixels)
    if needed > os.path.getsize(path):
        raise StoreTruncatedError(f"{path}: {name!r} needs {needed} bytes, the file has {os.path.getsize(path)}; get the file again")
    return Images(path, name, is_stack, count, Format("raw", pixels, "uint8"), int(offset))


def _labels(dataset: h5py.Dataset | h5py.Group, path: Path) -> list[int]:
    if not isinstance(dataset, h5py.Dataset) or dataset.dtype.kind not in "ui" or math.prod(dataset.shape[1:]) != 1:
        raise LabelMismatchError(f"{path}: {META!r} should be a dataset with one integer per image")
    if dataset.nbytes > MAX_LABEL_BYTES:
        raise LimitExceededError(f"{path}: {META!r} has {dataset.nbytes} bytes of labels, the limit is {MAX_LABEL_BYTES}")
    return [int(label) for label in np.asarray(dataset[()]).reshape(-1).tolist()]


def _read_images(part: Images, index: Indices) -> list[Buffer]:
    """Return the bytes of these images of one dataset; runs of neighbours are read in one go."""
    if not part.is_stack:
        with open_file(part.path) as file:
            return [np.ascontiguousarray(file[part.dataset][()]).data.cast("B")] * len(index)
    found: list[Buffer] = []
    with open_file(part.path) as file:
        for run in np.split(index, np.flatnonzero(np.diff(index) != 1) + 1):
            block = np.ascontiguousarray(file[part.dataset][int(run[0]) : int(run[-1]) + 1])
            found += [image.data.cast("B") for image in block]
    return found


def _source(path: Path, keys: Sequence[str], parts: Sequence[Images], labels: Sequence[int], report: SourceReport) -> TutorialHdf5:
    kinds = {part.format for part in parts}
    table = pa.table({KEY: pa.array(keys, pa.string()), "label": pa.array(labels, pa.int64())})
    field = Field(shape=parts[0].format.shape, dtype="uint8") if len(kinds) == 1 else Field()
    return TutorialHdf5(Schema((field,), pa.schema([table.schema.field("label")])), table, report, parts, str(path))


SOURCE = TutorialHdf5
