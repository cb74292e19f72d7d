"""Read the facts of foreign HDF5 files; runs in a child, which a file may crash (`child`). Nothing else in `sources` opens one.

Each name is looked at as a link before what it points to is opened; each dataset's storage is checked before a byte of it is read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from pixstore.child import Answer
from pixstore.errors import (
    CorruptStoreError,
    LimitExceededError,
    NotAStoreError,
    PixstoreError,
    StoreBusyError,
    StoreTruncatedError,
    UnsafeInputError,
)
from pixstore.sources.hdf5_nodes import (
    DATASET,
    EXTERNAL_LINK,
    GROUP,
    SOFT_LINK,
    Node,
    check_reachable,
    check_storage,
)

MAX_NODES = 1_000_000
MAX_VALUES = 32 << 20
MOST_TEXT = 200


def examine(origin: str, files: Sequence[str], values_of: Sequence[str]) -> Answer:
    """Return, for each file, its names and those within its groups as JSON nodes; `values_of` are names whose integers are read too.

    Buffers are int64, little-endian: values, and chunk tables (per chunk its place in every axis, byte offset, bytes, mask of the
    filters left out); data within headers come as they are.
    """
    buffers: list[bytes] = []
    found = []
    for file in files:
        with open_file(Path(file)) as opened:
            found.append([node.to_json() for node in _nodes(opened, Path(file), values_of, buffers)])
    return Answer(found, buffers)


@contextmanager
def open_file(path: Path) -> Iterator[h5py.File]:
    """Open for reading, without waiting for locks.

    Raises StoreTruncatedError, StoreBusyError for a file that a writer has left open, CorruptStoreError.
    """
    try:
        with h5py.File(path, "r", locking="best-effort") as file:
            yield file
    except PixstoreError:
        raise
    except (OSError, RuntimeError, KeyError, ValueError, TypeError) as error:
        raise _translated(path, error) from error


def _translated(path: Path, error: Exception) -> PixstoreError:
    text = str(error)
    if "truncated file" in text:
        detail = text[text.find("truncated file") :].rstrip(")")
        return StoreTruncatedError(f"{path}: {detail}; a complete copy is needed, h5clear does not bring data back")
    if "already open for write" in text or "consistency" in text:
        return StoreBusyError(f"{path}: marked as open for writing; if its writer is gone, run 'h5clear -s' on a copy")
    return CorruptStoreError(f"{path}: HDF5 cannot read it: {text[:300]}")


def _nodes(file: h5py.File, path: Path, values_of: Sequence[str], buffers: list[bytes]) -> Iterator[Node]:
    """Yield the names of the file, then those within its groups; what lies deeper is of no layout that is read."""
    count = 0
    waiting: list[tuple[h5py.Group, str]] = [(file, "")]
    for group, prefix in waiting:
        for name in group:
            count += 1
            if count > MAX_NODES:
                raise LimitExceededError(f"{path}: has more than {MAX_NODES} names; it was not read further")
            node = _node(group, str(name), f"{prefix}{name}")
            yield _with_data(group, str(name), node, path, values_of, buffers) if node.kind == DATASET else node
            if node.kind == GROUP and not prefix:
                waiting.append((group[name], f"{name}/"))


def _node(group: h5py.Group, name: str, full_name: str) -> Node:
    link = group.get(name, getlink=True)
    if isinstance(link, h5py.ExternalLink):
        return Node(full_name, EXTERNAL_LINK, target=str(link.filename)[:MOST_TEXT])
    if not isinstance(link, h5py.HardLink):
        return Node(full_name, SOFT_LINK, target=str(getattr(link, "path", "nothing"))[:MOST_TEXT])
    found = group[name]
    if isinstance(found, h5py.Dataset):
        return _dataset(found, full_name)
    return Node(full_name, GROUP if isinstance(found, h5py.Group) else type(found).__name__)


def _dataset(dataset: h5py.Dataset, name: str) -> Node:
    properties = dataset.id.get_create_plist()
    layout = properties.get_layout()
    is_chunked = layout == h5py.h5d.CHUNKED
    filters = [properties.get_filter(number) for number in range(properties.get_nfilters())]
    offset = dataset.id.get_offset()
    shape = None if dataset.id.get_space().get_simple_extent_type() == h5py.h5s.NULL else dataset.id.shape
    try:
        dtype = dataset.id.dtype
        number, itemsize, text = ("" if dtype.subdtype else dtype.kind), dtype.itemsize, str(dtype)[:MOST_TEXT]
    except TypeError as error:
        number, itemsize, text = "", 0, f"a type unknown to NumPy ({str(error)[:MOST_TEXT]})"
    return Node(
        name,
        DATASET,
        shape=None if shape is None else tuple(int(size) for size in shape),
        dtype=text,
        number=number,
        itemsize=itemsize,
        offset=None if offset is None else int(offset),
        chunks=tuple(int(size) for size in properties.get_chunk()) if is_chunked else None,
        filters=tuple((int(each[0]), tuple(int(value) for value in each[2])) for each in filters),
        stored=int(dataset.id.get_storage_size()),
        chunk_count=int(dataset.id.get_num_chunks()) if is_chunked else 0,
        is_outside=layout == h5py.h5d.VIRTUAL or properties.get_external_count() > 0,
    )


def _with_data(group: h5py.Group, name: str, node: Node, path: Path, values_of: Sequence[str], buffers: list[bytes]) -> Node:
    """Return the node with numbers of the buffers that hold what is read of it: labels, where its chunks lie, data within headers."""
    try:
        check_reachable(node, path)
        check_storage(node, path)
    except (UnsafeInputError, NotAStoreError, LimitExceededError, CorruptStoreError):
        # Whoever asks for this name gets the same refusal; a file may hold it beside what is read.
        return node
    if node.name in values_of and node.number in "ui" and node.count <= MAX_VALUES:
        values = np.asarray(group[name][()])
        buffers.append(values.astype("<i8").tobytes())
        return replace(node, values=len(buffers) - 1)
    if node.number != "u" or node.itemsize != 1 or not node.count:
        return node
    if node.chunks is not None:
        buffers.append(_chunk_table(group[name]).tobytes())
        return replace(node, table=len(buffers) - 1)
    if node.offset is None:
        buffers.append(np.ascontiguousarray(group[name][()]).tobytes())
        return replace(node, inline=len(buffers) - 1)
    return node


def _chunk_table(dataset: h5py.Dataset) -> Any:
    rows: list[tuple[int, ...]] = []
    dataset.id.chunk_iter(lambda chunk: rows.append((*chunk.chunk_offset, chunk.byte_offset, chunk.size, chunk.filter_mask)))
    return np.array(rows, "<i8")
