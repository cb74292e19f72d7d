"""How large a shard of the tar engine becomes: headers, records in whole blocks, the member of places, the end."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pixstore.engine import PlannedShard
from pixstore.engines.file_names import npy_header, suffix_of
from pixstore.engines.files_size import name_bytes
from pixstore.engines.tar_members import BLOCK_BYTES, END_BYTES, MOST_PLAIN_NAME, MOST_SAMPLE_NAME, ending_of, padding
from pixstore.rows import Indices
from pixstore.schema import Format

ABSENT = Format(None, None, None)
LONG_NAME_BYTES = 2 * BLOCK_BYTES
"""Of a header before the header, and what it says."""
PLACE_BYTES = 16
DIRECTORY_BYTES = 60


def archive_bytes(shard: PlannedShard) -> int:
    """Return the bytes of the archive."""
    samples = sample_bytes(shard.keys)
    rows, fields = len(shard), shard.schema.field_names
    places = rows * len(fields) * PLACE_BYTES + DIRECTORY_BYTES + sum(map(len, fields))
    size = BLOCK_BYTES + places + padding(places) + END_BYTES
    for name in fields:
        form = shard.formats.get(name, ABSENT)
        lengths = shard.lengths[name]
        present = lengths >= 0
        long = samples[present] + len(ending_of(name, suffix_of(form))) > MOST_PLAIN_NAME
        held = lengths[present] + len(npy_header(form))
        size += int((-(-held // BLOCK_BYTES)).sum() + len(held)) * BLOCK_BYTES + int(long.sum()) * LONG_NAME_BYTES
    return size


def sample_bytes(keys: pa.StringArray) -> Indices:
    """Return the length of what stands before the first dot in the members of each key."""
    dots = np.asarray(pc.count_substring(keys, ".").to_numpy(zero_copy_only=False), np.int64)
    found: Indices = (name_bytes(keys, "") + 2 * dots).clip(max=MOST_SAMPLE_NAME)
    return found
