"""A foreign HDF5 file as checked facts: names, storage, attributes, columns, where chunks lie. Our process never opens it with HDF5.

A child reads the facts (`hdf5/examination`, about 0.3 s); what lies in the file is then read by plain reads at checked places.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pixstore import child
from pixstore.child import Answer, Limits
from pixstore.errors import CorruptStoreError, ForeignFileCrashedError, NotAStoreError
from pixstore.sources.foreign_file import FileState, is_regular, read_head, state_of
from pixstore.sources.hdf5.examination import examine
from pixstore.sources.hdf5.nodes import DATASET, NUMBERS, ROOT, Node, check_reachable, check_storage

SIGNATURE = b"\x89HDF\r\n\x1a\n"
FILES_AT_ONCE = 1000
MEMORY_BYTES, ANSWER_BYTES = 2 << 30, 512 << 20
LEAST_SECONDS, BYTES_PER_SECOND = 20, 1 << 18
"""A file of many small datasets takes the longest: some tenths of a second for a megabyte of them."""


@dataclass(frozen=True)
class Hdf5File:
    """What is known of a file: its nodes by name ("group/name" within groups), and the buffers that they speak of."""

    path: Path
    state: FileState
    nodes: dict[str, Node]
    buffers: Sequence[bytes]

    @functools.cached_property
    def _inside(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for node in self.nodes.values():
            if node.name != ROOT:
                found.setdefault(node.parent, []).append(node.name.rpartition("/")[2])
        return found

    def names(self, group: str = ROOT) -> list[str]:
        """Return the names in a group; of the root, those in the file."""
        return self._inside.get(group, [])

    def nodes_in(self, group: str = ROOT) -> list[Node]:
        """Return what is in a group, unchecked."""
        return [self.nodes[f"{group}/{name}" if group else name] for name in self.names(group)]

    def node(self, name: str) -> Node:
        """Return a checked dataset, or a group, that lies in this very file. Raises a PixstoreError saying why there is none."""
        node = self.nodes.get(name)
        if node is None:
            raise NotAStoreError(f"{self.path}: has no {name!r}; it has {', '.join(sorted(self.names()))[:200] or 'nothing'}")
        check_reachable(node, self.path)
        if node.kind == DATASET:
            check_storage(node, self.path)
        return node

    def values(self, node: Node) -> NDArray[Any] | pa.Array | None:
        """Return the numbers (in the dataset's shape) or texts of what may be a column; None where they were not read.

        Raises CorruptStoreError for text that is not UTF-8.
        """
        if node.values is None:
            return None
        content = self.buffers[node.values]
        if node.number in NUMBERS:
            return np.frombuffer(content, node.numbers.newbyteorder("<")).reshape(node.shape or ())
        try:
            return _texts(node.count, content)
        except (ValueError, pa.ArrowInvalid) as error:
            raise CorruptStoreError(f"{self.path}: {node.name!r} holds text that is not UTF-8: {error}; write it again") from error


def _texts(count: int, content: bytes) -> pa.Array:
    lengths = np.frombuffer(content, "<u4", count).astype(np.int64)
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
    data = memoryview(content)[4 * count :]
    if offsets[-1] != len(data):
        raise ValueError(f"texts of {offsets[-1]} bytes in {len(data)}")
    found = pa.Array.from_buffers(pa.large_string(), count, [None, pa.py_buffer(offsets), pa.py_buffer(data)])
    found.validate(full=True)
    return found.cast(pa.string())


def has_signature(path: Path) -> bool:
    """Return whether the path is a regular file that begins as HDF5 files do."""
    return is_regular(path) and read_head(path, len(SIGNATURE)) == SIGNATURE


def examined(path: Path) -> Hdf5File:
    """Return what is known of a file.

    Raises StoreTruncatedError, StoreBusyError for a file that a writer has left open, CorruptStoreError, LimitExceededError,
    ForeignFileCrashedError for a file that ends its reader.
    """
    return _examined_one(path, state_of(path))


def examined_all(paths: Sequence[Path]) -> list[Hdf5File]:
    """Return what is known of many files of one folder, which share children. Raises what `examined` raises."""
    found: list[Hdf5File] = []
    for start in range(0, len(paths), FILES_AT_ONCE):
        found += _examined_together(paths[start : start + FILES_AT_ONCE])
    return found


@functools.lru_cache(maxsize=2)
def _examined_one(path: Path, state: FileState) -> Hdf5File:
    # Whoever recognises a file and then opens it asks twice within a moment.
    return _run([path], [state], path)[0]


def _examined_together(paths: Sequence[Path]) -> list[Hdf5File]:
    if len(paths) == 1:
        return [examined(paths[0])]
    try:
        return _run(paths, [state_of(path) for path in paths], paths[0].parent)
    except ForeignFileCrashedError:
        # Halves lead to the file that did it.
        half = len(paths) // 2
        return _examined_together(paths[:half]) + _examined_together(paths[half:])


def _run(paths: Sequence[Path], states: Sequence[FileState], readable: Path) -> list[Hdf5File]:
    seconds = LEAST_SECONDS + sum(size for _, size, _ in states) // BYTES_PER_SECOND
    limits = Limits(memory_bytes=MEMORY_BYTES, cpu_seconds=seconds, seconds=2.0 * seconds, answer_bytes=ANSWER_BYTES)
    return _files(paths, states, child.run(examine, readable, [os.fspath(path) for path in paths], limits=limits))


def _files(paths: Sequence[Path], states: Sequence[FileState], answer: Answer) -> list[Hdf5File]:
    """Return the answer as facts. Raises ForeignFileCrashedError where it is none: what comes from the child is not trusted."""
    buffers = [bytes(each) for each in answer.buffers]
    try:
        found = []
        for path, state, values in zip(paths, states, answer.value, strict=True):
            nodes = [Node.from_json(value) for value in values]
            check_values(nodes, buffers)
            found.append(Hdf5File(path, state, {node.name: node for node in nodes}, buffers))
    except (ValueError, KeyError, TypeError) as error:
        raise ForeignFileCrashedError(f"{paths[0]}: its reader answered nonsense ({error}); the file is damaged or hostile") from error
    return found


def check_values(nodes: Sequence[Node], buffers: Sequence[bytes]) -> None:
    """Raise ValueError where nodes speak of buffers that did not come, or of values that are not in them."""
    for node in nodes:
        if max(-1 if number is None else number for number in (node.table, node.values, node.inline)) >= len(buffers):
            raise ValueError("a buffer that did not come")
        if node.values is None:
            continue
        size = len(buffers[node.values])
        if size < 4 * node.count if node.number not in NUMBERS else size != node.declared:
            raise ValueError(f"{size} bytes of values for {node.count}")
