"""Pixels to stored bytes, whatever the codec."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pixstore.headers import JPEG, LZ4, PNG, QOI, WEBP, ZSTD, RecordFailedError
from pixstore.reference.buffers import Buffer, Bytes, as_bytes, slots_of
from pixstore.reference.lz4 import encode_lz4
from pixstore.reference.places import Failure
from pixstore.reference.png import PNG_COLOURS, encode_png
from pixstore.reference.qoi import encode_qoi
from pixstore.reference.webp import encode_webp
from pixstore.reference.zstandard import encode_zstd

HELD = {PNG: (PNG_COLOURS, (1, 2)), JPEG: ((1, 3), (1,)), WEBP: ((3, 4), (1,)), QOI: ((3, 4), (1,))}
"""The channels, and the bytes of a sample, that each codec of images takes."""


def encode(
    images: Buffer | list[Buffer],
    shapes: NDArray[np.int32],
    bytes_per_sample: int,
    codec: int,
    *,
    level: int = 1,
    quality: int = 90,
    lossless: bool = False,
    threads: int = 0,
) -> tuple[bytes, NDArray[np.int64], list[Failure]]:
    """Return the encoded records end to end, their lengths (-1 where failed), and failures."""
    image_bytes = int(np.prod(shapes[0], dtype=np.int64)) * bytes_per_sample if len(shapes) else 0
    count = len(images) if isinstance(images, list) else as_bytes(images).size // (image_bytes or 1)
    pixels = slots_of(images, count)
    records: list[bytes] = []
    lengths = np.full(count, -1, np.int64)
    failures: list[Failure] = []
    for index in range(count):
        shape = shapes[index if len(shapes) > 1 else 0].tolist()
        try:
            records.append(_encode_one(pixels[index], shape, bytes_per_sample, codec, level, quality, lossless))
            lengths[index] = len(records[-1])
        except RecordFailedError as error:
            failures.append((index, error.kind, error.detail))
    return b"".join(records), lengths, failures


def _encode_one(pixels: Bytes, shape: list[int], sample_bytes: int, codec: int, level: int, quality: int, lossless: bool) -> bytes:
    if codec == ZSTD:
        return encode_zstd(pixels.tobytes(), level)
    if codec == LZ4:
        return encode_lz4(pixels.tobytes())
    height, width, channels = shape
    if codec not in HELD or channels not in HELD[codec][0] or sample_bytes not in HELD[codec][1]:
        raise RecordFailedError("unsupported", f"codec number {codec} does not hold {channels} channels of {8 * sample_bytes} bits")
    if not height or not width or (codec == JPEG and max(height, width) > 65500):
        raise RecordFailedError("unsupported", f"images of {height} x {width} pixels cannot be encoded")
    if pixels.size != height * width * channels * sample_bytes:
        raise RecordFailedError("mismatch", f"{pixels.size} bytes are not an image of shape {tuple(shape)}")
    if codec == PNG:
        return encode_png(pixels, height, width, channels, sample_bytes, level)
    if codec == WEBP:
        return encode_webp(pixels, height, width, channels, quality, lossless=lossless)
    if codec == QOI:
        return encode_qoi(pixels.tobytes(), height, width, channels)
    target = io.BytesIO()
    Image.fromarray(pixels.reshape((height, width) if channels == 1 else (height, width, channels))).save(target, "JPEG", quality=quality)
    return target.getvalue()
