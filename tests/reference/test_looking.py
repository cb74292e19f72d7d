"""Each kind of image is told by its first bytes."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from pixstore.headers import JPEG, OTHER, PNG, QOI, WEBP
from pixstore.reference.looking import read_header
from pixstore.reference.places import BufferRecord


@pytest.mark.parametrize(("kind", "codec"), [("PNG", PNG), ("JPEG", JPEG), ("QOI", QOI), ("WEBP", WEBP), ("BMP", OTHER)])
def test_images_are_told_by_their_first_bytes(kind: str, codec: int) -> None:
    target = io.BytesIO()
    Image.fromarray(np.zeros((4, 5, 3), np.uint8)).save(target, kind)
    header = read_header(BufferRecord(np.frombuffer(target.getvalue(), np.uint8)), 1000)
    assert header.codec == codec
    assert codec == OTHER or (header.height, header.width, header.channels) == (4, 5, 3)


@pytest.mark.parametrize("data", [b"", b"R", b"RIFF", b"RIFF\0\0\0\0WAVE", b"qoi"])
def test_other_bytes_are_nothing_that_is_known(data: bytes) -> None:
    assert read_header(BufferRecord(np.frombuffer(data, np.uint8)), 1000).codec == OTHER
