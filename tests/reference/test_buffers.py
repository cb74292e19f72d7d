"""One buffer as slots, or one buffer for each record."""

from __future__ import annotations

import numpy as np
import pytest

from pixstore.reference.buffers import as_bytes, slots_of


def test_slots_are_the_memory_of_the_buffer() -> None:
    whole = np.zeros((3, 2), np.uint16)
    for number, slot in enumerate(slots_of(whole, 3)):
        slot[:] = number
    assert whole.tolist() == [[0, 0], [257, 257], [514, 514]]


def test_as_bytes_takes_buffers_of_every_kind() -> None:
    for buffer in (b"abc", bytearray(b"abc"), memoryview(b"abc"), np.frombuffer(b"abc", np.uint8)):
        assert as_bytes(buffer).tobytes() == b"abc"


@pytest.mark.parametrize("buffers", [np.zeros(7, np.uint8), [np.zeros(1, np.uint8)]])
def test_what_does_not_divide_is_refused(buffers: object) -> None:
    with pytest.raises(ValueError, match="2"):
        slots_of(buffers, 2)  # type: ignore[arg-type]


def test_no_records_have_no_slots() -> None:
    assert slots_of(np.zeros(0, np.uint8), 0) == slots_of([], 0) == []
