"""Bytes of keys and of Arrow files, foretold; whole stores are foretold in tests/estimate/test_sizes.py."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from pixstore.engines.arrow_size import ipc_bytes, key_bytes, parquet_bytes


def test_bytes_of_keys_are_those_of_their_text_also_in_a_slice() -> None:
    keys = pa.array(["a", "bcd", "é", ""])
    assert [key_bytes(keys), key_bytes(keys[1:3]), key_bytes(keys[:0])] == [6, 5, 0]


@pytest.mark.parametrize("foretold", [ipc_bytes, parquet_bytes])
def test_a_longer_record_takes_so_much_more_and_a_missing_one_none(foretold) -> None:  # type: ignore[no-untyped-def]
    keys = pa.array(["a", "b"])
    short, long, missing = (foretold(keys, [np.array([10, each])]) for each in (10, 1010, -1))
    assert long - short == 1000 and missing < short
