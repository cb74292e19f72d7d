"""Values beside images in HDF5 files (labels, names, numbers): which are read, and how they go through the pipe; runs in a child.

numbers: as NumPy has them, little-endian, in the dataset's type
text: u32 little-endian bytes of each, then all texts, UTF-8, one after the other
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable

import h5py
import numpy as np

from pixstore.sources.hdf5.nodes import BYTE_ROWS, DATASET, FIXED_TEXT, NUMBERS, TEXT, Node

MOST_BYTES = 256 << 20
MOST_WIDTH = 1024
MOST_NAMES = 65_536
AT_ONCE = 4096


class Budget:
    """How many bytes of values may still be read of a file."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self.left = most_bytes


def column_lengths(nodes: Iterable[Node]) -> frozenset[int]:
    """Return how many images there may be: what has as many values may be a column of theirs."""
    found: set[int] = set()
    alike: Counter[tuple[str, int]] = Counter()
    for node in nodes:
        rank = len(node.shape or ())
        if node.kind != DATASET or not node.shape:
            continue
        if rank in (3, 4) or node.number == BYTE_ROWS:
            found.add(node.shape[0])
        if rank in (2, 3) or (rank == 1 and (node.number, node.itemsize) == ("u", 1)):
            alike[node.parent, rank] += 1
    # A dataset of small labels may lie among datasets of bytes.
    several = {count - among for (_, rank), count in alike.items() if count > 1 for among in ((0, 1) if rank == 1 else (0,))}
    return frozenset(found | several)


def is_column(node: Node, lengths: frozenset[int]) -> bool:
    """Return whether these may be values of images: one each, a few numbers each, names of classes, or the one label of the one image."""
    if node.shape is None or node.number not in (*NUMBERS, TEXT, FIXED_TEXT):
        return False
    if node.number in NUMBERS:
        width = math.prod(node.shape[1:])
        return node.count == 1 or (len(node.shape) <= 2 and node.shape[0] in lengths and 0 < width <= MOST_WIDTH)
    return node.count == 1 or (math.prod(node.shape[1:]) == 1 and (node.shape[0] in lengths or node.count <= MOST_NAMES))


def packed(dataset: h5py.Dataset, node: Node, budget: Budget) -> bytes | None:
    """Return the values as they go through the pipe; None where they are more than what may still be read."""
    if node.number in NUMBERS:
        if node.declared > budget.left:
            return None
        budget.left -= node.declared
        values = np.asarray(dataset[()])
        return values.astype(values.dtype.newbyteorder("<")).tobytes()
    return _packed_text(dataset, node, budget)


def _packed_text(dataset: h5py.Dataset, node: Node, budget: Budget) -> bytes | None:
    lengths: list[int] = []
    pieces: list[bytes] = []
    size = node.itemsize if node.number == FIXED_TEXT else 4
    for start in range(0, node.count, AT_ONCE):
        if size * min(AT_ONCE, node.count - start) > budget.left:
            return None
        part = np.atleast_1d(dataset[start : start + AT_ONCE] if node.shape else dataset[()]).reshape(-1)
        texts = [bytes(each).rstrip(b"\0") for each in part.tolist()]
        pieces += texts
        lengths += [len(each) for each in texts]
        budget.left -= sum(lengths[-len(texts) :]) + 4 * len(texts)
        if budget.left < 0:
            return None
    return np.array(lengths, "<u4").tobytes() + b"".join(pieces)
