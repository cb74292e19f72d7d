"""The tutorial's HDF5: `images` (N·H·W·C) and `meta` (N labels), or `image` and `meta` of one image, unsigned 8-bit.

Also read: a group `images` with one dataset per image, where sizes differ, and a folder of one-image files `0.h5`, `1.h5` …
A child examines the file (`hdf5_file`). Images whose bytes lie in one piece are read in place, others chunk by chunk (`hdf5_chunks`).
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pixstore.errors import (
    BadRow,
    CorruptRecordError,
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
from pixstore.sources.foreign_file import MAX_READ_BYTES, FileState, read_range
from pixstore.sources.hdf5_chunks import Chunks, chunks_of
from pixstore.sources.hdf5_file import Hdf5File, examined, examined_all, has_signature
from pixstore.sources.hdf5_nodes import DATASET, GROUP, Node
from pixstore.sources.located import LocatedSource

MANY, ONE, META = "images", "image", "meta"
NUMBERED = re.compile(r"([0-9]+)\.(h5|hdf5)\Z")
NOT_IN_PLACE = -1


@dataclass(frozen=True)
class Images:
    """The `count` images of one dataset, all of one format: in one piece from `offsets`, or in chunks, or within the file's headers."""

    path: Path
    state: FileState
    dataset: str
    count: int
    format: Format
    offsets: NDArray[np.int64] | None
    chunks: Chunks | None = None
    inline: bytes = b""

    def read(self, index: Indices) -> list[Buffer]:
        """Return the bytes of these images."""
        if self.offsets is not None:
            return [read_range(str(self.path), offset, self.format.decoded_bytes) for offset in self.offsets[index].tolist()]
        if self.chunks is None:
            size = self.format.decoded_bytes
            return [self.inline[place * size : (place + 1) * size] for place in index.tolist()]
        return [image.reshape(-1).data for image in self.chunks.read(index)]


class TutorialHdf5(LocatedSource):
    """HDF5 with images and labels as the tutorial writes them."""

    name: ClassVar[str] = "HDF5 with images and meta (tutorial layout)"

    def __init__(self, schema: Schema, table: pa.Table, report: SourceReport, parts: Sequence[Images], origin: str) -> None:
        counts = [part.count for part in parts]
        part_of_row = np.repeat(np.arange(len(parts), dtype=np.uint32), counts)
        index = np.concatenate([np.zeros(0, np.int64), *(np.arange(count, dtype=np.int64) for count in counts)])
        size = np.array([part.format.decoded_bytes for part in parts], np.int64)[part_of_row]
        places = [np.full(part.count, NOT_IN_PLACE) if part.offsets is None else part.offsets for part in parts]
        offset = np.concatenate([np.zeros(0, np.int64), *places])
        formats = [part.format for part in parts for _ in range(part.count)]
        place = Extents([str(part.path) for part in parts], part_of_row, offset, size)
        states = {str(part.path): part.state for part in parts}
        super().__init__(schema, table, report, place=place, formats=formats, origin=origin, states=states)
        self._parts = parts
        self._part_of_row = part_of_row
        self._index = index
        self._in_place = all(part.offsets is not None for part in parts)

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """Return whether the path is an HDF5 file with images and meta, or a folder of numbered ones."""
        if path.is_dir():
            path = next((path / name for name in _numbered(path)), path)
        if not has_signature(path):
            return False
        try:
            names = examined(path, values_of=META).names()
            return META in names and (MANY in names or ONE in names)
        except PixstoreError:
            # A damaged HDF5 file: opening it says what is wrong with it.
            return True

    @classmethod
    def open(cls, path: Path, options: SourceOptions) -> TutorialHdf5:
        """Read the labels and find the images. Raises a PixstoreError naming the file and what is wrong with it."""
        report = SourceReport()
        if not path.is_dir():
            parts, labels = _contents(examined(path, values_of=META))
            return _source(path, [f"{row:08}" for row in range(len(labels))], parts, labels, report)
        names = sorted(_numbered(path), key=lambda name: (int(name.partition(".")[0]), name))
        report.skipped += [Skipped(name, "not a numbered HDF5 file") for name in sorted(set(os.listdir(path)) - set(names))]
        found = [_contents(file) for file in examined_all([path / name for name in names], values_of=META)]
        wrong = [name for name, (parts, _) in zip(names, found, strict=True) if sum(part.count for part in parts) != 1]
        if wrong:
            raise NotAStoreError(f"{path / wrong[0]}: does not hold one image, so this is no folder of single images; open the file")
        return _source(path, names, [part for parts, _ in found for part in parts], [label for _, each in found for label in each], report)

    def locate(self, field: str, rows: Indices) -> Records | None:
        located = super().locate(field, rows)
        return located if self._in_place else None

    def read(self, field: str, rows: Indices) -> Records:
        """Return these rows' pixels. Raises a RecordError that names every row that cannot be read."""
        named = super().locate(field, rows)
        assert named is not None
        rows = np.asarray(rows, np.int64)
        found: dict[int, Buffer] = {}
        reasons: dict[int, str] = {}
        for part, wanted in self._by_part(rows):
            try:
                found.update(zip(wanted.tolist(), part.read(self._index[wanted]), strict=True))
            except PixstoreError:
                _read_alone(part, wanted, self._index[wanted], found, reasons)
        if reasons:
            bad = [BadRow(*named.name(record), reasons[row]) for record, row in enumerate(rows.tolist()) if row in reasons]
            raise CorruptRecordError(f"{len(bad)} records cannot be read", bad)
        return Records([found[row] for row in rows.tolist()], named.formats, named.format, named.name)

    def _by_part(self, rows: Indices) -> Iterator[tuple[Images, Indices]]:
        for number in np.unique(self._part_of_row[rows]).tolist():
            yield self._parts[number], np.unique(rows[self._part_of_row[rows] == number])


