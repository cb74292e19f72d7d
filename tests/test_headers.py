"""Headers of PNG and JPEG, read piece by piece."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from PIL import Image

from pixstore.headers import JPEG, OTHER, PNG, Header, RecordFailedError, exif_orientation, read_header


class CountedRecord:
    """Bytes that count how many of them were read."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.size = len(data)
        self.bytes_read = 0

    def read(self, start: int, count: int) -> bytes:
        found = self.data[start : start + count]
        self.bytes_read += len(found)
        return found


def saved(kind: str, **options: object) -> bytes:
    target = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (120, 100, 3)).astype(np.uint8)).save(target, kind, **options)
    return target.getvalue()


HEADERS = [("PNG", Header(PNG, 120, 100, 3, 1)), ("JPEG", Header(JPEG, 120, 100, 3, 1)), ("BMP", Header(OTHER))]


@pytest.mark.parametrize(("kind", "expected"), HEADERS)
def test_only_the_header_is_read(kind: str, expected: Header) -> None:
    record = CountedRecord(saved(kind))
    assert read_header(record, 10**6) == expected
    assert record.bytes_read < 500 < record.size


def test_large_segments_are_stepped_over() -> None:
    record = CountedRecord(saved("JPEG", icc_profile=bytes(60_000)))
    assert read_header(record, 10**6).width == 100
    assert record.bytes_read < 500


def test_junk_without_a_marker_ends_the_search_in_large_steps() -> None:
    record = CountedRecord(b"\xff\xd8\xff\xe0\0\2" + bytes(3_000_000))
    with pytest.raises(RecordFailedError, match="truncated JPEG"):
        read_header(record, 10**6)
    assert record.bytes_read < 2 * record.size


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_the_limit_counts_pixels(kind: str) -> None:
    assert read_header(CountedRecord(saved(kind)), 12_000).height == 120
    with pytest.raises(RecordFailedError) as caught:
        read_header(CountedRecord(saved(kind)), 11_999)
    assert caught.value.kind == "limit" and "12000 pixels" in caught.value.detail


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_every_cut_of_a_header_is_corrupt(kind: str) -> None:
    data = saved(kind)
    end = data.index(b"IDAT") if kind == "PNG" else data.index(b"\xff\xc0") + 8
    for length in range(8, end):
        with pytest.raises(RecordFailedError) as caught:
            read_header(CountedRecord(data[:length]), 10**6)
        assert caught.value.kind == "corrupt", length


def exif(order: str = "<", tag: int = 0x0112, kind: int = 3, count: int = 1, value: int = 6, directory: int = 8, entries: int = 2) -> bytes:
    """Return EXIF data of two entries, the second with the orientation."""
    start = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", directory)
    first = struct.pack(f"{order}HHII", 0x010F, 2, 4, 0)
    return start + struct.pack(f"{order}H", entries) + first + struct.pack(f"{order}HHIHH", tag, kind, count, value, 0) + bytes(4)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("code", range(1, 9))
def test_the_orientation_is_read_in_both_byte_orders(order: str, code: int) -> None:
    assert exif_orientation(exif(order, value=code)) == code


DAMAGED = [b"", b"II*", exif()[:20], exif(value=0), exif(value=9), exif(tag=0x0113), exif(kind=4), exif(count=2), exif(entries=1)]
DAMAGED += [exif(directory=2**32 - 1), exif(directory=2**31), b"XX" + exif()[2:], exif(entries=65535, tag=1)]


@pytest.mark.parametrize("data", DAMAGED, ids=range(len(DAMAGED)))
def test_damaged_exif_data_state_no_orientation(data: bytes) -> None:
    assert exif_orientation(data) == 1
