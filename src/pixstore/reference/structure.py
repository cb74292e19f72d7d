"""All parts of an encoded image to its end, looked at without decoding."""

from __future__ import annotations

from pixstore.headers import (
    JPEG,
    JPEG_FRAMES,
    JPEG_OTHER_FRAMES,
    PNG,
    QOI,
    WEBP,
    Header,
    Record,
    RecordFailedError,
    png_chunk,
    png_chunks,
)
from pixstore.reference.looking import read_header
from pixstore.reference.qoi import qoi_end
from pixstore.reference.webp import webp_end

SOI, EOI, SOS = 0xD8, 0xD9, 0xDA
STANDALONE = {0x01, *range(0xD0, 0xD8)}
"""Markers without a segment: TEM and the restarts."""
MOST_SCANS = 100


def examine(record: Record, max_pixels: int) -> tuple[Header, int]:
    """Return the header, and how many bytes follow the end of the image. Raises RecordFailedError for an image that is not whole.

    What is none of PNG, JPEG, WebP and QOI is not looked at.
    """
    header = read_header(record, max_pixels)
    if header.codec == PNG:
        return header, record.size - _png_end(record)
    if header.codec == JPEG:
        return header, record.size - _jpeg_end(record.read(0, record.size))
    if header.codec == WEBP:
        return header, record.size - webp_end(record.read(0, record.size))
    if header.codec == QOI:
        return header, record.size - qoi_end(record.read(0, record.size), header)
    return header, 0


def _png_end(record: Record) -> int:
    """Return where IEND ends; each chunk lies within the record and has its CRC, the image data lie in one place."""
    before, end = b"", 0
    seen: set[bytes] = set()
    for name, start, length in png_chunks(record):
        png_chunk(record, name, start, length)
        if name == b"IDAT" and name in seen and before != name:
            raise RecordFailedError("corrupt", f"PNG: the image data go on at byte {start - 8}, after other chunks")
        seen.add(name)
        before, end = name, start + length + 4
    return end


def _jpeg_end(data: bytes) -> int:
    """Return where EOI ends: segments follow each other, scans end with a marker."""
    position, frames, scans = 2, 0, 0
    while True:
        position = _next_marker(data, position, inside_scan=False)
        kind = data[position + 1]
        if kind == EOI and scans:
            return position + 2
        if kind in (SOI, EOI):
            raise RecordFailedError("corrupt", f"JPEG: marker {kind:#04x} at byte {position}, before the image data have ended")
        if kind in STANDALONE:
            position += 2
            continue
        frames += kind in JPEG_FRAMES | JPEG_OTHER_FRAMES
        scans += kind == SOS
        if scans > MOST_SCANS:
            raise RecordFailedError("limit", f"JPEG: more than {MOST_SCANS} scans")
        if frames > 1 or (scans and not frames):
            raise RecordFailedError("corrupt", f"JPEG: {frames} frame headers up to byte {position}, not one")
        position = _segment_end(data, position)
        if kind == SOS:
            position = _next_marker(data, position, inside_scan=True)


def _next_marker(data: bytes, position: int, *, inside_scan: bool) -> int:
    """Return where the next marker is: FF and what is neither FF nor 0, nor, inside a scan, a restart."""
    passed = {0x00, 0xFF, *(range(0xD0, 0xD8) if inside_scan else ())}
    while True:
        position = data.find(b"\xff", position)
        if position < 0 or position + 1 >= len(data):
            raise RecordFailedError("corrupt", f"truncated JPEG: {len(data)} bytes are there and the end of the image is missing")
        if data[position + 1] not in passed:
            return position
        position += 1


def _segment_end(data: bytes, position: int) -> int:
    length = int.from_bytes(data[position + 2 : position + 4], "big")
    end = position + 2 + length
    if len(data) < max(end, position + 4):
        raise RecordFailedError("corrupt", f"truncated JPEG: {len(data)} bytes are there and a segment begins at byte {position}")
    if length < 2:
        raise RecordFailedError("corrupt", f"JPEG: the segment at byte {position} says it has {length} bytes")
    return end
