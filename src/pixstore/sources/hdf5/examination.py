"""Read the facts of foreign HDF5 files; runs in a child, which a file may crash (`child`). Nothing else in `sources` opens one.

Each name is looked at as a link before what it points to is opened; each dataset's storage is checked before a byte of it is read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

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
    UnsupportedImageError,
)
from pixstore.sources.hdf5.attributes import Attributes
from pixstore.sources.hdf5.nodes import (
    BYTE_ROWS,
    DATASET,
    EXTERNAL_LINK,
    FIXED_TEXT,
    GROUP,
    NO_VALUES,
    NUMBERS,
    ROOT,
    SOFT_LINK,
    TEXT,
    Node,
    check_reachable,
    check_storage,
)
from pixstore.sources.hdf5.values import Budget, column_lengths, is_column, packed

MAX_NODES = 1_000_000
MAX_DEPTH = 32
MOST_TEXT = 200


def examine(origin: str, files: Sequence[str]) -> Answer:
    """Return, for each file, its names at any depth as JSON nodes, the root first.

    Buffers, little-endian: the values of what may be a column (`hdf5/values`); chunk tables (int64: per chunk its place in every axis, byte
    offset, bytes, mask of the filters left out); data within headers, as they are.
    """
    buffers: list[bytes] = []
    found = []
    for file in files:
        with open_file(Path(file)) as opened:
            walk = _Walk(opened, Path(file), buffers)
            found.append([node.to_json() for node in walk.nodes()])
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


class _Walk:
    """Goes through one file, group after group; what was found is told apart by its address, so that circles end."""

    def __init__(self, file: h5py.File, path: Path, buffers: list[bytes]) -> None:
        self._file = file
        self._path = path
        self._buffers = buffers
        self._attributes = Attributes()
        self._types: dict[bytes, tuple[str, int, str]] = {}

    def nodes(self) -> list[Node]:
        """Return all names, the groups' before what is in them, with the data that are read of them."""
        found = list(self._names())
        lengths = column_lengths(found)
        budget = Budget()
        return [self._with_data(node, lengths, budget) if node.kind == DATASET else node for node in found]

    def _names(self) -> Iterator[Node]:
        values, unread = self._attributes.of(self._file.id)
        yield Node(ROOT, GROUP, attributes=values, unread=unread)
        waiting: list[tuple[h5py.h5g.GroupID, str]] = [(self._file["/"].id, "")]
        seen = {h5py.h5o.get_info(self._file.id).addr}
        count = 0
        for group, prefix in waiting:
            for name in group:
                count += 1
                if count > MAX_NODES:
                    raise LimitExceededError(f"{self._path}: has more than {MAX_NODES} names; it was not read further")
                node, inner = self._node(group, name, prefix + name.decode("utf-8", "surrogateescape"))
                yield node
                if inner is not None and (address := h5py.h5o.get_info(inner).addr) not in seen:
                    seen.add(address)
                    if node.name.count("/") >= MAX_DEPTH:
                        raise LimitExceededError(f"{self._path}: {node.name[:MOST_TEXT]!r} lies deeper than {MAX_DEPTH} groups")
                    waiting.append((inner, f"{node.name}/"))

    def _node(self, group: h5py.h5g.GroupID, name: bytes, full_name: str) -> tuple[Node, h5py.h5g.GroupID | None]:
        kind = group.links.get_info(name).type
        if kind != h5py.h5l.TYPE_HARD:
            return _link(group, name, full_name, kind), None
        found = h5py.h5o.open(group, name)
        if isinstance(found, h5py.h5d.DatasetID):
            return self._dataset(found, full_name), None
        is_group = isinstance(found, h5py.h5g.GroupID)
        values, unread = self._attributes.of(found) if is_group else ({}, ())
        node = Node(full_name, GROUP if is_group else "Datatype", attributes=values, unread=unread)
        return node, found if is_group else None

    def _dataset(self, dataset: h5py.h5d.DatasetID, name: str) -> Node:
        properties = dataset.get_create_plist()
        layout = properties.get_layout()
        is_chunked = layout == h5py.h5d.CHUNKED
        filters = [properties.get_filter(number) for number in range(properties.get_nfilters())]
        offset = dataset.get_offset()
        space = dataset.get_space()
        is_null = space.get_simple_extent_type() == h5py.h5s.NULL
        number, itemsize, text = self._type(dataset.get_type())
        values, unread = self._attributes.of(dataset)
        return Node(
            name,
            DATASET,
            shape=None if is_null else tuple(int(size) for size in space.get_simple_extent_dims()),
            dtype=text,
            number=number,
            itemsize=itemsize,
            offset=None if offset is None else int(offset),
            chunks=tuple(int(size) for size in properties.get_chunk()) if is_chunked else None,
            filters=tuple((int(each[0]), tuple(int(value) for value in each[2])) for each in filters),
            stored=int(dataset.get_storage_size()),
            chunk_count=int(dataset.get_num_chunks()) if is_chunked else 0,
            is_outside=layout == h5py.h5d.VIRTUAL or properties.get_external_count() > 0,
            attributes=values,
            unread=unread,
        )

    def _type(self, found: h5py.h5t.TypeID) -> tuple[str, int, str]:
        """Return (kind of values, bytes of one, name) of a type; many datasets of a file have the same."""
        known = found.encode()
        if known not in self._types:
            self._types[known] = kind_of(found)
        return self._types[known]

    def _with_data(self, node: Node, lengths: frozenset[int], budget: Budget) -> Node:
        """Return the node with numbers of the buffers that hold what is read of it: values, where its chunks lie, data within headers."""
        try:
            check_reachable(node, self._path)
            check_storage(node, self._path)
        except (UnsafeInputError, NotAStoreError, LimitExceededError, CorruptStoreError, UnsupportedImageError):
            # Whoever asks for this name gets the same refusal; a file may hold it beside what is read.
            return node
        if is_column(node, lengths) and (content := packed(self._opened(node), node, budget)) is not None:
            node = replace(node, values=self._kept(content))
        is_bytes = node.number == BYTE_ROWS
        if not node.count or not (is_bytes or node.number in NUMBERS) or (node.values is not None and len(node.shape or ()) < 2):
            return node
        if node.chunks is not None:
            return replace(node, table=self._kept(_chunk_table(self._opened(node).id)))
        if node.offset is None and not is_bytes:
            return replace(node, inline=self._kept(np.ascontiguousarray(self._opened(node)[()]).tobytes()))
        return node

    def _opened(self, node: Node) -> h5py.Dataset:
        # Nothing stays open: a hundred thousand open datasets would be a gigabyte.
        return h5py.Dataset(h5py.h5o.open(self._file.id, node.name.encode("utf-8", "surrogateescape")))

    def _kept(self, content: bytes) -> int:
        self._buffers.append(content)
        return len(self._buffers) - 1


