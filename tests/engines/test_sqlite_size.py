"""Pages of an SQLite database are foretold to the page where rows come in order."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from pixstore.engines import sqlite
from pixstore.engines.sqlite_size import PAGE_BYTES, database_bytes, varint_bytes
from pixstore.schema import Schema
from pixstore.testing import batch, packed_records


@pytest.mark.parametrize("length", [0, 1, 500, 3000, 4040, 4060, 8000, 100_000])
def test_pages_are_those_that_sqlite_takes(tmp_path: Path, length: int) -> None:
    rows = 300 if length < 10_000 else 40
    writer = sqlite.ENGINE.create(tmp_path / "a.sqlite", Schema(), durable=False, max_bytes=1 << 30)
    writer.append(batch(0, image=packed_records([bytes(length)] * rows)))
    writer.seal()
    keys = pa.array([f"{row:08}" for row in range(rows)])
    pages = (tmp_path / "a.sqlite").stat().st_size // PAGE_BYTES
    assert abs(database_bytes(keys, [np.full(rows, length)]) // PAGE_BYTES - pages) <= 1


@pytest.mark.parametrize(("number", "size"), [(0, 1), (127, 1), (128, 2), (16383, 2), (16384, 3), (1 << 40, 6)])
def test_numbers_take_seven_bits_a_byte(number: int, size: int) -> None:
    assert varint_bytes(np.array([number])).tolist() == [size]
