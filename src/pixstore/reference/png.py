"""PNG by hand where Pillow would drop half the bits, and its filters in both directions."""

from __future__ import annotations

import struct
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL.PngImagePlugin import PngImageFile

from pixstore.headers import PNG_SAMPLES, PNG_SIGNATURE, Header, Record, RecordFailedError, png_chunk, png_chunks, png_ihdr
from pixstore.reference.buffers import Bytes
from pixstore.reference.pillow import load_by_pillow

PNG_COLOURS = {1: 0, 2: 4, 3: 2, 4: 6}
ADAM7 = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))


def decode_png(record: Record, header: Header) -> NDArray[Any]:
    """Return the pixels; all chunks are checked first. Raises RecordFailedError."""
    chunks = [(name, png_chunk(record, name, start, length)) for name, start, length in png_chunks(record)]
    _, _, depth, colour, interlaced = png_ihdr(record)
    passes = _png_passes(header, bool(interlaced))
    row_bytes = [(len(range(x, header.width, dx)) * depth * PNG_SAMPLES[colour] + 7) // 8 for _, x, _, dx in passes]
    heights = [len(range(y, header.height, dy)) for y, _, dy, _ in passes]
    stream = _inflate(b"".join(data for name, data in chunks if name == b"IDAT"), [*zip(heights, row_bytes, strict=True)])
    if depth < 16:
        kept = [_png_pack(name, data) for name, data in chunks if name in (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")]
        return load_by_pillow(PngImageFile, b"".join([PNG_SIGNATURE, *kept]))
    pixels = np.empty((header.height, header.width, header.channels), np.uint16)
    for (y, x, dy, dx), filtered in zip(passes, stream, strict=True):
        part = pixels[y::dy, x::dx]
        part[:] = _unfilter(filtered[:, 0], filtered[:, 1:].reshape(len(part), part.shape[1], -1)).view(">u2")
    return pixels


def _png_passes(header: Header, interlaced: bool) -> list[tuple[int, int, int, int]]:
    """Return first row, first column, row step and column step of each pass that has pixels."""
    passes = ADAM7 if interlaced else ((0, 0, 1, 1),)
    return [each for each in passes if each[0] < header.height and each[1] < header.width]


def _inflate(packed: bytes, parts: list[tuple[int, int]]) -> list[Bytes]:
    """Return the filtered rows, each with its filter's number in front, of parts of so many rows of so many bytes."""
    sizes = [height * (1 + row_bytes) for height, row_bytes in parts]
    try:
        stream = zlib.decompressobj().decompress(packed, sum(sizes))
    except zlib.error as error:
        raise RecordFailedError("corrupt", f"does not decode: {error}") from error
    if len(stream) < sum(sizes):
        raise RecordFailedError("corrupt", f"truncated PNG: {len(stream)} of {sum(sizes)} bytes of pixels")
    flat = np.split(np.frombuffer(stream, np.uint8), np.cumsum(sizes)[:-1])
    return [rows.reshape(height, 1 + row_bytes) for rows, (height, row_bytes) in zip(flat, parts, strict=True)]


def _png_pack(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I4s", len(data), name) + data + struct.pack(">I", zlib.crc32(data, zlib.crc32(name)))


def _unfilter(filters: Bytes, filtered: Bytes) -> Bytes:
    """Undo the PNG filters of an image of shape (height, width, bytes per pixel).

    A pixel depends on those to its left, above, and above left: pixels of one diagonal are independent of each other.
    """
    if filters.max() > 4:
        raise RecordFailedError("corrupt", f"PNG of unknown row filter {filters.max()}")
    height, width, step = filtered.shape
    done = np.zeros((height + 1, width + 1, step), np.int16)
    for diagonal in range(height + width - 1):
        y = np.arange(max(0, diagonal - width + 1), min(height, diagonal + 1))
        x = diagonal - y
        predicted = np.choose(filters[y, None], _predictions(done[y + 1, x], done[y, x + 1], done[y, x]))
        done[y + 1, x + 1] = (filtered[y, x] + predicted) & 255
    return np.ascontiguousarray(done[1:, 1:].astype(np.uint8))


def _predictions(left: NDArray[np.int16], up: NDArray[np.int16], corner: NDArray[np.int16]) -> list[NDArray[np.int16]]:
    """Return what each of the five PNG filters (None, Sub, Up, Average, Paeth) predicts."""
    to_left, to_up, to_corner = abs(up - corner), abs(left - corner), abs(left + up - 2 * corner)
    paeth = np.where((to_left <= to_up) & (to_left <= to_corner), left, np.where(to_up <= to_corner, up, corner))
    return [np.zeros_like(left), left, up, (left + up) // 2, paeth]


def encode_png(pixels: Bytes, height: int, width: int, channels: int, sample_bytes: int, level: int) -> bytes:
    """Return a PNG of these pixels, native order; levels above 9 are as 9."""
    samples = pixels if sample_bytes == 1 else pixels.view(np.uint16).astype(">u2").view(np.uint8)
    step = channels * sample_bytes
    padded = np.zeros((height + 1, width + 1, step), np.int16)
    padded[1:, 1:] = samples.reshape(height, width, step)
    predictions = _predictions(padded[1:, :-1], padded[:-1, 1:], padded[:-1, :-1])
    candidates = np.stack([(padded[1:, 1:] - each).astype(np.uint8).reshape(height, -1) for each in predictions])
    # The usual choice: the filter whose row, taken as signed bytes, has the smallest sum of magnitudes.
    best = abs(candidates.view(np.int8).astype(np.int16)).sum(2, dtype=np.int64).argmin(0)
    rows = np.empty((height, 1 + width * step), np.uint8)
    rows[:, 0] = best
    rows[:, 1:] = candidates[best, np.arange(height)]
    header = struct.pack(">IIBBBBB", width, height, 8 * sample_bytes, PNG_COLOURS[channels], 0, 0, 0)
    parts = [(b"IHDR", header), (b"IDAT", zlib.compress(rows.tobytes(), min(level, 9))), (b"IEND", b"")]
    return PNG_SIGNATURE + b"".join(_png_pack(name, data) for name, data in parts)
