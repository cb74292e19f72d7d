"""WebP through Pillow, which gives still images as RGB or RGBA; what the file around the image says is read here."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.WebPImagePlugin import WebPImageFile

from pixstore.headers import EXIF, WEBP, Header, Record, RecordFailedError, check_size, exif_orientation
from pixstore.reference.buffers import Bytes
from pixstore.reference.pillow import load_by_pillow

FILE_HEADER, CHUNK_HEADER = 12, 8
HAS_ANIMATION, HAS_EXIF = 0b10, 0b1000
LARGEST_SIDE = 16383


def is_webp(head: bytes) -> bool:
    """Return whether a record's first 12 bytes are those of a WebP file."""
    return head[:4] == b"RIFF" and head[8:12] == b"WEBP"


def webp_header(record: Record, max_pixels: int) -> Header:
    """Return what the file says. Raises RecordFailedError."""
    data = record.read(0, record.size)
    if int.from_bytes(data[4:8], "little") + CHUNK_HEADER > len(data):
        raise RecordFailedError("corrupt", f"WebP: truncated, {len(data)} bytes are there")
    flags = data[20] if data[12:16] == b"VP8X" and len(data) > 20 else 0
    if flags & HAS_ANIMATION:
        raise RecordFailedError("unsupported", "WebP: an animation; only still images are stored")
    try:
        with WebPImageFile(io.BytesIO(data)) as image:
            (width, height), mode = image.size, image.mode
    except Exception as error:  # Pillow raises errors of a dozen kinds on damaged bytes
        raise RecordFailedError("corrupt", f"WebP: a damaged header ({error})") from error
    check_size(height, width, max_pixels)
    orientation = exif_orientation(_exif(data)) if flags & HAS_EXIF else 1
    return Header(WEBP, height, width, 4 if mode == "RGBA" else 3, 1, orientation)


def _exif(data: bytes) -> bytes:
    """Return the EXIF data, none where there is no such chunk."""
    at = FILE_HEADER
    while at + CHUNK_HEADER <= len(data):
        begin = at + CHUNK_HEADER
        end = begin + int.from_bytes(data[at + 4 : begin], "little")
        if data[at : at + 4] == b"EXIF":
            return data[begin:end].removeprefix(EXIF) if end <= len(data) else b""
        at = end + (end - begin) % 2
    return b""


def webp_end(data: bytes) -> int:
    """Return where the file ends by its own length. Raises RecordFailedError where its chunks do not lie within, or none is an image."""
    end = int.from_bytes(data[4:8], "little") + CHUNK_HEADER
    at, has_image = FILE_HEADER, False
    while at + CHUNK_HEADER <= end:
        has_image |= data[at : at + 4] in (b"VP8 ", b"VP8L")
        length = int.from_bytes(data[at + 4 : at + 8], "little")
        if at + CHUNK_HEADER + length > end:
            raise RecordFailedError("corrupt", f"WebP: the chunk at byte {at} ends beyond the file's {end} bytes")
        at += CHUNK_HEADER + length + length % 2
    if not has_image:
        raise RecordFailedError("corrupt", "WebP: a file without an image")
    return end


def decode_webp(data: bytes, channels: int) -> NDArray[np.uint8]:
    """Return the pixels; alpha that the image does not have, as it was all opaque, is 255. Raises RecordFailedError."""
    pixels: NDArray[np.uint8] = load_by_pillow(WebPImageFile, data)
    if channels == 4 and pixels.shape[2] == 3:
        return np.dstack([pixels, np.full(pixels.shape[:2], 255, np.uint8)])
    return pixels


def encode_webp(pixels: Bytes, height: int, width: int, channels: int, quality: int, *, lossless: bool) -> bytes:
    """Return an image of 3 or 4 channels of one byte as WebP; lossless keeps the colours of transparent pixels too."""
    if max(height, width) > LARGEST_SIDE:
        raise RecordFailedError("unsupported", f"WebP holds up to {LARGEST_SIDE} pixels a side, not {height} x {width}")
    target = io.BytesIO()
    image = Image.fromarray(pixels.reshape(height, width, channels))
    image.save(target, "WEBP", quality=quality, lossless=lossless, exact=lossless)
    return target.getvalue()
