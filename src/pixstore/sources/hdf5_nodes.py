"""What a foreign HDF5 file says about one of its names, as plain facts, and which of them are refused.

A child reads these facts (`hdf5_examination`); the checks need nothing but them, so that they hold on both sides of the pipe.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pixstore.errors import CorruptStoreError, LimitExceededError, NotAStoreError, UnsafeInputError

DATASET, GROUP, EXTERNAL_LINK, SOFT_LINK = "dataset", "group", "external link", "soft link"
GZIP, SHUFFLE, FLETCHER32, LZF = 1, 2, 3, 32000
BUILT_IN_FILTERS = frozenset({GZIP, SHUFFLE, FLETCHER32, LZF})
MAX_CHUNK_BYTES = 64 << 20
MAX_CHUNKS = 1 << 22
FREE_BYTES = 64 << 20
# What gzip can shrink at most is about 1,030 : 1.
MAX_RATIO = 1100
NUMBERS = {"u": "unsigned", "i": "signed", "f": "floating"}


@dataclass(frozen=True)
class Node:
    """One name: what kind of thing it stands for, and of a dataset how it is stored; of a link nothing but where it leads.

    `offset` is where contiguous data begin. `filters` are (number, parameters). `table`, `values` and `inline` are numbers of buffers
    that came with the facts: where each chunk lies, a dataset of labels read out, and data that lie within the file's own headers.
    """

    name: str
    kind: str
    target: str = ""
    shape: tuple[int, ...] | None = None
    dtype: str = ""
    number: str = ""
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

    @property
    def count(self) -> int:
        return math.prod(self.shape or (0,))

    @property
    def declared(self) -> int:
        return self.count * self.itemsize

    def to_json(self) -> dict[str, Any]:
        return dict(vars(self))

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Node:
        """Return the facts that came through the pipe. Raises ValueError, KeyError or TypeError for what is no fact."""
        facts: dict[str, Any] = {name: _text(value[name]) for name in ("name", "kind", "target", "dtype", "number")}
        facts |= {name: _count(value[name]) for name in ("itemsize", "stored", "chunk_count")}
        facts |= {name: None if value[name] is None else _count(value[name]) for name in ("offset", "table", "values", "inline")}
        facts |= {name: None if value[name] is None else _counts(value[name]) for name in ("shape", "chunks")}
        facts["filters"] = tuple((_count(number), _counts(parameters)) for number, parameters in value["filters"])
        return cls(**facts, is_outside=bool(value["is_outside"]))


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
    if unknown:
        raise UnsafeInputError(f"{path}: {name!r} needs filter {unknown[0]}, which is not built in; no plugin was loaded")
    if node.number not in NUMBERS:
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
