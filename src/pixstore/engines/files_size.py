"""How much a shard of the files engine takes: whole blocks for every file, names in the folders, and the lists of names."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from pixstore.engine import PlannedBytes, PlannedShard
from pixstore.engines.file_names import MOST_NAME_BYTES, SAFE_BYTES, npy_header, suffix_of
from pixstore.rows import Indices
from pixstore.schema import Format

ABSENT = Format(None, None, None)
ENTRY_BYTES = 8
"""Of a folder's entry on ext4, before the name, which is rounded up to four bytes."""
FOLDER_FILL = 0.68
"""How full ext4 leaves the blocks of a folder: it splits a full one in the middle (10,000 names of 12 to 40 bytes: 0.67 to 0.70)."""
SHARD_NAME_BYTES = len("0123456789abcdef.files")
NPY_HEADER_BYTES = 128
"""Of an array of few dimensions, whatever its shape: NumPy rounds up to 64."""


def folder_bytes(shard: PlannedShard, files_per_folder: int) -> PlannedBytes:
    """Return what the shard's folder takes."""
    block = shard.block_bytes
    apparent, allocated, paths, path_bytes = 0, block, 0, 0
    for name in shard.schema.field_names:
        lengths = shard.lengths[name]
        present = lengths >= 0
        # A field of which no record is there may have no format.
        form = shard.formats.get(name, ABSENT)
        files = lengths[present] + _header_bytes(form)
        named = name_bytes(shard.keys, suffix_of(form))[present]
        listed = int(named.sum()) + len(lengths)
        apparent += int(files.sum()) + listed
        allocated += int(_blocks(files, block).sum()) + shard.in_blocks(listed)
        allocated += block + _folders(named, files_per_folder, block)
        paths += len(files)
        path_bytes += int(named.sum()) + len(files) * (SHARD_NAME_BYTES + len(f"/{name}/00000/"))
    return PlannedBytes(apparent, allocated, paths, path_bytes)


def name_bytes(keys: pa.StringArray, suffix: str) -> Indices:
    """Return the length of the file name of each key, as `escape` makes it."""
    _, offsets, data = keys.buffers()
    ends = np.frombuffer(offsets, np.int32, len(keys) + 1, keys.offset * 4).astype(np.int64)
    used = np.frombuffer(data, np.uint8)[ends[0] : ends[-1]] if data is not None else np.zeros(0, np.uint8)
    unsafe = np.concatenate([[0], np.cumsum(~SAFE_BYTES[used])])
    places = ends - ends[0]
    names: Indices = np.diff(places) + 2 * np.diff(unsafe[places]) + len(suffix)
    return names.clip(max=MOST_NAME_BYTES)


def _header_bytes(form: Format) -> int:
    if form.codec != "raw":
        return 0
    return len(npy_header(form)) if form.is_known else NPY_HEADER_BYTES


def _blocks(sizes: Indices, block: int) -> Indices:
    rounded: Indices = -(-sizes // block) * block
    return rounded


def _folders(named: Indices, files_per_folder: int, block: int) -> int:
    """Return the bytes of the folders that hold files with names of these lengths."""
    entries = ENTRY_BYTES + _blocks(named, 4)
    sums = np.add.reduceat(entries, np.arange(0, len(entries), files_per_folder)) if len(entries) else np.zeros(0, np.int64)
    needed = np.where(sums <= block, sums, sums / FOLDER_FILL).astype(np.int64)
    return int(_blocks(needed, block).sum())
