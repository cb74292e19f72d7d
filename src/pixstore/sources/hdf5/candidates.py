"""Which data in an HDF5 file are images: stacks, groups with a dataset per image, and rows of encoded bytes.

a stack     N·H·W, N·H·W·C or N·C·H·W, of numbers; three axes that end in 1, 3 or 4 are one image H·W·C
a group     of datasets H·W·C or H·W, or of 1-D unsigned 8-bit ones that begin as image files do
rows        one dataset of N rows of unsigned 8-bit bytes of any length, each an image file
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from pixstore.errors import InvalidInputError, NotAStoreError, PixstoreError, UnsafeInputError, UnsupportedImageError
from pixstore.schema import KEY, NAME
from pixstore.sources.foreign_file import read_range
from pixstore.sources.hdf5.chunks import chunks_of
from pixstore.sources.hdf5.file import Hdf5File
from pixstore.sources.hdf5.labels import LABELS, last
from pixstore.sources.hdf5.nodes import BYTE_ROWS, DATASET, EXTERNAL_LINK, GROUP, NUMBERS, ROOT, SOFT_LINK, Node, check_reachable
from pixstore.sources.lookalike import is_image

Kind: TypeAlias = Literal["stack", "image", "group", "encoded group", "rows"]
IMAGES = ("image", "images", "img", "imgs")
COLOURS = (1, 3, 4)
PLANES = (1, 3)
MOST_CHANNELS = 32
MOST_GREY_BYTES = 2
HEAD_BYTES = 16
SHOWN = 12
NUMBERED = re.compile(r"(.*?)([0-9]{1,18})(\D*)", re.DOTALL)


@dataclass(frozen=True)
class Shape:
    """An image's shape (height, width, channels), and whether its channels lie one after the other in planes."""

    size: tuple[int, int, int]
    is_planar: bool = False


@dataclass(frozen=True)
class Candidate:
    """Data that are images: `name` is that of a dataset or a group, `names` those of the datasets, in order."""

    kind: Kind
    name: str
    names: tuple[str, ...]
    words: str
    """Shape and type, for people."""

    @property
    def place(self) -> str:
        """The group in which what belongs to the images lies."""
        return self.name if "group" in self.kind else self.name.rpartition("/")[0]


def chosen(file: Hdf5File, inner: str | None) -> tuple[Candidate, ...]:
    """Return the images that are meant: those at `inner`, or the only ones in the file; with images, what has as many beside them.

    `images` and `masks` in one group, as many of each, belong together: the images come first, the others are further fields.

    Raises InvalidInputError listing the addresses of several, NotAStoreError or UnsupportedImageError where nothing is an image,
    UnsafeInputError for links.
    """
    _refuse_shard(file)
    place = (inner or "").strip("/")
    if place and (found := _at(file, place)) is not None:
        return (found,)
    below = [each for each in candidates(file) if not place or each.name == place or each.name.startswith(f"{place}/")]
    if len(below) == 1:
        return (below[0],)
    if fields := _fields(file, below):
        return fields
    if below:
        shown = [f"'{file.path}::/{each.name}' ({each.words})" for each in below[:SHOWN]]
        more = f" and {len(below) - SHOWN} more" if len(below) > SHOWN else ""
        raise InvalidInputError(f"{file.path}: holds {len(below)} sets of images; name one of them: {', '.join(shown)}{more}")
    raise _nothing(file, place)


def _refuse_shard(file: Hdf5File) -> None:
    """Raise NotAStoreError for a shard of a store that keeps encoded images end to end: one dataset of them would pass for one image."""
    for group in file.nodes_in():
        bytes_of, index = file.nodes.get(f"{group.name}/bytes"), file.nodes.get(f"{group.name}/index")
        if bytes_of is not None and bytes_of.kind == GROUP and index is not None and len(index.shape or ()) == 2 and index.number == "i":
            raise NotAStoreError(f"{file.path}: is one file of a pixstore store; open the folder of the store, where manifest.json is")


def field_name(images: Candidate) -> str:
    """Return the name of the field that further images are."""
    return images.name.rpartition("/")[2]


