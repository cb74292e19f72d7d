"""LZ4 blocks and frames by hand."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixstore.headers import RecordFailedError
from pixstore.reference.lz4 import decode_block, decode_lz4, encode_lz4


@given(st.lists(st.integers(0, 3), max_size=400), st.integers(0, 300))
def test_blocks_of_the_lz4_library_are_read(values: list[int], zeros: int) -> None:
    data = bytes(values) + bytes(zeros)
    block = pa.Codec("lz4_raw").compress(data, asbytes=True)
    assert decode_block(block, len(data)) == data


def test_long_literals_and_long_copies_are_read() -> None:
    data = np.random.default_rng(0).integers(0, 256, 700).astype(np.uint8).tobytes() * 5
    assert decode_block(pa.Codec("lz4_raw").compress(data, asbytes=True), len(data)) == data


def test_no_block_gives_more_bytes_than_there_is_room_for() -> None:
    block = pa.Codec("lz4_raw").compress(bytes(100_000), asbytes=True)
    with pytest.raises(RecordFailedError, match="do not fit"):
        decode_block(block, 99_999)


@pytest.mark.parametrize("size", [0, 1, 65_536, 65_537, 5_000_000])
def test_frames_are_read_here_and_by_the_library(size: int) -> None:
    data = (np.arange(size) // 50).astype(np.uint8).tobytes()
    frame = encode_lz4(data)
    assert decode_lz4(frame, size) == data
    assert not size or pa.Codec("lz4").decompress(frame, size, asbytes=True) == data
