"""Images anywhere in an HDF5 file: a stack, a dataset per image, or rows of encoded bytes, with what lies beside them.

What is an image is said in `hdf5/candidates`, what belongs to it in `hdf5/labels` and `hdf5/columns`. `file.h5::/group/images` names one of
several. Numbers of any kind are given as they are; bytes in the other order are turned, planes and BGR become H·W·C and RGB when read.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import pyarrow as pa

from pixstore.errors import InvalidInputError, LimitExceededError
from pixstore.samples import IMAGE
from pixstore.schema import KEY, ChannelOrder, Field, Format, Schema
from pixstore.source import Skipped, SourceOptions, SourceReport
from pixstore.sources.hdf5.candidates import Candidate, Shape, chosen, field_name, image_shape, links, stack_shape
from pixstore.sources.hdf5.columns import beside
from pixstore.sources.hdf5.file import Hdf5File, examined, has_signature
from pixstore.sources.hdf5.heap import rows_of
from pixstore.sources.hdf5.nodes import Node
from pixstore.sources.hdf5.parts import Hdf5Parts, Images, images_of

ENCODED = Format(None, None, None)
MOST_ELEMENTS = 1 << 28


class Hdf5Images(Hdf5Parts):
    """Any HDF5 file with images."""

    name: ClassVar[str] = "HDF5 with images"
    takes: ClassVar[frozenset[str]] = frozenset({"inner", "channel_order"})

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """Return whether the path is an HDF5 file; opening it says what is in it."""
        return has_signature(path)

    @classmethod
    def open(cls, path: Path, options: SourceOptions) -> Hdf5Images:
        """Find the images and what lies beside them. Raises a PixstoreError naming the file, the dataset and what is wrong with it."""
        file = examined(path)
        images, *others = chosen(file, options.inner)
        parts = _parts(file, images, options.channel_order)
        more = {field_name(each): _parts(file, each, options.channel_order, is_further=True) for each in others}
        found = beside(file, images, sum(part.count for part in parts), others)
        for name in more.keys() & found.columns.keys():
            del found.columns[name]
            found.notes.append(f"the column {name!r} was left out: images have its name")
        if images.kind == "image":
            found.notes.append(f"took {images.name!r} ({images.words}) for one image of height x width x channels")
        skipped = [Skipped(f"/{node.name}", f"{node.kind} to {node.target!r}, not followed") for node in links(file)]
        table = pa.table(found.columns)
        fields = tuple(_field(name, each) for name, each in {IMAGE: parts, **more}.items())
        schema = Schema(fields, table.drop_columns([KEY]).schema, found.classes, found.attributes)
        return cls(schema, table, SourceReport(skipped, found.notes), parts, f"{path}::/{images.name}", more)


def _field(name: str, parts: Sequence[Images]) -> Field:
    kinds = {part.format for part in parts}
    known = parts[0].format if len(kinds) == 1 else ENCODED
    is_bgr = all((kind.codec or "").endswith("-bgr") for kind in kinds)
    return Field(name, shape=known.shape, dtype=known.dtype, channel_order="bgr" if is_bgr else "rgb")


def _parts(file: Hdf5File, images: Candidate, order: ChannelOrder | None, *, is_further: bool = False) -> list[Images]:
    if images.kind in ("encoded group", "rows"):
        if order is not None and not is_further:
            raise InvalidInputError(f"{file.path}: {images.name!r} holds encoded images, which know their own order of colours")
        if images.kind == "rows":
            return [rows_of(file, file.node(images.name), ENCODED)]
        nodes = [file.node(name) for name in images.names]
        return [images_of(file, node, ENCODED, count=1, size=node.count, is_stack=False) for node in nodes]
    nodes = [file.node(name) for name in images.names]
    if order is not None and not is_further and any(_shape(node, images).size[2] == 1 for node in nodes):
        raise InvalidInputError(f"{file.path}: {images.name!r} holds grey images, which have no order of colours")
    return [_array(file, node, images, order) for node in nodes]


def _shape(node: Node, images: Candidate) -> Shape:
    shape = stack_shape(node) if images.kind == "stack" else image_shape(node)
    assert shape is not None
    return shape


def _array(file: Hdf5File, node: Node, images: Candidate, order: ChannelOrder | None) -> Images:
    shape = _shape(node, images)
    if math.prod(shape.size) > MOST_ELEMENTS:
        raise LimitExceededError(f"{file.path}: {node.name!r} has images of {math.prod(shape.size)} numbers, the limit is {MOST_ELEMENTS}")
    is_bgr = order == "bgr" and shape.size[2] > 1
    found = Format(f"raw{'-planar' if shape.is_planar else ''}{'-bgr' if is_bgr else ''}", shape.size, node.numbers.newbyteorder("=").name)
    is_stack = images.kind == "stack"
    count = (node.shape or (0,))[0] if is_stack else 1
    return images_of(file, node, found, count=count, size=found.decoded_bytes, is_stack=is_stack)


SOURCE = Hdf5Images
