"""Zstandard frames: their outline, and what is refused before they are inflated."""

from __future__ import annotations

import pyarrow as pa
import pytest

from pixstore.headers import RecordFailedError
from pixstore.reference.zstandard import decode_zstd, encode_zstd


@pytest.mark.parametrize("size", [0, 1, 255, 256, 257, 65_791, 65_792, 400_000])
@pytest.mark.parametrize("level", [1, 19])
def test_arrays_of_all_sizes_that_headers_word_differently_come_back(size: int, level: int) -> None:
    data = bytes(index % 251 for index in range(size))
    assert decode_zstd(encode_zstd(data, level), size) == data


def test_a_bomb_is_refused_by_what_its_header_says() -> None:
    bomb = pa.Codec("zstd").compress(bytes(50_000_000), asbytes=True)
    with pytest.raises(RecordFailedError, match="says it has 50000000 bytes, the array has 12") as caught:
        decode_zstd(bomb, 12)
    assert caught.value.kind == "mismatch"


def test_a_frame_whose_header_lies_low_is_not_inflated_beyond_it() -> None:
    frame = bytearray(pa.Codec("zstd").compress(bytes(1000), asbytes=True))
    assert int.from_bytes(frame[5:7], "little") + 256 == 1000
    frame[5:7] = (500 - 256).to_bytes(2, "little")
    with pytest.raises(RecordFailedError) as caught:
        decode_zstd(bytes(frame), 500)
    assert caught.value.kind == "corrupt"


@pytest.mark.parametrize("change", [(4, 0x08), (7, 0x06)], ids=["reserved bit", "reserved block"])
def test_what_the_format_reserves_is_refused(change: tuple[int, int]) -> None:
    frame = bytearray(pa.Codec("zstd").compress(bytes(1000), asbytes=True))
    frame[change[0]] |= change[1]
    with pytest.raises(RecordFailedError):
        decode_zstd(bytes(frame), 1000)