def _link(group: h5py.h5g.GroupID, name: bytes, full_name: str, kind: int) -> Node:
    if kind == h5py.h5l.TYPE_EXTERNAL:
        return Node(full_name, EXTERNAL_LINK, target=_shown(group.links.get_val(name)[0]))
    # A link of a user's own kind has no target that can be asked for.
    return Node(full_name, SOFT_LINK, target=_shown(group.links.get_val(name)) if kind == h5py.h5l.TYPE_SOFT else "nothing")


def _shown(target: bytes) -> str:
    return target.decode("utf-8", "replace")[:MOST_TEXT]


def kind_of(found: h5py.h5t.TypeID) -> tuple[str, int, str]:
    """Return (kind of values, bytes of one, name) of a type. Numbers are those whose bytes NumPy takes as they lie, and no others."""
    size = int(found.get_size())
    try:
        dtype = found.dtype
    except (TypeError, ValueError) as error:
        return NO_VALUES, size, f"a type unknown to NumPy ({str(error)[:MOST_TEXT]})"
    text = h5py.check_string_dtype(dtype)
    if text is not None:
        return (TEXT, size, "text") if text.length is None else (FIXED_TEXT, size, f"text of {size} bytes")
    if h5py.check_vlen_dtype(dtype) == np.uint8:
        return BYTE_ROWS, size, "rows of bytes"
    if dtype.kind not in NUMBERS or dtype.itemsize != size or size > 8:
        return NO_VALUES, size, str(dtype)[:MOST_TEXT]
    plain = found.get_super() if found.get_class() == h5py.h5t.ENUM else found
    is_usual = plain.equal(h5py.h5t.py_create(dtype)) if dtype.kind == "f" else (plain.get_precision(), plain.get_offset()) == (8 * size, 0)
    if not is_usual:
        return NO_VALUES, size, f"{dtype} with bits of its own order or number"
    return dtype.kind, size, dtype.name if dtype.isnative else dtype.str


def _chunk_table(dataset: h5py.h5d.DatasetID) -> bytes:
    rows: list[tuple[int, ...]] = []
    dataset.chunk_iter(lambda chunk: rows.append((*chunk.chunk_offset, chunk.byte_offset, chunk.size, chunk.filter_mask)))
    return np.array(rows, "<i8").tobytes()
