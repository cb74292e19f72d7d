"""Hashes of data in every kind of buffer; their values are in test_parity.py."""

from __future__ import annotations

import numpy as np
import pytest

from pixstore.reference import hashes


def test_equal_bytes_hash_alike_whatever_holds_them() -> None:
    array = np.arange(6, dtype=np.uint16).reshape(2, 3)
    assert len({hashes.hash_bytes(each, 7) for each in (array, array.tobytes(), memoryview(array.tobytes()))}) == 1


def test_tiles_of_no_bytes_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 1, not 0"):
        hashes.hash_tiles(b"abc", 0)
