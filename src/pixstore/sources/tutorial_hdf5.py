"""The tutorial's HDF5: `images` (N·H·W·C) and `meta` (N labels), or `image` and `meta` of one image, unsigned 8-bit.

Also read: a group `images` with one dataset per image, where sizes differ, and a folder of one-image files `0.h5`, `1.h5` …
What else HDF5 holds, and what is named behind `::`, is `hdf5_images`.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
import pyarrow as pa

from pixstore.errors import InvalidInputError, LabelMismatchError, LimitExceededError, NotAStoreError, PixstoreError, UnsupportedImageError
from pixstore.schema import KEY, Field, Format, Schema
from pixstore.source import Skipped, Source, SourceOptions, SourceReport
from pixstore.sources.hdf5.candidates import in_order
from pixstore.sources.hdf5.file import Hdf5File, examined, examined_all, has_signature
from pixstore.sources.hdf5.nodes import DATASET, GROUP, Node
from pixstore.sources.hdf5.parts import Hdf5Parts, Images, images_of
from pixstore.sources.hdf5_images import Hdf5Images

MANY, ONE, META = "images", "image", "meta"
NUMBERED = re.compile(r"([0-9]+)\.(h5|hdf5)\Z")


class TutorialHdf5(Hdf5Parts):
    """HDF5 with images and labels as the tutorial writes them."""

    name: ClassVar[str] = "HDF5 with images and meta (tutorial layout)"

    takes: ClassVar[frozenset[str]] = frozenset({"inner", "channel_order"})

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """Return whether the path is an HDF5 file with images and meta, or a folder of numbered ones."""
        if path.is_dir():
            path = next((path / name for name in _numbered(path)), path)
        if not has_signature(path):
            return False
        try:
            names = examined(path).names()
            return META in names and (MANY in names or ONE in names)
        except PixstoreError:
            # A damaged HDF5 file: opening it says what is wrong with it.
            return True

    @classmethod
    def open(cls, path: Path, options: SourceOptions) -> Source:
        """Read the labels and find the images. Raises a PixstoreError naming the file and what is wrong with it."""
        report = SourceReport()
        if options.inner is not None or options.channel_order is not None:
            if path.is_dir():
                raise InvalidInputError(
                    f"{path}: is a folder of files of one image each, which have no place within and no order of colours"
                )
            # What is stated in words of its own is for the layout that takes any HDF5.
            return Hdf5Images.open(path, options)
        if not path.is_dir():
            parts, labels = _contents(examined(path))
            return _source(path, [f"{row:08}" for row in range(len(labels))], parts, labels, report)
        names = sorted(_numbered(path), key=lambda name: (int(name.partition(".")[0]), name))
        report.skipped += [Skipped(name, "not a numbered HDF5 file") for name in sorted(set(os.listdir(path)) - set(names))]
        found = [_contents(file) for file in examined_all([path / name for name in names])]
        wrong = [name for name, (parts, _) in zip(names, found, strict=True) if sum(part.count for part in parts) != 1]
        if wrong:
            raise NotAStoreError(f"{path / wrong[0]}: does not hold one image, so this is no folder of single images; open the file")
        return _source(path, names, [part for parts, _ in found for part in parts], [label for _, each in found for label in each], report)


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
        parts = [_images(file, file.node(f"{name}/{each}"), is_stack=False) for each in in_order(file.names(name))]
    else:
        parts = [_images(file, node, is_stack=name == MANY)]
    return parts, _labels(file, file.node(META), sum(part.count for part in parts))


def _images(file: Hdf5File, node: Node, *, is_stack: bool) -> Images:
    path, name = file.path, node.name
    if node.kind != DATASET or node.shape is None:
        raise NotAStoreError(f"{path}: {name!r} is a group within a group of images, a layout that is not supported")
    shape = node.shape[1:] if is_stack else node.shape
    if node.number != "u" or node.itemsize != 1 or len(shape) not in (2, 3) or 0 in shape:
        expected = "N · height · width · channels" if is_stack else "height · width · channels"
        raise UnsupportedImageError(
            f"{path}: {name!r} is {node.shape} {node.dtype}; {expected} in unsigned 8-bit is expected; '{path}::/{name}' takes it as it is"
        )
    count = node.shape[0] if is_stack else 1
    found = Format("raw", shape if len(shape) == 3 else (*shape, 1), "uint8")
    return images_of(file, node, found, count=count, size=math.prod(shape), is_stack=is_stack)


def _labels(file: Hdf5File, node: Node, count: int) -> list[int]:
    if node.kind != DATASET or node.number not in ("u", "i") or math.prod((node.shape or ())[1:]) != 1:
        raise LabelMismatchError(f"{file.path}: {META!r} should be a dataset with one integer per image")
    if node.count != count:
        raise LabelMismatchError(f"{file.path}: {count} images and {node.count} labels in {META!r}; they should be as many")
    values = file.values(node)
    if values is None:
        raise LimitExceededError(f"{file.path}: {META!r} has {node.declared} bytes, more than is read of labels")
    return [int(value) for value in np.asarray(values).reshape(-1).tolist()]


def _source(path: Path, keys: Sequence[str], parts: Sequence[Images], labels: Sequence[int], report: SourceReport) -> TutorialHdf5:
    kinds = {part.format for part in parts}
    table = pa.table({KEY: pa.array(keys, pa.string()), "label": pa.array(labels, pa.int64())})
    field = Field(shape=parts[0].format.shape, dtype="uint8") if len(kinds) == 1 else Field()
    return TutorialHdf5(Schema((field,), pa.schema([table.schema.field("label")])), table, report, parts, str(path))


SOURCE = TutorialHdf5
