"""QOI pixel by pixel: every kind of chunk, against the specification's own words and Pillow."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from pixstore.headers import QOI, Header, RecordFailedError
from pixstore.reference.places import BufferRecord
from pixstore.reference.qoi import END, decode_qoi, encode_qoi, qoi_end, qoi_header

CHUNKS = {
    "run": ([(0, 0, 0)] * 5, b"\xc4"),
    "longest run and one more": ([(0, 0, 0)] * 63, b"\xfd\xc0"),
    "small differences": ([(1, 0, 255), (255, 254, 0)], bytes([0b01_11_10_01, 0b01_00_00_11])),
    "luma": ([(20, 24, 30)], bytes([0b10_000000 | 24 + 32, (20 - 24 + 8) << 4 | 30 - 24 + 8])),
    "colours": ([(100, 7, 3)], b"\xfe\x64\x07\x03"),
    "seen before": ([(100, 7, 3), (1, 2, 3), (100, 7, 3)], b"\xfe\x64\x07\x03\xfe\x01\x02\x03" + bytes([(300 + 35 + 21 + 11 * 255) % 64])),
}


@pytest.mark.parametrize("name", [*CHUNKS])
def test_each_kind_of_chunk_is_written_and_read(name: str) -> None:
    pixels, body = CHUNKS[name]
    data = encode_qoi(np.array(pixels, np.uint8).tobytes(), 1, len(pixels), 3)
    assert data[14:] == body + END
    assert decode_qoi(data, Header(QOI, 1, len(pixels), 3, 1)) == np.array(pixels, np.uint8).tobytes()


@pytest.mark.parametrize("channels", [3, 4])
def test_pillow_reads_what_is_written(channels: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 3, (13, 17, channels)).astype(np.uint8) * 60
    data = encode_qoi(pixels.tobytes(), 13, 17, channels)
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(data))), pixels)


def test_header_and_end_are_found() -> None:
    data = encode_qoi(bytes(3 * 200), 10, 20, 3)
    header = qoi_header(BufferRecord(np.frombuffer(data + b"more", np.uint8)), 1000)
    assert (header.height, header.width, header.channels, header.sample_bytes) == (10, 20, 3, 1)
    assert qoi_end(data + b"more", header) == len(data)
    with pytest.raises(RecordFailedError, match="truncated"):
        qoi_end(data[:-1], header)
    with pytest.raises(RecordFailedError, match="limit"):
        qoi_header(BufferRecord(np.frombuffer(data, np.uint8)), 199)
