"""How many pages a B+ tree takes for its entries, as LMDB and SQLite fill them from sorted keys."""

from __future__ import annotations

import numpy as np

from pixstore.rows import Indices


def filled_pages(sizes: Indices, room: int) -> int:
    """Return how many pages take entries of these sizes, in order, each page as many as fit into its `room` bytes."""
    if not len(sizes):
        return 0
    ends = np.cumsum(sizes)
    following = np.searchsorted(ends, ends - sizes + room, "right").tolist()
    pages, place = 0, 0
    while place < len(sizes):
        pages, place = pages + 1, following[place]
    return pages
