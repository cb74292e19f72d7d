"""How much a shard of the rocksdb engine takes: records with key and header in blob files of about 32 MiB, and tables of where they are."""

from __future__ import annotations

from pixstore.engine import PlannedBytes, PlannedShard
from pixstore.engines.rocksdb_blobs import FOOTER, HEADER, RECORD
from pixstore.engines.row_keys import key_of

BLOB_FILE_BYTES = 32 << 20
REFERENCE_BYTES = 26
"""Of a record's entry in a table: the end of its key, RocksDB's own part of it, and where the value lies."""
TABLE_BYTES = 1000
FIXED_BYTES = 9500
"""What RocksDB says of its options, and MANIFEST, CURRENT and their likes."""
FIXED_FILES = 6
NAME_BYTES = len("0123456789abcdef.rocksdb/000009.blob")


def folder_bytes(shard: PlannedShard) -> PlannedBytes:
    """Return what the shard's folder takes."""
    size = records = 0
    for name in shard.schema.field_names:
        lengths = shard.lengths[name][shard.lengths[name] >= 0]
        records += int(lengths.sum())
        size += int(lengths.sum()) + len(lengths) * (RECORD.size + len(key_of(0, name)) + REFERENCE_BYTES)
    files = max(1, round(records / BLOB_FILE_BYTES))
    size += FIXED_BYTES + files * (HEADER.size + FOOTER.size + TABLE_BYTES)
    allocated = (1 + FIXED_FILES + 2 * files) * shard.block_bytes + shard.in_blocks(size - FIXED_BYTES)
    return PlannedBytes(size, allocated, files, files * NAME_BYTES)
