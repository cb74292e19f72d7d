"""How much a shard of the zarr engine takes: chunks in files of their own, whole ones alone, metadata, and the folders they lie in."""

from __future__ import annotations

from pixstore.engine import PlannedBytes, PlannedShard
from pixstore.engines.zarr_fields import CHUNK_BYTES, FLUSH_BYTES, is_array, node_name, row_bytes
from pixstore.rows import Indices
from pixstore.schema import Field

GROUP_METADATA_BYTES = 66
ARRAY_METADATA_BYTES = 480
PLACE_BYTES = 24
SHARD_NAME_BYTES = len("0123456789abcdef.zarr")


class _Total:
    """Files and folders, added up."""

    def __init__(self, shard: PlannedShard) -> None:
        self._shard = shard
        self.apparent = self.allocated = 0

    def add(self, size: int, *, files: int = 1, folders: int = 0) -> None:
        """Add so many files of this size, and folders."""
        self.apparent += files * size
        self.allocated += files * self._shard.in_blocks(size) + folders * self._shard.block_bytes


def group_bytes(shard: PlannedShard) -> PlannedBytes:
    """Return what the shard's folder takes."""
    total = _Total(shard)
    total.add(GROUP_METADATA_BYTES, folders=1)
    paths = path_bytes = 0
    for field in shard.schema.fields:
        lengths = shard.lengths[field.name]
        files = _add_array(total, field, lengths) if is_array(field) else _add_records(total, lengths)
        below = "/c/0000" + "/0" * len(field.shape or ()) if is_array(field) else "/bytes/00000/c/0"
        paths += files
        path_bytes += files * (SHARD_NAME_BYTES + 1 + len(node_name(field.name)) + len(below))
    return PlannedBytes(total.apparent, total.allocated, paths, path_bytes)


def _add_array(total: _Total, field: Field, lengths: Indices) -> int:
    chunk_rows = max(1, min(CHUNK_BYTES // row_bytes(field), len(lengths)))
    chunks = -(-len(lengths) // chunk_rows)
    dimensions = len(field.shape or ())
    total.add(ARRAY_METADATA_BYTES, folders=2)
    total.add(chunk_rows * row_bytes(field), files=chunks, folders=dimensions * chunks)
    return chunks


def _add_records(total: _Total, lengths: Indices) -> int:
    size = int(lengths.clip(0).sum())
    arrays = -(-size // FLUSH_BYTES)
    total.add(GROUP_METADATA_BYTES, files=2, folders=2)
    total.add(ARRAY_METADATA_BYTES, files=arrays + 1, folders=arrays + 1)
    total.add(size // max(arrays, 1), files=arrays, folders=arrays)
    # The index: one chunk, c/0/0.
    total.add(PLACE_BYTES * len(lengths), folders=2)
    return arrays
