"""Which fields become one array, and arrays that grow by whole tiles."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tiledb

from pixstore.engines.tiledb_fields import FLUSH_BYTES, DenseArray, is_array
from pixstore.schema import Field


@pytest.mark.parametrize(
    ("dtype", "expected"), [("uint8", True), ("int64", True), ("float32", True), ("float16", False), ("bool", False), ("complex64", False)]
)
def test_types_that_tiledb_has_become_arrays(dtype: str, expected: bool) -> None:
    assert is_array(Field("image", "raw", (4, 4), dtype)) == expected
    assert not is_array(Field("image", "raw", (0, 4), dtype)) and not is_array(Field("image", "png", (4, 4), dtype))


@pytest.mark.parametrize("size", [0, 1, 999, FLUSH_BYTES, FLUSH_BYTES + 1, 2 * FLUSH_BYTES + 12_345])
def test_an_array_holds_what_it_took_in_pieces_of_any_size(tmp_path: Path, size: int) -> None:
    data = np.random.default_rng(size).integers(0, 256, size, np.uint8)
    context = tiledb.Ctx({"sm.compute_concurrency_level": "1", "sm.io_concurrency_level": "1"})
    array = DenseArray(context, tmp_path / "a", (), np.uint8, most=1 << 40, tile_rows=65_536)
    for start in range(0, size, 5_000_011):
        array.take(memoryview(data[start : start + 5_000_011].tobytes()))
    array.finish()
    assert array.rows == size
    with tiledb.open(str(tmp_path / "a"), ctx=context) as found:
        assert (found.nonempty_domain() is None) == (size == 0)
        assert not size or np.array_equal(found[0:size], data)
