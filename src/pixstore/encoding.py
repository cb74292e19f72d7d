"""Arrays to stored bytes: raw, PNG or JPEG."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pixstore.core import core
from pixstore.engine import FieldRecords
from pixstore.errors import InvalidInputError
from pixstore.headers import JPEG, PNG
from pixstore.rows import Slices
from pixstore.schema import Format

CODECS = ("raw", "png", "jpeg")
NUMBERS = {"png": PNG, "jpeg": JPEG}
CHANNELS = {"png": (1, 2, 3, 4), "jpeg": (1, 3)}
DTYPES = {"png": ("uint8", "uint16"), "jpeg": ("uint8",)}
ADVICE = {
    "png": "PNG holds uint8 or uint16 of shape (H, W) or (H, W, 1 to 4); use codec 'raw' for anything else",
    "jpeg": "JPEG holds uint8 of shape (H, W), (H, W, 1) or (H, W, 3); use codec 'png' or 'raw'",
}
RAW_DTYPES = "?bhilqBHILQefdFD"
DEFAULT_LEVEL = 1
DEFAULT_QUALITY = 90


def encode(
    images: NDArray[Any] | Sequence[NDArray[Any]],
    codec: str,
    *,
    level: int | None = None,
    quality: int | None = None,
    threads: int | None = None,
) -> FieldRecords:
    """Return the records of N images: one array of N images along its first axis, or a sequence of arrays of any shapes.

    codec is "raw" (any shape and dtype of numbers, little-endian; a contiguous array is not copied), "png" (level 1 to 12)
    or "jpeg" (quality 1 to 100). Shape and dtype are recorded as given. Raises InvalidInputError for what a codec cannot hold.
    """
    _check_options(codec, level, quality)
    options = {"level": level or DEFAULT_LEVEL, "quality": quality or DEFAULT_QUALITY, "threads": threads or 0}
    if isinstance(images, np.ndarray):
        if not images.ndim:
            raise InvalidInputError(f"{images!r} is one number, not a batch of images: the first axis counts the images")
        return _encode_batch(images, codec, options)
    return _encode_list([np.asarray(image) for image in images], codec, options)


def _check_options(codec: str, level: int | None, quality: int | None) -> None:
    if codec not in CODECS:
        raise InvalidInputError(f"codec {codec!r} does not encode: use one of {', '.join(CODECS)}")
    if level is not None and not 1 <= level <= 12:
        raise InvalidInputError(f"level={level}: PNG levels are 1 (fast) to 12 (small)")
    if quality is not None and not 1 <= quality <= 100:
        raise InvalidInputError(f"quality={quality}: JPEG qualities are 1 to 100")


def _check_image(dtype: np.dtype[Any], shape: tuple[int, ...], codec: str) -> None:
    if codec == "raw":
        if dtype.char not in RAW_DTYPES:
            raise InvalidInputError(f"an array of dtype {dtype} cannot be stored: use booleans, integers, floats or complex numbers")
        return
    channels = shape[2] if len(shape) == 3 else 1
    if dtype.name not in DTYPES[codec] or not 2 <= len(shape) <= 3 or channels not in CHANNELS[codec]:
        raise InvalidInputError(f"an image of dtype {dtype} and shape {shape} does not fit codec {codec!r}: {ADVICE[codec]}")
    if 0 in shape:
        raise InvalidInputError(f"an image of shape {shape} has no pixels: use codec 'raw'")


def _stored(array: NDArray[Any], codec: str) -> NDArray[Any]:
    """Return the array contiguous, in the byte order that is stored (raw) or that the core takes (native); the same where it is so."""
    return np.ascontiguousarray(array, array.dtype.newbyteorder("<" if codec == "raw" else "="))


def _encode_batch(images: NDArray[Any], codec: str, options: dict[str, int]) -> FieldRecords:
    shape = images.shape[1:]
    _check_image(images.dtype, shape, codec)
    # ascontiguousarray makes a number an array of one; the batch axis is there, so shapes stay.
    pixels = _stored(images, codec).reshape(-1).view(np.uint8)
    count = len(images)
    one = np.zeros(count, np.int32)
    described = [Format(codec, shape, images.dtype.name)]
    if codec == "raw":
        length = pixels.size // (count or 1)
        return FieldRecords(Slices(pixels, np.arange(count, dtype=np.int64) * length, np.full(count, length, np.int64)), described, one)
    if not count:
        return FieldRecords(Slices(b"", np.zeros(0, np.int64), np.zeros(0, np.int64)), described, one)
    shapes = np.array([_core_shape(shape)], np.int32)
    data, lengths, failures = core().encode(pixels, shapes, images.dtype.itemsize, NUMBERS[codec], **options)
    _refuse(failures)
    return FieldRecords(Slices.end_to_end(data, lengths), described, one)


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
    described = [Format(codec, image.shape, image.dtype.name) for image in images]
    format_of = np.array([numbers.setdefault(each, len(numbers)) for each in described], np.int32)
    pixels = [_stored(image, codec).reshape(-1).view(np.uint8) for image in images]
    if codec == "raw":
        lengths = np.array([each.size for each in pixels], np.int64)
        joined = np.concatenate(pixels) if pixels else np.zeros(0, np.uint8)
        return FieldRecords(Slices.end_to_end(joined, lengths), list(numbers), format_of)
    return FieldRecords(_encode_by_depth(images, pixels, codec, options), list(numbers), format_of)


def _encode_by_depth(images: list[NDArray[Any]], pixels: list[NDArray[np.uint8]], codec: str, options: dict[str, int]) -> Slices:
    """Encode images of 8 and of 16 bits, which the core takes in calls of their own."""
    offset, length = np.zeros(len(images), np.int64), np.zeros(len(images), np.int64)
    data = b""
    for sample_bytes in (1, 2):
        rows = [index for index, image in enumerate(images) if image.dtype.itemsize == sample_bytes]
        if not rows:
            continue
        shapes = np.array([_core_shape(images[index].shape) for index in rows], np.int32)
        encoded, lengths, failures = core().encode([pixels[index] for index in rows], shapes, sample_bytes, NUMBERS[codec], **options)
        _refuse([(rows[index], kind, detail) for index, kind, detail in failures])
        offset[rows] = len(data) + np.cumsum(lengths) - lengths
        length[rows] = lengths
        data += encoded
    return Slices(data, offset, length)
