"""Records become Arrow columns and come back; missing ones are null, empty ones are not."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from pixstore.engine import FieldRecords, RecordBatch
from pixstore.engines.arrow_columns import column_schema, columns_of, places_in, value_of
from pixstore.rows import Slices
from pixstore.schema import Format
from pixstore.testing import batch, packed_records

STORED = [b"one", None, b"", b"three" * 100]


def test_records_are_values_and_missing_ones_null() -> None:
    table = columns_of(batch(0, image=packed_records(STORED)), ["image"])
    assert table.schema == column_schema(["image"]) and table["image"].to_pylist() == STORED
    assert table["key"].to_pylist() == [f"{row:08}" for row in range(4)]
    table.validate(full=True)


def test_records_may_lie_anywhere_in_their_buffer() -> None:
    data = np.arange(100, dtype=np.uint8)
    slices = Slices(data, np.array([90, 0, 5, 0], np.int64), np.array([10, -1, 20, 0], np.int64))
    records = RecordBatch(list("abcd"), {"image": FieldRecords(slices, [Format("png", None, None)], np.zeros(4, np.int32))})
    assert columns_of(records, ["image"])["image"].to_pylist() == [bytes(range(90, 100)), None, bytes(range(5, 25)), b""]


def test_places_are_those_of_the_values_also_of_a_slice() -> None:
    column = pa.array(STORED, pa.large_binary())[1:]
    offset, length, data = places_in(column)
    assert length.tolist() == [-1, 0, 500] and data is not None
    assert data.to_pybytes()[offset[2] : offset[2] + 500] == STORED[3]
    assert bytes(value_of(column, 2)) == STORED[3] and bytes(value_of(column, 1)) == b""
    assert places_in(pa.array([], pa.large_binary()))[0].tolist() == []
