"""The reference's look at all parts of an image, on bytes made by hand."""

from __future__ import annotations

import numpy as np
import pytest

from pixstore.headers import JPEG, PNG, RecordFailedError
from pixstore.reference.encoding import encode
from pixstore.reference.places import BufferRecord
from pixstore.reference.structure import examine


def record(codec: int, extra: bytes = b"") -> BufferRecord:
    data, _, _ = encode(np.zeros(48, np.uint8), np.array([[4, 4, 3]], np.int32), 1, codec)
    return BufferRecord(np.frombuffer(data + extra, np.uint8))


@pytest.mark.parametrize("codec", [PNG, JPEG])
def test_what_follows_the_end_is_counted(codec: int) -> None:
    header, trailing = examine(record(codec, b"12345"), 16)
    assert (header.codec, header.height, header.width, trailing) == (codec, 4, 4, 5)


@pytest.mark.parametrize("codec", [PNG, JPEG])
def test_an_image_without_its_last_byte_is_not_whole(codec: int) -> None:
    whole = record(codec)
    with pytest.raises(RecordFailedError, match=str(whole.size - 1)):
        examine(BufferRecord(whole.view[:-1]), 16)
