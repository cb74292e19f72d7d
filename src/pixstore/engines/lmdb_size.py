"""How large an LMDB environment becomes when records are appended in the order of their keys: LMDB's own arithmetic (mdb.c, 0.9).

A leaf takes records until the next one does not fit, which then begins a new leaf. A record that would fill more than half a
page lies in pages of its own, and the leaf holds its page number; branch pages hold the first key of each page below.
"""

from __future__ import annotations

import mmap
from collections.abc import Sequence

import numpy as np

from pixstore.engines.pages import filled_pages
from pixstore.rows import Indices

PAGE_HEADER_BYTES = 16
NODE_BYTES = 8 + 8
"""A node's header and its key of 8 digits."""
POINTER_BYTES = 2
PAGE_NUMBER_BYTES = 8
FIXED_PAGES = 5
"""Two meta pages, the root of the named databases, the root of the list of free pages, and one that a first transaction left over."""
BATCH_BYTES = 32 << 20
BATCH_ROWS = 8192
"""Of one transaction, as writers hand rows in. How many there are decides how many pages are free in the end: a few, or none."""


def environment_bytes(fields: Sequence[Indices], page_bytes: int = mmap.PAGESIZE) -> int:
    """Return the bytes of the file with one database per field, given the lengths of its records, -1 where one is missing."""
    pages = FIXED_PAGES + sum(_database_pages(lengths[lengths >= 0], page_bytes) for lengths in fields)
    return pages * page_bytes


def _database_pages(lengths: Indices, page_bytes: int) -> int:
    room = page_bytes - PAGE_HEADER_BYTES
    overflows = NODE_BYTES + lengths > room // 2 // 2 * 2 - POINTER_BYTES
    nodes = NODE_BYTES + np.where(overflows, PAGE_NUMBER_BYTES, lengths)
    own = (lengths[overflows] + PAGE_HEADER_BYTES - 1) // page_bytes + 1
    leaves = filled_pages(nodes + nodes % 2 + POINTER_BYTES, room)
    levels = [leaves]
    while levels[-1] > 1:
        levels.append(-(-levels[-1] // (room // (NODE_BYTES + POINTER_BYTES))))
    return int(own.sum()) + sum(levels) + _spare_pages(lengths, len(levels))


def _spare_pages(lengths: Indices, depth: int) -> int:
    """Return how many pages are left over: a transaction copies what it changes, and only the one after the next takes the pages copied."""
    transactions = max(len(lengths) / BATCH_ROWS, int(lengths.sum()) / BATCH_BYTES)
    return int(min(max(transactions - 1, 0), 2) * (depth + 2))
