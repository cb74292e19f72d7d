"""The reference's way of taking records in."""

from __future__ import annotations

import numpy as np

from pixstore.reference.ingest import ingest


def test_records_lie_end_to_end_in_the_order_given() -> None:
    data, offset, length, checksums, headers, failures = ingest([b"ab", b"", b"cde"], check="none")
    assert bytes(memoryview(data)) == b"abcde"  # type: ignore[arg-type]
    assert (offset.tolist(), length.tolist(), checksums, failures) == ([0, 2, 2], [2, 0, 3], None, [])
    assert headers[0].tolist() == [255] * 3


def test_the_given_buffer_is_filled_from_its_beginning() -> None:
    out = np.full(6, 9, np.uint8)
    data, *_ = ingest([b"ab", b"c"], check="none", out=out)
    assert data is out
    assert out.tobytes() == b"abc\x09\x09\x09"
