"""QOI, the "Quite OK Image" format (specification 1.0): RGB and RGBA of one byte, pixel by pixel."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from pixstore.headers import QOI, Header, Record, RecordFailedError, check_size

MAGIC = b"qoif"
HEADER_BYTES = 14
END = bytes(7) + b"\x01"
LONGEST_RUN = 62
RGB, RGBA = 0xFE, 0xFF
INDEX, DIFFERENCE, LUMA, RUN = range(4)
"""The upper two bits of a chunk."""

Pixel = tuple[int, int, int, int]


def qoi_header(record: Record, max_pixels: int) -> Header:
    """Return what the header says. Raises RecordFailedError."""
    head = record.read(0, HEADER_BYTES)
    if len(head) < HEADER_BYTES:
        raise _truncated(record.size)
    width, height, channels, colours = struct.unpack(">4xIIBB", head)
    check_size(height, width, max_pixels)
    if channels not in (3, 4) or colours > 1:
        raise RecordFailedError("corrupt", f"QOI of {channels} channels and colour space {colours}, which do not exist")
    if height * width > LONGEST_RUN * record.size:
        raise RecordFailedError("corrupt", f"QOI: {record.size} bytes cannot hold {width} x {height} pixels")
    return Header(QOI, height, width, channels, 1)


def qoi_end(data: bytes, header: Header) -> int:
    """Return where the end mark ends. Raises RecordFailedError where the chunks are not as many pixels as the header says."""
    return max((at for _, at in _runs(data, header)), default=HEADER_BYTES) + len(END)


def decode_qoi(data: bytes, header: Header) -> bytes:
    """Return the pixels. Raises RecordFailedError."""
    out = bytearray()
    for (pixel, count), _ in _runs(data, header):
        out += bytes(pixel[: header.channels]) * count
    return bytes(out)


def _runs(data: bytes, header: Header) -> Iterator[tuple[tuple[Pixel, int], int]]:
    """Yield each pixel with how often it is repeated, and where its chunk ends; then see to the end mark."""
    at, left = HEADER_BYTES, header.height * header.width
    pixel: Pixel = (0, 0, 0, 255)
    seen: list[Pixel] = [(0, 0, 0, 0)] * 64
    while left:
        chunk, count = data[at : at + 1], 1
        if not chunk:
            raise _truncated(len(data))
        kind, value = chunk[0] >> 6, chunk[0] & 0x3F
        if kind == RUN and chunk[0] < RGB:
            count, at = min(value + 1, left), at + 1
        elif kind == INDEX:
            pixel, at = seen[value] if header.channels == 4 else (*seen[value][:3], 255), at + 1
        else:
            pixel, at = _changed(pixel, data, at, header)
            red, green, blue, alpha = pixel
            seen[(3 * red + 5 * green + 7 * blue + 11 * alpha) % 64] = pixel
        left -= count
        yield (pixel, count), at
    if len(data) < at + len(END):
        raise _truncated(len(data))
    if data[at : at + len(END)] != END:
        raise RecordFailedError("corrupt", f"QOI: no end mark at byte {at}, where the pixels end")


def _changed(pixel: Pixel, data: bytes, at: int, header: Header) -> tuple[Pixel, int]:
    """Return the pixel that a chunk makes of the one before it, and where the chunk ends."""
    red, green, blue, alpha = pixel
    first = data[at]
    length = {RGB: 4, RGBA: 5}.get(first, 2 if first >> 6 == LUMA else 1)
    chunk = data[at : at + length]
    if len(chunk) < length:
        raise _truncated(len(data))
    if first == RGBA and header.channels == 3:
        raise RecordFailedError("corrupt", f"QOI: alpha at byte {at} of an image without")
    if first == RGB:
        return (chunk[1], chunk[2], chunk[3], alpha), at + length
    if first == RGBA:
        return (chunk[1], chunk[2], chunk[3], chunk[4]), at + length
    if first >> 6 == DIFFERENCE:
        changes = (first >> 4 & 3) - 2, (first >> 2 & 3) - 2, (first & 3) - 2
    else:
        change = (first & 0x3F) - 32
        changes = change - 8 + (chunk[1] >> 4), change, change - 8 + (chunk[1] & 0x0F)
    return ((red + changes[0]) & 255, (green + changes[1]) & 255, (blue + changes[2]) & 255, alpha), at + length


def encode_qoi(pixels: bytes, height: int, width: int, channels: int) -> bytes:
    """Return an image of 3 or 4 channels of one byte as QOI."""
    out = bytearray(struct.pack(">4sIIBB", MAGIC, width, height, channels, 0))
    before: Pixel = (0, 0, 0, 255)
    seen: list[Pixel] = [(0, 0, 0, 0)] * 64
    run = 0
    for start in range(0, len(pixels), channels):
        red, green, blue, alpha = pixel = (*pixels[start : start + 3], pixels[start + 3] if channels == 4 else 255)
        if pixel == before:
            run += 1
        if run and (pixel != before or run == LONGEST_RUN):
            out.append(RUN << 6 | run - 1)
            run = 0
        if pixel == before:
            continue
        place = (3 * red + 5 * green + 7 * blue + 11 * alpha) % 64
        out += bytes([place]) if seen[place] == pixel else _chunk(before, pixel)
        seen[place] = before = pixel
    if run:
        out.append(RUN << 6 | run - 1)
    return bytes(out) + END


def _chunk(before: Pixel, pixel: Pixel) -> bytes:
    """Return the shortest chunk that makes one pixel of another."""
    if pixel[3] != before[3]:
        return bytes([RGBA, *pixel])
    red, green, blue = ((pixel[channel] - before[channel] + 128) % 256 - 128 for channel in range(3))
    if all(-2 <= each <= 1 for each in (red, green, blue)):
        return bytes([DIFFERENCE << 6 | red + 2 << 4 | green + 2 << 2 | blue + 2])
    if -32 <= green <= 31 and -8 <= red - green <= 7 and -8 <= blue - green <= 7:
        return bytes([LUMA << 6 | green + 32, red - green + 8 << 4 | blue - green + 8])
    return bytes([RGB, *pixel[:3]])


def _truncated(size: int) -> RecordFailedError:
    return RecordFailedError("corrupt", f"QOI: truncated, {size} bytes are there")
