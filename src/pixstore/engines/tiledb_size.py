"""How much a shard of the tiledb engine takes: whole tiles, and what TileDB adds to each array and to each fragment, as measured."""

from __future__ import annotations

from pixstore.engine import PlannedBytes, PlannedShard
from pixstore.engines.tiledb_fields import FLUSH_BYTES, RECORDS_TILE_BYTES, TILE_BYTES, is_array, row_bytes

FRAGMENT_BYTES = 4100
PIECE_BYTES = 1 << 16
"""TileDB cuts tiles into pieces of so many bytes."""
PIECE_OVERHEAD_BYTES = 12
TILE_OVERHEAD_BYTES = 50
ARRAY_BYTES = 200
ARRAY_FOLDERS = 8
FRAGMENT_FOLDERS = 1
PLACE_BYTES = 16


def folder_bytes(shard: PlannedShard) -> PlannedBytes:
    """Return what the shard's folder takes."""
    apparent, allocated = 0, shard.block_bytes
    for field in shard.schema.fields:
        lengths = shard.lengths[field.name]
        if is_array(field):
            size = row_bytes(field)
            arrays = [(len(lengths) * size, max(1, TILE_BYTES // size) * size)]
        else:
            arrays = [(int(lengths.clip(0).sum()), RECORDS_TILE_BYTES), (len(lengths) * PLACE_BYTES, RECORDS_TILE_BYTES * PLACE_BYTES)]
            allocated += shard.block_bytes
        for size, tile in arrays:
            held, fragments = _array_bytes(size, tile)
            apparent += held + ARRAY_BYTES + fragments * FRAGMENT_BYTES
            files = fragments * shard.in_blocks(FRAGMENT_BYTES) + shard.in_blocks(held) + shard.in_blocks(ARRAY_BYTES)
            allocated += files + (ARRAY_FOLDERS + FRAGMENT_FOLDERS * fragments) * shard.block_bytes
    return PlannedBytes(apparent, allocated, 0)


def _array_bytes(size: int, tile: int) -> tuple[int, int]:
    """Return the bytes of an array's tiles, and how many fragments they are in."""
    if not size:
        return 0, 0
    tile = min(tile, size)
    tiles = -(-size // tile)
    overhead = TILE_OVERHEAD_BYTES + -(-tile // PIECE_BYTES) * PIECE_OVERHEAD_BYTES
    return tiles * (tile + overhead), -(-size // FLUSH_BYTES)
