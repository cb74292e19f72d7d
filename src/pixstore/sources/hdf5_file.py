"""A foreign HDF5 file as checked facts: names, storage, labels and where every chunk lies. Our process never opens it with HDF5.

A child reads the facts (`hdf5_examination`, about 0.3 s); what lies in the file is then read by plain reads at checked places.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pixstore import child
from pixstore.child import Answer, Limits
from pixstore.errors import ForeignFileCrashedError, NotAStoreError
from pixstore.sources.foreign_file import FileState, is_regular, read_head, state_of
from pixstore.sources.hdf5_examination import examine
from pixstore.sources.hdf5_nodes import DATASET, Node, check_reachable, check_storage

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

    def names(self, group: str = "") -> list[str]:
        """Return the names in the file, or those within a group."""
        if not group:
            return [name for name in self.nodes if "/" not in name]
        return [name.partition("/")[2] for name in self.nodes if name.startswith(f"{group}/")]

    def node(self, name: str) -> Node:
        """Return a checked dataset, or a group, that lies in this very file. Raises a PixstoreError saying why there is none."""
        node = self.nodes.get(name)
        if node is None:
            raise NotAStoreError(f"{self.path}: has no {name!r}; it has {', '.join(sorted(self.names()))[:200] or 'nothing'}")
        check_reachable(node, self.path)
        if node.kind == DATASET:
            check_storage(node, self.path)
        return node

    def values(self, node: Node) -> NDArray[np.int64] | None:
        """Return the integers of a dataset that was asked for by name; None where it holds none."""
        return None if node.values is None else np.frombuffer(self.buffers[node.values], "<i8").astype(np.int64)


def has_signature(path: Path) -> bool:
    """Return whether the path is a regular file that begins as HDF5 files do."""
    return is_regular(path) and read_head(path, len(SIGNATURE)) == SIGNATURE


def examined(path: Path, *, values_of: str) -> Hdf5File:
    """Return what is known of a file; the integers of the dataset `values_of` are read with it.

    Raises StoreTruncatedError, StoreBusyError for a file that a writer has left open, CorruptStoreError, LimitExceededError,
    ForeignFileCrashedError for a file that ends its reader.
    """
    return _examined_one(path, state_of(path), values_of)


def examined_all(paths: Sequence[Path], *, values_of: str) -> list[Hdf5File]:
    """Return what is known of many files of one folder, which share children. Raises what `examined` raises."""
    found: list[Hdf5File] = []
    for start in range(0, len(paths), FILES_AT_ONCE):
        found += _examined_together(paths[start : start + FILES_AT_ONCE], values_of)
    return found


@functools.lru_cache(maxsize=2)
def _examined_one(path: Path, state: FileState, values_of: str) -> Hdf5File:
    # Whoever recognises a file and then opens it asks twice within a moment.
    return _run([path], [state], path, values_of)[0]


def _examined_together(paths: Sequence[Path], values_of: str) -> list[Hdf5File]:
    if len(paths) == 1:
        return [examined(paths[0], values_of=values_of)]
    try:
        return _run(paths, [state_of(path) for path in paths], paths[0].parent, values_of)
    except ForeignFileCrashedError:
        # Halves lead to the file that did it.
        half = len(paths) // 2
        return _examined_together(paths[:half], values_of) + _examined_together(paths[half:], values_of)


def _run(paths: Sequence[Path], states: Sequence[FileState], readable: Path, values_of: str) -> list[Hdf5File]:
    seconds = LEAST_SECONDS + sum(size for _, size, _ in states) // BYTES_PER_SECOND
    limits = Limits(memory_bytes=MEMORY_BYTES, cpu_seconds=seconds, seconds=2.0 * seconds, answer_bytes=ANSWER_BYTES)
    return _files(paths, states, child.run(examine, readable, [os.fspath(path) for path in paths], [values_of], limits=limits))


def _files(paths: Sequence[Path], states: Sequence[FileState], answer: Answer) -> list[Hdf5File]:
    """Return the answer as facts. Raises ForeignFileCrashedError where it is none: what comes from the child is not trusted."""
    buffers = [bytes(each) for each in answer.buffers]
    try:
        found = []
        for path, state, values in zip(paths, states, answer.value, strict=True):
            nodes = [Node.from_json(value) for value in values]
            numbers = [number for node in nodes for number in (node.table, node.values, node.inline) if number is not None]
            if max(numbers, default=-1) >= len(buffers):
                raise ValueError("a buffer that did not come")
            found.append(Hdf5File(path, state, {node.name: node for node in nodes}, buffers))
    except (ValueError, KeyError, TypeError) as error:
        raise ForeignFileCrashedError(f"{paths[0]}: its reader answered nonsense ({error}); the file is damaged or hostile") from error
    return found
