"""How much a shard of the leveldb engine takes: entries in blocks of 4 KiB or more, an index entry for each, tables of about 32 MiB."""

from __future__ import annotations

import numpy as np

from pixstore.engine import PlannedBytes, PlannedShard
from pixstore.engines.row_keys import key_of
from pixstore.rows import Indices

BLOCK_BYTES = 4096
TABLE_BYTES = 32 << 20
ENTRY_BYTES = 2 + 8
"""Lengths of both parts of the key, and LevelDB's own part of it; the key's digits mostly repeat."""
RESTART_ENTRIES = 16
RESTART_BYTES = 4
BLOCK_OVERHEAD_BYTES = RESTART_BYTES + 5 + 40
"""Count of places, compression and checksum, and the entry in the index."""
TABLE_OVERHEAD_BYTES = 80
FIXED_BYTES = 300
"""CURRENT, MANIFEST and their likes."""
FIXED_FILES = 2
TABLE_NAME_BYTES = len("0123456789abcdef.leveldb/000005.ldb")


def folder_bytes(shard: PlannedShard) -> PlannedBytes:
    """Return what the shard's folder takes."""
    fields = [(name, shard.lengths[name][shard.lengths[name] >= 0]) for name in shard.schema.field_names]
    records = sum(int(each.sum()) for _, each in fields)
    size = FIXED_BYTES + sum(_entries(name, each) for name, each in fields)
    tables = max(1, round(records / TABLE_BYTES))
    size += tables * TABLE_OVERHEAD_BYTES
    allocated = (FIXED_FILES + tables) * shard.block_bytes + shard.in_blocks(size)
    return PlannedBytes(size, allocated, tables, tables * TABLE_NAME_BYTES)


def _entries(field: str, lengths: Indices) -> int:
    own = ENTRY_BYTES + _varint_bytes(lengths) + (len(key_of(0, field)) if len(lengths) else 0)
    whole = own + lengths
    blocks = max(1, int(np.minimum(whole / BLOCK_BYTES, 1).sum()))
    return int(whole.sum()) + blocks * BLOCK_OVERHEAD_BYTES + len(lengths) // RESTART_ENTRIES * RESTART_BYTES


def _varint_bytes(values: Indices) -> Indices:
    found: Indices = sum(((values >= 1 << 7 * more).astype(np.int64) for more in range(1, 5)), np.ones(len(values), np.int64))
    return found