def _fields(file: Hdf5File, found: Sequence[Candidate]) -> tuple[Candidate, ...]:
    """Return images and what belongs to them, images first; nothing where it does not plainly do so."""
    images = [each for each in found if field_name(each).lower() in IMAGES]
    others = [each for each in found if each not in images]
    around = {each.name.rpartition("/")[0] for each in found}
    counts = {_count(file, each) for each in found}
    are_names = all(NAME.match(field_name(each)) and field_name(each) != KEY for each in others)
    return (*images, *others) if (len(images), len(around), len(counts), are_names) == (1, 1, 1, True) else ()


def _count(file: Hdf5File, images: Candidate) -> int:
    if images.kind in ("stack", "rows"):
        return (file.nodes[images.name].shape or (0,))[0]
    return len(images.names)


def _at(file: Hdf5File, name: str) -> Candidate | None:
    """Return the images of the dataset, or directly in the group, of this name; None where they may lie deeper."""
    node = file.node(name)
    found = _dataset(node, asked=True) if node.kind == DATASET else _group(file, node)
    if found is None and node.kind == DATASET:
        raise UnsupportedImageError(f"{file.path}: {name!r} is {described(node)}; {_expected()}")
    return found


def candidates(file: Hdf5File) -> list[Candidate]:
    """Return all data in the file that are images, unchecked, in the order of the file."""
    found: list[Candidate] = []
    grouped: set[str] = set()
    for node in file.nodes.values():
        if node.kind == GROUP and (group := _group(file, node)) is not None:
            found.append(group)
            grouped.update(group.names)
    for node in file.nodes.values():
        if node.kind == DATASET and node.name not in grouped and (stack := _dataset(node)) is not None:
            found.append(stack)
    return found


def sizes_of_others(file: Hdf5File, taken: Sequence[Candidate], groups: Sequence[str]) -> dict[str, frozenset[int]]:
    """Return, for each of these groups, how many images the sets below it have that are not taken, nor in one group with those."""
    if not any(node.kind == DATASET for group in groups for node in file.nodes_in(group)):
        # Nothing lies there that could belong to anyone.
        return {}
    names, places = {each.name for each in taken}, {each.place for each in taken}
    others = [each for each in candidates(file) if each.name not in names and each.place not in places]
    below = {group: [each for each in others if not group or each.name.startswith(f"{group}/")] for group in groups}
    return {group: frozenset(_count(file, each) for each in found) for group, found in below.items()}


def stack_shape(node: Node) -> Shape | None:
    """Return the shape of each image of a stack; None for what is none."""
    if node.number not in NUMBERS or node.shape is None or 0 in node.shape:
        return None
    shape = node.shape
    if len(shape) == 4 and shape[3] in COLOURS:
        return Shape((shape[1], shape[2], shape[3]))
    if len(shape) == 4 and shape[1] in PLANES:
        # One plane is the same either way.
        return Shape((shape[2], shape[3], shape[1]), is_planar=shape[1] > 1)
    if len(shape) == 4 and shape[3] <= MOST_CHANNELS:
        return Shape((shape[1], shape[2], shape[3]))
    return Shape((shape[1], shape[2], 1)) if len(shape) == 3 and shape[2] not in COLOURS else None


def image_shape(node: Node) -> Shape | None:
    """Return the shape of a dataset that is one image, H·W·C or H·W; None for what is none."""
    if node.number not in NUMBERS or node.shape is None or 0 in node.shape:
        return None
    if len(node.shape) == 3 and node.shape[2] in COLOURS:
        return Shape((node.shape[0], node.shape[1], node.shape[2]))
    return Shape((node.shape[0], node.shape[1], 1)) if len(node.shape) == 2 else None


def described(node: Node) -> str:
    """Return shape and type of a dataset, for people."""
    return f"{'x'.join(map(str, node.shape or ())) or 'a single value'} {node.dtype}"


def in_order(names: Sequence[str]) -> list[str]:
    """Return names that differ in one number in the order of these numbers, others in that of the alphabet."""
    found = [NUMBERED.fullmatch(name) for name in names]
    if len({(each[1], each[3]) for each in found if each is not None}) == 1 and all(found):
        return sorted(names, key=lambda name: (int(NUMBERED.fullmatch(name)[2]), name))  # type: ignore[index]
    return sorted(names)


