"""What a foreign HDF5 file says about one of its names, as plain facts, and which of them are refused.

A child reads these facts (`hdf5/examination`); the checks need nothing but them, so that they hold on both sides of the pipe.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np

from pixstore.errors import CorruptStoreError, LimitExceededError, NotAStoreError, UnsafeInputError, UnsupportedImageError

DATASET, GROUP, EXTERNAL_LINK, SOFT_LINK = "dataset", "group", "external link", "soft link"
ROOT = ""
GZIP, SHUFFLE, FLETCHER32, LZF = 1, 2, 3, 32000
BUILT_IN_FILTERS = frozenset({GZIP, SHUFFLE, FLETCHER32, LZF})
KNOWN_FILTERS = {4: "szip", 5: "nbit", 6: "scaleoffset"}
"""Filters of HDF5 itself that are not undone here."""
MAX_CHUNK_BYTES = 64 << 20
MAX_CHUNKS = 1 << 22
FREE_BYTES = 64 << 20
# What gzip can shrink at most is about 1,030 : 1.
MAX_RATIO = 1100
NUMBERS = {"u": "unsigned", "i": "signed", "f": "floating", "b": "truths"}
FIXED_TEXT, TEXT, BYTE_ROWS = "S", "T", "B"
"""Kinds of values beside numbers: text of a fixed and of any length, and rows of bytes of any length."""
NO_VALUES = ""
READ = frozenset({*NUMBERS, FIXED_TEXT, TEXT, BYTE_ROWS})


@dataclass(frozen=True)
class Node:
    """One name: what kind of thing it stands for, and of a dataset how it is stored; of a link nothing but where it leads.

    `number` is the kind of its values: a letter of NUMBERS, FIXED_TEXT, TEXT, BYTE_ROWS, or NO_VALUES for what is not read. `offset` is
    where contiguous data begin. `filters` are (number, parameters). `table`, `values` and `inline` are numbers of buffers that came with
    the facts: where each chunk lies, the values of a column, and data that lie within the file's own headers. `attributes` are values of
    JSON; `unread` names the attributes that are none.
    """

    name: str
    kind: str
    target: str = ""
    shape: tuple[int, ...] | None = None
    dtype: str = ""
    number: str = NO_VALUES
    itemsize: int = 0
    offset: int | None = None
    chunks: tuple[int, ...] | None = None
    filters: tuple[tuple[int, tuple[int, ...]], ...] = ()
    stored: int = 0
    chunk_count: int = 0
    is_outside: bool = False
    table: int | None = None
    values: int | None = None
    inline: int | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    unread: tuple[str, ...] = ()

    @property
    def count(self) -> int:
        return 0 if self.shape is None else math.prod(self.shape)

    @property
    def declared(self) -> int:
        return self.count * self.itemsize

    @property
    def parent(self) -> str:
        return self.name.rpartition("/")[0]

    @property
    def numbers(self) -> np.dtype[Any]:
        """The type of its numbers as they lie in the file, in its byte order. Raises TypeError or ValueError where they are none."""
        found = np.dtype(self.dtype)
        if self.number not in NUMBERS or found.kind != self.number or found.itemsize != self.itemsize:
            raise ValueError(f"{self.dtype!r} as numbers of {self.itemsize} bytes")
        return found

    def to_json(self) -> dict[str, Any]:
        """Return the facts that differ from those of a name of which nothing is known."""
        return {name: value for name, value in vars(self).items() if name in ("name", "kind") or value != DEFAULTS[name]}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Node:
        """Return the facts that came through the pipe. Raises ValueError, KeyError or TypeError for what is no fact."""
        facts: dict[str, Any] = {"name": _text(value["name"]), "kind": _text(value["kind"])}
        for name in value.keys() - {"name", "kind"}:
            facts[name] = CHECKS[name](value[name])
        node = cls(**facts)
        if node.number in NUMBERS and node.kind == DATASET:
            # Whoever reads values relies on it.
            node.numbers  # noqa: B018
        return node


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is no text")
    return value


def _count(value: Any) -> int:
    if type(value) is not int or not 0 <= value < 1 << 63:
        raise ValueError(f"{value!r} is no count")
    return value


def _counts(values: Any) -> tuple[int, ...]:
    return tuple(_count(value) for value in values)


def _filters(values: Any) -> tuple[tuple[int, tuple[int, ...]], ...]:
    return tuple((_count(number), _counts(parameters)) for number, parameters in values)


def _texts(values: Any) -> tuple[str, ...]:
    return tuple(_text(value) for value in values)


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{value!r} are no attributes")
    return value


DEFAULTS = {each.name: getattr(Node("", ""), each.name) for each in fields(Node)}
CHECKS = {
    "target": _text, "dtype": _text, "number": _text, "shape": _counts, "itemsize": _count, "offset": _count, "chunks": _counts,
    "filters": _filters, "stored": _count, "chunk_count": _count, "is_outside": bool, "table": _count, "values": _count, "inline": _count,
    "attributes": _object, "unread": _texts,
}  # fmt: skip


def check_reachable(node: Node, path: Path) -> None:
    """Refuse a name that is a link, or that stands for neither a dataset nor a group."""
    if node.kind == EXTERNAL_LINK:
        raise UnsafeInputError(f"{path}: {node.name!r} is a link to another file, {node.target!r}; it was not opened")
    if node.kind == SOFT_LINK:
        raise UnsafeInputError(f"{path}: {node.name!r} is a link to {node.target!r}, not data; it was not followed")
    if node.kind not in (DATASET, GROUP):
        raise NotAStoreError(f"{path}: {node.name!r} is a {node.kind}, neither a dataset nor a group")


def check_storage(node: Node, path: Path) -> None:
    """Refuse data outside the file and storage that is missing or would unfold to far more than the file holds."""
    name = node.name
    if node.is_outside:
        raise UnsafeInputError(f"{path}: the data of {name!r} lies in other files; they were not opened")
    unknown = [number for number, _ in node.filters if number not in BUILT_IN_FILTERS]
    if unknown and unknown[0] in KNOWN_FILTERS:
        packed = KNOWN_FILTERS[unknown[0]]
        raise UnsupportedImageError(f"{path}: {name!r} is packed with {packed}, which is not read; repack it: h5repack -f GZIP=6 IN OUT")
    if unknown:
        raise UnsafeInputError(f"{path}: {name!r} needs filter {unknown[0]}, which is not built in; no plugin was loaded")
    if node.number not in READ:
        raise NotAStoreError(f"{path}: {name!r} holds {node.dtype}, not plain numbers")
    if node.shape is None:
        raise NotAStoreError(f"{path}: {name!r} holds nothing")
    if node.declared > FREE_BYTES and node.declared > MAX_RATIO * node.stored:
        raise LimitExceededError(f"{path}: {name!r} declares {node.declared} bytes with {node.stored} stored; it was not read")
    if node.declared and not node.stored:
        raise CorruptStoreError(f"{path}: {name!r} declares {node.declared} bytes that were never written")
    if node.chunks is not None:
        _check_chunks(node, node.chunks, node.shape, path)


def _check_chunks(node: Node, chunks: tuple[int, ...], shape: tuple[int, ...], path: Path) -> None:
    if len(chunks) != len(shape) or 0 in chunks:
        raise CorruptStoreError(f"{path}: {node.name!r} has chunks of {chunks} for data of {shape}; get the file again")
    size = math.prod(chunks) * node.itemsize
    if size > MAX_CHUNK_BYTES:
        raise LimitExceededError(f"{path}: {node.name!r} has chunks of {size} bytes, the limit is {MAX_CHUNK_BYTES}")
    needed = math.prod(-(-length // chunk) for length, chunk in zip(shape, chunks, strict=True))
    if needed > MAX_CHUNKS:
        raise LimitExceededError(f"{path}: {node.name!r} has {needed} chunks, the limit is {MAX_CHUNKS}; write it with larger ones")
    if node.chunk_count < needed:
        raise CorruptStoreError(f"{path}: {node.name!r} has {node.chunk_count} of {needed} chunks; what is missing would read as zeros")
