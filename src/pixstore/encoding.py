"""Arrays to stored bytes: as they are, compressed, or as images of one of the formats that are written."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pixstore import formats
from pixstore.core import core, usable_cpus
from pixstore.engine import FieldRecords
from pixstore.errors import InvalidInputError
from pixstore.headers import JPEG, LZ4, OTHER, PNG, QOI, RAW, WEBP, ZSTD
from pixstore.rows import Slices
from pixstore.schema import Format


@dataclass(frozen=True)
class Kind:
    """What one codec writes: the name in the records, the core's number (OTHER: Pillow encodes), and what an image must be; none: anything.

    most_level: the highest level, 0 where there are none; quality: the one taken where none is asked for, 0 where there is none.
    """

    name: str
    number: int
    channels: tuple[int, ...] = ()
    dtypes: tuple[str, ...] = ("uint8",)
    advice: str = ""
    most_level: int = 0
    level: int = 1
    quality: int = 0
    is_lossless: bool = True


COLOURS = "holds uint8 of shape (H, W, 3) or (H, W, 4); use codec 'png', 'raw' or 'zstd' for anything else"
KINDS = {
    "raw": Kind("raw", RAW),
    "png": Kind("png", PNG, (1, 2, 3, 4), ("uint8", "uint16"), most_level=12,
                advice="PNG holds uint8 or uint16 of shape (H, W) or (H, W, 1 to 4); use codec 'raw' for anything else"),
    "jpeg": Kind("jpeg", JPEG, (1, 3), quality=90, is_lossless=False,
                 advice="JPEG holds uint8 of shape (H, W), (H, W, 1) or (H, W, 3); use codec 'png' or 'raw'"),
    "webp": Kind("webp", WEBP, (3, 4), advice=f"WebP {COLOURS}", quality=80, is_lossless=False),
    "webp-lossless": Kind("webp", WEBP, (3, 4), advice=f"WebP {COLOURS}", quality=75),
    "qoi": Kind("qoi", QOI, (3, 4), advice=f"QOI {COLOURS}"),
    "avif": Kind("avif", OTHER, (3, 4), advice=f"AVIF {COLOURS}", quality=75, is_lossless=False),
    "zstd": Kind("zstd", ZSTD, most_level=19, level=3),
    "lz4": Kind("lz4", LZ4),
}  # fmt: skip
CODECS = tuple(KINDS)
RAW_DTYPES = "?bhilqBHILQefdFD"
MOST_LEVEL = max(each.most_level for each in KINDS.values())
MOST_BYTES = (1 << 31) - 1
"""Of an array in one frame: as many as are read back."""


def encode(
    images: NDArray[Any] | Sequence[NDArray[Any]],
    codec: str,
    *,
    level: int | None = None,
    quality: int | None = None,
    threads: int | None = None,
) -> FieldRecords:
    """Return the records of N images: one array of N images along its first axis, or a sequence of arrays of any shapes.

    codec is "raw" (any shape and dtype of numbers, little-endian; a contiguous array is not copied), "zstd" (the same in one Zstandard
    frame each, level 1 to 19) or "lz4" (in one LZ4 frame each), or a format of images: "png" (level 1 to 12), "jpeg", "webp", "avif"
    (quality 1 to 100), "webp-lossless" (quality: effort, 1 to 100) or "qoi". Shape and dtype are recorded as given. Raises
    InvalidInputError for what a codec cannot hold.
    """
    check_options(codec, level, quality)
    kind = KINDS[codec]
    options = {"level": level or kind.level, "quality": quality or kind.quality or 1, "threads": threads or 0}
    if isinstance(images, np.ndarray):
        if not images.ndim:
            raise InvalidInputError(f"{images!r} is one number, not a batch of images: the first axis counts the images")
        if kind.number != OTHER or not len(images):
            return _encode_batch(images, codec, options)
    return _encode_list([np.asarray(image) for image in images], codec, options)


def check_options(codec: str, level: int | None, quality: int | None) -> None:
    """Raise InvalidInputError for a codec that does not encode, and for a level or quality that it does not have."""
    if codec not in CODECS:
        raise InvalidInputError(f"codec {codec!r} does not encode: use one of {', '.join(CODECS)}")
    most = KINDS[codec].most_level or MOST_LEVEL
    if level is not None and not 1 <= level <= most:
        of_codec = f" of codec {codec!r}" if KINDS[codec].most_level else ""
        raise InvalidInputError(f"level {level} is outside 1 … {most}{of_codec}: 1 is fast, {most} is small")
    if quality is not None and not 1 <= quality <= 100:
        raise InvalidInputError(f"quality {quality} is outside 1 … 100")


def record_codec(codec: str) -> str:
    """Return the name that records of this codec have."""
    return KINDS[codec].name


def _check_image(dtype: np.dtype[Any], shape: tuple[int, ...], codec: str) -> None:
    kind = KINDS[codec]
    if not kind.channels:
        if dtype.char not in RAW_DTYPES:
            raise InvalidInputError(f"an array of dtype {dtype} cannot be stored: use booleans, integers, floats or complex numbers")
        if codec != "raw" and int(np.prod(shape, dtype=object)) * dtype.itemsize > MOST_BYTES:
            raise InvalidInputError(f"an array of dtype {dtype} and shape {shape} has more than {MOST_BYTES:,} bytes: use codec 'raw'")
        return
    channels = shape[2] if len(shape) == 3 else 1
    if dtype.name not in kind.dtypes or not 2 <= len(shape) <= 3 or channels not in kind.channels:
        raise InvalidInputError(f"an image of dtype {dtype} and shape {shape} does not fit codec {codec!r}: {kind.advice}")
    if 0 in shape:
        raise InvalidInputError(f"an image of shape {shape} has no pixels: use codec 'raw'")


def _stored(array: NDArray[Any], codec: str) -> NDArray[Any]:
    """Return the array contiguous, in the byte order that is stored (arrays) or that the core takes (images); the same where it is so."""
    return np.ascontiguousarray(array, array.dtype.newbyteorder("=" if KINDS[codec].channels else "<"))


def _encode_batch(images: NDArray[Any], codec: str, options: dict[str, int]) -> FieldRecords:
    shape = images.shape[1:]
    _check_image(images.dtype, shape, codec)
    # ascontiguousarray makes a number an array of one; the batch axis is there, so shapes stay.
    pixels = _stored(images, codec).reshape(-1).view(np.uint8)
    count = len(images)
    one = np.zeros(count, np.int32)
    described = [Format(record_codec(codec), shape, images.dtype.name)]
    length = pixels.size // (count or 1)
    if codec == "raw":
        return FieldRecords(Slices(pixels, np.arange(count, dtype=np.int64) * length, np.full(count, length, np.int64)), described, one)
    if not count:
        return FieldRecords(Slices(b"", np.zeros(0, np.int64), np.zeros(0, np.int64)), described, one)
    if not length:
        return FieldRecords(_by_core([pixels] * count, [(1, 0, 1)] * count, 1, codec, options), described, one)
    shapes, sample_bytes = ([_core_shape(shape)], images.dtype.itemsize) if KINDS[codec].channels else ([(1, length, 1)], 1)
    return FieldRecords(_by_core(pixels, shapes, sample_bytes, codec, options), described, one)


def _by_core(pixels: Any, shapes: list[tuple[int, int, int]], sample_bytes: int, codec: str, options: dict[str, int]) -> Slices:
    lossless = codec == "webp-lossless"
    data, lengths, failures = core().encode(
        pixels, np.array(shapes, np.int32).reshape(-1, 3), sample_bytes, KINDS[codec].number, lossless=lossless, **options
    )
    _refuse(failures)
    return Slices.end_to_end(data, lengths)


def _core_shape(shape: tuple[int, ...]) -> tuple[int, int, int]:
    return shape[0], shape[1], shape[2] if len(shape) == 3 else 1


def _refuse(failures: Sequence[tuple[int, str, str]]) -> None:
    if failures:
        index, _, detail = failures[0]
        raise InvalidInputError(f"{len(failures)} images cannot be encoded; image {index}: {detail}")


def _encode_list(images: list[NDArray[Any]], codec: str, options: dict[str, int]) -> FieldRecords:
    numbers: dict[Format, int] = {}
    for image in images:
        _check_image(image.dtype, image.shape, codec)
    described = [Format(record_codec(codec), image.shape, image.dtype.name) for image in images]
    format_of = np.array([numbers.setdefault(each, len(numbers)) for each in described], np.int32)
    stored = [_stored(image, codec) for image in images]
    pixels = [each.reshape(-1).view(np.uint8) for each in stored]
    if codec == "raw":
        lengths = np.array([each.size for each in pixels], np.int64)
        slices = Slices.end_to_end(np.concatenate(pixels) if pixels else np.zeros(0, np.uint8), lengths)
    elif codec == "avif":
        slices = _encode_avif(stored, options)
    elif not KINDS[codec].channels:
        slices = _by_core(pixels, [(1, each.size, 1) for each in pixels], 1, codec, options)
    else:
        slices = _encode_by_depth(images, pixels, codec, options)
    return FieldRecords(slices, list(numbers), format_of)


def _encode_avif(images: list[NDArray[Any]], options: dict[str, int]) -> Slices:
    with ThreadPoolExecutor(options["threads"] or usable_cpus()) as pool:
        encoded = list(pool.map(lambda image: formats.encode_avif(image, options["quality"]), images))
    return Slices.end_to_end(b"".join(encoded), np.array([len(each) for each in encoded], np.int64))


def _encode_by_depth(images: list[NDArray[Any]], pixels: list[NDArray[np.uint8]], codec: str, options: dict[str, int]) -> Slices:
    """Encode images of 8 and of 16 bits, which the core takes in calls of their own."""
    offset, length = np.zeros(len(images), np.int64), np.zeros(len(images), np.int64)
    parts, done = [], 0
    for sample_bytes in (1, 2):
        rows = [index for index, image in enumerate(images) if image.dtype.itemsize == sample_bytes]
        if not rows:
            continue
        shapes = [_core_shape(images[index].shape) for index in rows]
        encoded = _by_core([pixels[index] for index in rows], shapes, sample_bytes, codec, options)
        offset[rows] = done + encoded.offset
        length[rows] = encoded.length
        parts.append(np.frombuffer(encoded.data, np.uint8))
        done += len(encoded.data)
    return Slices(parts[0] if len(parts) == 1 else np.concatenate(parts) if parts else b"", offset, length)