def _dataset(node: Node, *, asked: bool = False) -> Candidate | None:
    if stack_shape(node) is not None:
        return Candidate("stack", node.name, (node.name,), described(node))
    if node.number == BYTE_ROWS and node.shape is not None and len(node.shape) == 1 and node.shape[0]:
        return Candidate("rows", node.name, (node.name,), described(node))
    if image_shape(node) is not None and (asked or len(node.shape or ()) == 3):
        return Candidate("image", node.name, (node.name,), described(node))
    return None


def _group(file: Hdf5File, group: Node) -> Candidate | None:
    """Return a group with a dataset per image; a single one is an image of its own, not a group."""
    there = [node for node in file.nodes_in(group.name) if node.kind == DATASET and node.number in NUMBERS and node.count]
    colour = [node for node in there if len(node.shape or ()) == 3 and image_shape(node) is not None]
    if len(colour) > 1:
        return _grouped("group", group, colour)
    bits = [node for node in there if len(node.shape or ()) == 1 and (node.number, node.itemsize) == ("u", 1)]
    bits = [node for node in bits if last(node).lower() not in LABELS]
    if bits and is_image(_head(file, bits[0])):
        return _grouped("encoded group", group, bits)
    # Two axes are mostly tables of numbers; a group of nothing but small unsigned ones under numbers is of grey images.
    is_grey = all(node.number in "ub" and node.itemsize <= MOST_GREY_BYTES and len(node.shape or ()) == 2 for node in there)
    are_numbered = all(NUMBERED.fullmatch(last(node)) for node in there)
    return _grouped("group", group, there) if len(there) > 1 and is_grey and are_numbered else None


def _grouped(kind: Kind, group: Node, nodes: Sequence[Node]) -> Candidate:
    prefix = f"{group.name}/" if group.name != ROOT else ""
    names = in_order([node.name.removeprefix(prefix) for node in nodes])
    first = "encoded images" if kind == "encoded group" else f"datasets such as {described(nodes[0])}"
    return Candidate(kind, group.name, tuple(f"{prefix}{name}" for name in names), f"{len(names)} {first}")


def _head(file: Hdf5File, node: Node) -> bytes:
    """Return the first bytes of a dataset of bytes; none where they cannot be read, which reading it says."""
    try:
        if node.offset is not None:
            return read_range(str(file.path), node.offset, min(node.count, HEAD_BYTES))
        if node.inline is not None:
            return file.buffers[node.inline][:HEAD_BYTES]
        if node.table is None or not node.stored:
            return b""
        chunks = chunks_of(file.path, node, file.buffers[node.table], is_stack=True)
        return chunks.read(np.arange(min(node.count, HEAD_BYTES))).tobytes()
    except PixstoreError:
        return b""


def _nothing(file: Hdf5File, place: str) -> PixstoreError:
    """Return the error for a file without images: what bars the way, or what is there instead."""
    below = [node for node in file.nodes.values() if node.name.startswith(f"{place}/" if place else place) and node.name != ROOT]
    for node in below:
        try:
            check_reachable(node, file.path)
        except UnsafeInputError as error:
            return error
        except NotAStoreError:
            # A named type, which nothing reads.
            continue
    there = [f"{node.name!r} {described(node)}" for node in below if node.kind == DATASET]
    more = f" and {len(there) - SHOWN} more" if len(there) > SHOWN else ""
    shown = f"{', '.join(there[:SHOWN])}{more}" if there else "no dataset"
    kind = UnsupportedImageError if there else NotAStoreError
    return kind(f"{file.path}: an HDF5 file without images: it holds {shown}; {_expected()}")


def _expected() -> str:
    return "N x height x width (x 1, 3 or 4) or N x 3 x height x width of numbers is expected, or a dataset per image"


def links(file: Hdf5File) -> Iterator[Node]:
    """Yield what leads elsewhere and was not followed."""
    return (node for node in file.nodes.values() if node.kind in (EXTERNAL_LINK, SOFT_LINK))
