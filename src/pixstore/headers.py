"""What the headers of PNG and JPEG images say, read without their pixels and without trust."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Protocol

RAW, RAW_PLANAR, PNG, JPEG, RAW_BGR, RAW_PLANAR_BGR, ZSTD, LZ4, QOI, WEBP, OTHER = *range(10), 255
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
MOST_DEFLATED = 1032
"""Deflate shrinks nothing by more than this factor."""
PNG_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
PNG_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
JUNK_BYTES = 1 << 16
EXIF = b"Exif\0\0"
ORIENTATION_TAG, EXIF_SHORT = 0x0112, 3
JPEG_HUFFMAN_FRAMES = {0xC0, 0xC1, 0xC2}
JPEG_FRAMES = {*JPEG_HUFFMAN_FRAMES, 0xC9, 0xCA}
JPEG_OTHER_FRAMES = {0xC3, 0xC5, 0xC6, 0xC7, 0xCB, 0xCD, 0xCE, 0xCF}


class RecordFailedError(Exception):
    """One record failed: the kind and the detail of its failure."""

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(kind, detail)
        self.kind = kind
        self.detail = detail


class Record(Protocol):
    """Stored bytes that are read piece by piece."""

    size: int

    def read(self, start: int, count: int) -> bytes: ...


@dataclass(frozen=True)
class Header:
    """What a header says of the decoded image; palettes count as expanded, the orientation is not applied."""

    codec: int
    height: int = 0
    width: int = 0
    channels: int = 0
    sample_bytes: int = 0
    orientation: int = 1


def png_chunks(record: Record) -> Iterator[tuple[bytes, int, int]]:
    """Yield type, start and length of each chunk, to IEND or the end of the record."""
    position = len(PNG_SIGNATURE)
    while position + 8 <= record.size:
        length, name = struct.unpack(">I4s", record.read(position, 8))
        yield name, position + 8, length
        position += length + 12
        if name == b"IEND":
            return
    raise RecordFailedError("corrupt", f"truncated PNG: ends after {record.size} bytes")


def png_chunk(record: Record, name: bytes, start: int, length: int) -> bytes:
    """Return the data of a chunk, checked against its CRC."""
    if start + length + 4 > record.size:
        raise RecordFailedError("corrupt", f"truncated PNG: chunk {name!r} ends beyond the {record.size} bytes")
    data = record.read(start, length)
    if zlib.crc32(data, zlib.crc32(name)) != int.from_bytes(record.read(start + length, 4), "big"):
        raise RecordFailedError("corrupt", f"PNG chunk {name!r} at byte {start - 8}: CRC differs")
    return data


def png_ihdr(record: Record) -> tuple[int, int, int, int, int]:
    """Return width, height, depth, colour type and interlacing."""
    name, start, length = next(png_chunks(record))
    if (name, length) != (b"IHDR", 13):
        raise RecordFailedError("corrupt", "PNG does not begin with its header")
    width, height, depth, colour, compression, filtering, interlacing = struct.unpack(">IIBBBBB", png_chunk(record, name, start, length))
    if depth not in PNG_DEPTHS.get(colour, ()):
        raise RecordFailedError("corrupt", f"PNG of colour type {colour} and bit depth {depth}, which do not exist")
    if compression or filtering or interlacing > 1:
        raise RecordFailedError("corrupt", "PNG of an unknown compression, filter or interlacing")
    return width, height, depth, colour, interlacing


def _png_header(record: Record) -> Header:
    width, height, depth, colour, _ = png_ihdr(record)
    if height * ((width * depth * PNG_SAMPLES[colour] + 7) // 8) // MOST_DEFLATED > record.size:
        raise RecordFailedError("corrupt", f"PNG: {record.size} bytes cannot hold {width} x {height} pixels")
    orientation, channels, has_palette = 1, 3 if colour == 3 else PNG_SAMPLES[colour], colour != 3
    for name, start, length in png_chunks(record):
        if name == b"PLTE":
            has_palette = True
        elif name == b"tRNS" and colour == 3:
            channels = 4
        elif name == b"eXIf":
            orientation = exif_orientation(_within(record, start, length))
        elif name == b"acTL" and int.from_bytes(record.read(start, min(length, 4)), "big") > 1:
            raise RecordFailedError("unsupported", "animated PNG: only single images are stored")
        elif name in (b"IDAT", b"IEND"):
            break
    if name != b"IDAT":
        raise RecordFailedError("corrupt", "PNG without pixels")
    if not has_palette:
        raise RecordFailedError("corrupt", "PNG without its palette")
    return Header(PNG, height, width, channels, depth // 8 or 1, orientation)


def _jpeg_header(record: Record, max_pixels: int) -> Header:
    position, exif = 2, None
    while position + 4 <= record.size:
        marker, kind, length = struct.unpack(">BBH", record.read(position, 4))
        if marker != 0xFF or kind == 0xFF:
            position += _distance_to_marker(record.read(position, JUNK_BYTES))
        elif kind in (0xD9, 0xDA):
            break
        elif kind in (0x00, 0x01) or 0xD0 <= kind <= 0xD8:
            position += 2
        elif kind in JPEG_OTHER_FRAMES:
            raise RecordFailedError("unsupported", "JPEG of a lossless, hierarchical or arithmetic kind")
        elif kind in JPEG_FRAMES:
            header = _jpeg_frame(record.read(position + 4, 6), record.size)
            check_size(header.height, header.width, max_pixels)
            _check_jpeg_bytes(record.size, kind, header)
            return replace(header, orientation=exif_orientation(exif or b""))
        else:
            if kind == 0xE1 and exif is None and record.read(position + 4, len(EXIF)) == EXIF:
                exif = _within(record, position + 4 + len(EXIF), length - 2 - len(EXIF))
            position += 2 + length
    raise RecordFailedError("corrupt", f"truncated JPEG: no image header in {record.size} bytes")


def _within(record: Record, start: int, count: int) -> bytes:
    """Return these bytes, none where they end beyond the record."""
    return record.read(start, count) if count > 0 and start + count <= record.size else b""


def exif_orientation(tiff: bytes) -> int:
    """Return the orientation in EXIF data, 1 to 8; 1 where none is stated or the data are damaged.

    EXIF is a TIFF header and a directory of entries (tag, type, count, value), in either byte order; see EXIF 2.32, 4.6.4.
    """
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(tiff[:4])
    if order is None:
        return 1
    if len(tiff) < 8:
        return 1
    (directory,) = struct.unpack_from(f"{order}I", tiff, 4)
    if directory + 2 > len(tiff):
        return 1
    (entries,) = struct.unpack_from(f"{order}H", tiff, directory)
    # An entry has 12 bytes, of which the first 10 say all that is asked here; a directory may claim more than there are.
    there = (len(tiff) - directory) // 12
    for number in range(min(entries, there)):
        tag, kind, count, value = struct.unpack_from(f"{order}HHIH", tiff, directory + 2 + 12 * number)
        if tag == ORIENTATION_TAG:
            return value if (kind, count) == (EXIF_SHORT, 1) and 1 <= value <= 8 else 1
    return 1


def _distance_to_marker(junk: bytes) -> int:
    """Return how many bytes come before the next marker; as libjpeg does, we step over bytes between segments and FF repeated."""
    found = len(junk) - len(junk.lstrip(b"\xff")) - 1 if junk[:1] == b"\xff" else junk.find(b"\xff")
    return len(junk) if found < 0 else found


def _check_jpeg_bytes(size: int, kind: int, header: Header) -> None:
    # Huffman codes spend at least one bit on a block, and no block is more than 32 pixels wide or high.
    blocks = -(-header.width // 32) * -(-header.height // 32)
    if kind in JPEG_HUFFMAN_FRAMES and blocks > size * 8:
        raise RecordFailedError("corrupt", f"JPEG: {size} bytes cannot hold {header.width} x {header.height} pixels")


def _jpeg_frame(frame: bytes, size: int) -> Header:
    if len(frame) < 6:
        raise RecordFailedError("corrupt", f"truncated JPEG: {size} bytes are there, it ends within its header")
    precision, height, width, channels = struct.unpack(">BHHB", frame)
    if precision != 8:
        raise RecordFailedError("unsupported", f"JPEG of {precision} bits per sample: only 8 are decoded")
    if channels not in (1, 3, 4):
        raise RecordFailedError("unsupported", f"JPEG of {channels} components: only 1, 3 and 4 are decoded")
    return Header(JPEG, height, width, channels, 1)


def read_header(record: Record, max_pixels: int) -> Header:
    """Return what the header says; codec OTHER where the bytes are neither PNG nor JPEG. Raises RecordFailedError."""
    magic = record.read(0, 8)
    if magic == PNG_SIGNATURE:
        width, height, *_ = png_ihdr(record)
        check_size(height, width, max_pixels)
        return _png_header(record)
    if magic[:3] == b"\xff\xd8\xff":
        return _jpeg_header(record, max_pixels)
    return Header(OTHER)


def check_size(height: int, width: int, max_pixels: int) -> None:
    """Raise RecordFailedError for an image of no pixels, or of more than the limit."""
    if not width or not height:
        raise RecordFailedError("unsupported", f"image of width {width} and height {height}")
    if width * height > max_pixels:
        raise RecordFailedError("limit", f"{width} x {height} = {width * height} pixels, the limit is {max_pixels}")
