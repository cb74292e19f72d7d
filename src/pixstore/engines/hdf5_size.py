"""How large a shard of the hdf5 engine becomes: its arrays in whole chunks, its records end to end, and what HDF5 adds.

What HDF5 adds is not worked out from its format but measured, on a file in memory: a few kilobytes of headers, and the index of places,
which is compressed and so depends on the lengths themselves.
"""

from __future__ import annotations

from collections.abc import Sequence

import h5py
import numpy as np

from pixstore.engines.hdf5_fields import CHUNK_BYTES, FLUSH_BYTES, LIBRARY_VERSIONS, is_array, row_bytes, write_index
from pixstore.rows import Indices
from pixstore.schema import Field

HEADER_BYTES = 2048
"""Of a file with nothing in it: HDF5 takes space for headers in blocks of so many bytes."""
DATASET_BYTES = 300
"""Header and link of one byte dataset."""
ADDRESS_BYTES = 8
MEASURED_ROWS = 1 << 12
MEASURED_PARTS = 8


def file_bytes(fields: Sequence[Field], lengths: Sequence[Indices]) -> int:
    """Return the bytes of the file, given each field's lengths of records, -1 where one is missing."""
    sizes = [_array_bytes(field, each) if is_array(field) else _records_bytes(each) for field, each in zip(fields, lengths, strict=True)]
    return HEADER_BYTES + sum(sizes)


def _array_bytes(field: Field, lengths: Indices) -> int:
    rows = len(lengths)
    chunk_rows = max(1, min(CHUNK_BYTES // row_bytes(field), rows))
    chunks = -(-rows // chunk_rows)
    missing = int((lengths < 0).sum())
    return chunks * (chunk_rows * row_bytes(field) + ADDRESS_BYTES) + missing * ADDRESS_BYTES


def _records_bytes(lengths: Indices) -> int:
    taken = lengths.clip(0)
    total = int(taken.sum())
    places = np.stack([np.zeros(len(lengths), np.int64), np.cumsum(taken) - taken, lengths], axis=1)
    places[:, 0], places[:, 1] = places[:, 1] // FLUSH_BYTES, places[:, 1] % FLUSH_BYTES
    places[lengths < 0] = -1
    return total + -(-total // FLUSH_BYTES) * DATASET_BYTES + _index_bytes(places)


def _index_bytes(places: Indices) -> int:
    """Return what the index of these places takes; of many, parts from all over are measured."""
    measured = places
    if len(places) > MEASURED_PARTS * MEASURED_ROWS:
        begins = np.linspace(0, len(places) - MEASURED_ROWS, MEASURED_PARTS).astype(np.int64)
        measured = np.concatenate([places[begin : begin + MEASURED_ROWS] for begin in begins])
    with h5py.File("index", "w", driver="core", block_size=512, backing_store=False, libver=LIBRARY_VERSIONS) as file:
        write_index(file, "index", measured)
        file.flush()
        return max(int(file.id.get_filesize()) - HEADER_BYTES, 0) * len(places) // max(len(measured), 1)
