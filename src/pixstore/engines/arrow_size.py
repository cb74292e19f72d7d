"""How large columns of Arrow become: an IPC file (feather), and pages of Parquet, both uncompressed."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from pixstore.rows import Indices

FILE_BYTES = 700
"""Of the schema, before the batches and again behind them, and of what marks the file."""
BATCH_BYTES = 200
COLUMN_BYTES = 70
"""Of a batch and of a column in it: what says where its buffers lie, and what fills them up to 64 bytes."""
OFFSET_BYTES, KEY_OFFSET_BYTES = 8, 4
BATCH_RECORDS_BYTES = 32 << 20
BATCH_ROWS = 8192
"""Of one batch, as writers hand rows in."""


def ipc_bytes(keys: pa.StringArray, fields: Sequence[Indices]) -> int:
    """Return the bytes of the file, given keys and each field's lengths of records, -1 where one is missing."""
    rows = len(keys)
    records = sum(int(each.clip(0).sum()) for each in fields)
    batches = max(-(-rows // BATCH_ROWS), -(-records // BATCH_RECORDS_BYTES))
    columns = rows * KEY_OFFSET_BYTES + key_bytes(keys) + rows * OFFSET_BYTES * len(fields)
    nulls = sum(-(-rows // 8) for each in fields if bool((each < 0).any()))
    return FILE_BYTES + batches * (BATCH_BYTES + COLUMN_BYTES * (1 + len(fields))) + columns + nulls + records


def key_bytes(keys: pa.StringArray) -> int:
    """Return how many bytes of UTF-8 the keys have together."""
    _, offsets, _ = keys.buffers()
    if not len(keys):
        return 0
    view = memoryview(offsets).cast("i")
    return int(view[keys.offset + len(keys)] - view[keys.offset])


GROUP_BYTES = 1 << 20
"""Of the records in a row group of Parquet."""
VALUE_BYTES = 4
"""Before each value: its length."""
CHUNK_BYTES = 120
"""Of a column in a row group: headers of its pages, and what the file's end says of it."""
GROUP_HEADER_BYTES = 20
FOOTER_BYTES = 1200


def parquet_bytes(keys: pa.StringArray, fields: Sequence[Indices]) -> int:
    """Return the bytes of the file, given keys and each field's lengths of records, -1 where one is missing."""
    rows = len(keys)
    records = sum(int(each.clip(0).sum()) for each in fields)
    groups = max(1, min(rows, records // GROUP_BYTES + 1))
    present = sum(int((each >= 0).sum()) for each in fields)
    columns = groups * (GROUP_HEADER_BYTES + CHUNK_BYTES * (1 + len(fields)))
    return FOOTER_BYTES + columns + rows * VALUE_BYTES + key_bytes(keys) + present * VALUE_BYTES + records