def _read_alone(part: Images, rows: Indices, index: Indices, found: dict[int, Buffer], reasons: dict[int, str]) -> None:
    """Read one image after the other, so that each that fails is named and no other is lost with it."""
    for row, place in zip(rows.tolist(), index.tolist(), strict=True):
        try:
            found[row] = part.read(np.array([place]))[0]
        except PixstoreError as error:
            reasons[row] = str(error)


def _numbered(folder: Path) -> list[str]:
    with os.scandir(folder) as entries:
        return [entry.name for entry in entries if NUMBERED.match(entry.name) and entry.is_file(follow_symlinks=False)]


def _contents(file: Hdf5File) -> tuple[list[Images], list[int]]:
    """Return where the images of one file are, and their labels."""
    names = file.names()
    name = MANY if MANY in names else ONE
    if name not in names or META not in names:
        raise NotAStoreError(f"{file.path}: an HDF5 file with {', '.join(sorted(names))[:200] or 'nothing'}; images and meta are expected")
    node = file.node(name)
    if node.kind == GROUP:
        each_name = _ordered(file.names(name))
        parts = [_images(file, file.node(f"{name}/{each}"), is_stack=False) for each in each_name]
    else:
        parts = [_images(file, node, is_stack=name == MANY)]
    labels = _labels(file, file.node(META))
    count = sum(part.count for part in parts)
    if len(labels) != count:
        raise LabelMismatchError(f"{file.path}: {count} images and {len(labels)} labels in {META!r}; they should be as many")
    return parts, labels


def _ordered(names: list[str]) -> list[str]:
    return sorted(names, key=int) if all(name.isascii() and name.isdigit() for name in names) else sorted(names)


def _images(file: Hdf5File, node: Node, *, is_stack: bool) -> Images:
    path, name = file.path, node.name
    if node.kind != DATASET or node.shape is None:
        raise NotAStoreError(f"{path}: {name!r} is a group within a group of images, a layout that is not supported")
    shape = node.shape[1:] if is_stack else node.shape
    if node.number != "u" or node.itemsize != 1 or len(shape) not in (2, 3) or 0 in shape:
        expected = "N · height · width · channels" if is_stack else "height · width · channels"
        raise UnsupportedImageError(f"{path}: {name!r} is {node.shape} {node.dtype}; {expected} in unsigned 8-bit is expected")
    size, count = math.prod(shape), node.shape[0] if is_stack else 1
    if size > MAX_READ_BYTES:
        raise LimitExceededError(f"{path}: {name!r} has images of {size} bytes, the limit is {MAX_READ_BYTES}")
    found = Format("raw", shape if len(shape) == 3 else (*shape, 1), "uint8")
    if node.offset is not None:
        needed = node.offset + count * size
        if needed > os.path.getsize(path):
            raise StoreTruncatedError(f"{path}: {name!r} needs {needed} bytes, the file has {os.path.getsize(path)}; get the file again")
        return Images(path, file.state, name, count, found, node.offset + size * np.arange(count, dtype=np.int64))
    if node.table is not None:
        chunks = chunks_of(path, node, file.buffers[node.table], is_stack=is_stack)
        return Images(path, file.state, name, count, found, chunks.offsets_of_images(), chunks)
    inline = file.buffers[node.inline] if node.inline is not None else b""
    if len(inline) != count * size:
        raise StoreTruncatedError(f"{path}: {name!r} needs {count * size} bytes, {len(inline)} are there; get the file again")
    return Images(path, file.state, name, count, found, None, None, inline)


def _labels(file: Hdf5File, node: Node) -> list[int]:
    values = file.values(node) if node.kind == DATASET else None
    if values is None or math.prod((node.shape or ())[1:]) != 1:
        raise LabelMismatchError(f"{file.path}: {META!r} should be a dataset with one integer per image")
    return [int(value) for value in values.tolist()]


def _source(path: Path, keys: Sequence[str], parts: Sequence[Images], labels: Sequence[int], report: SourceReport) -> TutorialHdf5:
    kinds = {part.format for part in parts}
    table = pa.table({KEY: pa.array(keys, pa.string()), "label": pa.array(labels, pa.int64())})
    field = Field(shape=parts[0].format.shape, dtype="uint8") if len(kinds) == 1 else Field()
    return TutorialHdf5(Schema((field,), pa.schema([table.schema.field("label")])), table, report, parts, str(path))


SOURCE = TutorialHdf5
