"""WebP files: what is read around the image, and alpha that a file does not keep."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pixstore.headers import RecordFailedError
from pixstore.reference.places import BufferRecord
from pixstore.reference.webp import decode_webp, encode_webp, is_webp, webp_end, webp_header

PIXELS = np.random.default_rng(0).integers(0, 256, (7, 9, 3)).astype(np.uint8)


def saved(**options: Any) -> bytes:
    target = io.BytesIO()
    Image.fromarray(PIXELS).save(target, "WEBP", lossless=True, **options)
    return target.getvalue()


def test_files_are_told_by_two_names() -> None:
    assert is_webp(saved()[:12])
    assert not is_webp(b"RIFF\0\0\0\0WAVE") and not is_webp(b"RIFF")


def test_header_says_shape_and_orientation() -> None:
    exif = Image.Exif()
    exif[0x0112] = 5
    header = webp_header(BufferRecord(np.frombuffer(saved(exif=exif), np.uint8)), 1000)
    assert (header.height, header.width, header.channels, header.orientation) == (7, 9, 3, 5)
    with pytest.raises(RecordFailedError, match="limit"):
        webp_header(BufferRecord(np.frombuffer(saved(), np.uint8)), 62)


def test_a_chunk_beyond_the_end_is_damage() -> None:
    data = bytearray(saved())
    assert webp_end(bytes(data)) == len(data)
    data[16:20] = (1 << 30).to_bytes(4, "little")
    with pytest.raises(RecordFailedError, match="ends beyond"):
        webp_end(bytes(data))


def test_opaque_alpha_comes_back() -> None:
    with_alpha = np.dstack([PIXELS, np.full((7, 9), 255, np.uint8)])
    data = encode_webp(with_alpha.reshape(-1), 7, 9, 4, 75, lossless=True)
    np.testing.assert_array_equal(decode_webp(data, 4), with_alpha)
    np.testing.assert_array_equal(decode_webp(data, 3), PIXELS)
