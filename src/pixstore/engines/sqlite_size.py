"""How large an SQLite database becomes when rows are appended: SQLite's own arithmetic (fileformat2.html, sections 1.5 and 1.6).

A row lies in a leaf of its table, with as much of its bytes as makes the rest fill whole overflow pages. Rows come in order, so a leaf
is full when the next row does not fit.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pixstore.engines.pages import filled_pages
from pixstore.rows import Indices

PAGE_BYTES = 4096
LEAF_HEADER_BYTES, INNER_HEADER_BYTES = 8, 12
POINTER_BYTES = 2
OVERFLOW_NUMBER_BYTES = 4
INNER_CELL_BYTES = 4 + 3 + POINTER_BYTES
"""A page number, a row number of usually three bytes, and the place of both."""
SCHEMA_PAGES = 1


def database_bytes(keys: pa.StringArray, fields: Sequence[Indices]) -> int:
    """Return the bytes of the database, given keys and each field's lengths of records, -1 where one is missing."""
    lengths = np.asarray(pc.binary_length(keys).to_numpy(zero_copy_only=False), np.int64)
    pages = SCHEMA_PAGES + sum(_table_pages(lengths[each >= 0], each[each >= 0], np.flatnonzero(each >= 0)) for each in fields)
    return pages * PAGE_BYTES


def _table_pages(keys: Indices, records: Indices, rows: Indices) -> int:
    payload = 2 + varint_bytes(13 + 2 * keys) + varint_bytes(12 + 2 * records) + keys + records
    most = PAGE_BYTES - 35
    least = (PAGE_BYTES - 12) * 32 // 255 - 23
    room = PAGE_BYTES - OVERFLOW_NUMBER_BYTES
    kept = least + (payload - least) % room
    local = np.where(payload <= most, payload, np.where(kept <= most, kept, least))
    overflow = -(-(payload - local) // room)
    cells = varint_bytes(payload) + varint_bytes(rows) + local + np.where(overflow > 0, OVERFLOW_NUMBER_BYTES, 0) + POINTER_BYTES
    leaves = filled_pages(cells, PAGE_BYTES - LEAF_HEADER_BYTES)
    inner, level = 0, leaves
    while level > 1:
        level = -(-level // ((PAGE_BYTES - INNER_HEADER_BYTES) // INNER_CELL_BYTES))
        inner += level
    return max(leaves, 1) + inner + int(overflow.sum())


def varint_bytes(values: Indices) -> Indices:
    """Return how many bytes SQLite takes for each of these numbers, seven bits a byte."""
    found: Indices = sum(((values >= 1 << 7 * more).astype(np.int64) for more in range(1, 8)), np.ones(len(values), np.int64))
    return found
