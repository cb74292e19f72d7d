"""The encodings of MDS columns: which are images and of what format, which become columns, and how.

jpeg and png are encoded images; pil is width, height, the length of the mode (uint32 each), the mode, and raw pixels; ndarray is an array:
dtype and shape stand in the encoding (`ndarray:uint8:32,32,3`) or before each array: one byte of dtype, one byte of dimensions × 4 + the
bytes of a size as a power of two, the sizes. Nothing is unpickled: columns of `pkl` are left out.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pixstore.errors import CorruptStoreError
from pixstore.schema import Format

IMAGES: Final = ("jpeg", "png")
CODES: Final = {
    8: "uint8", 9: "int8", 16: "uint16", 17: "int16", 18: "float16", 32: "uint32", 33: "int32", 34: "float32", 64: "uint64", 65: "int64",
    66: "float64",
}  # fmt: skip
NUMBERS: Final = {name: np.dtype(name) for name in CODES.values()}
TEXTS: Final = ("str", "json")
NUMBERS_AS_TEXT: Final = {"str_int": int, "str_float": float}
MODES: Final = {
    "L": (1, "uint8"),
    "LA": (2, "uint8"),
    "RGB": (3, "uint8"),
    "RGBA": (4, "uint8"),
    "CMYK": (4, "uint8"),
    "I;16": (1, "uint16"),
}
CHANNELS: Final = (1, 2, 3, 4)
MOST_SIZE = 1 << 31
UNKNOWN = Format(None, None, None)


def number_type(encoding: str) -> np.dtype[np.generic] | None:
    """Return the dtype of a column of numbers, None for any other; `int` is an int64."""
    return np.dtype(np.int64) if encoding == "int" else NUMBERS.get(encoding)


def fixed_size(encoding: str) -> int | None:
    """Return the bytes of every value of this encoding, None where each value has its own size beside it."""
    kind = number_type(encoding)
    if kind is not None:
        return kind.itemsize
    described = array_of(encoding)
    if described is None or described[0] is None or described[1] is None:
        return None
    return math.prod(described[1]) * np.dtype(described[0]).itemsize


def array_of(encoding: str) -> tuple[str | None, tuple[int, ...] | None] | None:
    """Return dtype and shape that an `ndarray` encoding states, each None where it stands in the values; None for any other encoding.

    Raises CorruptStoreError for one that no writer makes.
    """
    name, _, rest = encoding.partition(":")
    if name != "ndarray":
        return None
    dtype, _, sizes = rest.partition(":")
    try:
        shape = tuple(int(each) for each in sizes.split(",")) if sizes else None
    except ValueError:
        shape = (0,)
    if (dtype and dtype not in NUMBERS) or (
        shape is not None and not (1 <= len(shape) < 64 and all(0 < each < MOST_SIZE for each in shape))
    ):
        raise CorruptStoreError(f"encoding {encoding!r} is none that MDS has; get the index again")
    return dtype or None, shape


def is_image_encoding(encoding: str) -> bool:
    """Return whether values of this encoding are, or may be, images."""
    if encoding in (*IMAGES, "pil"):
        return True
    described = array_of(encoding)
    return described is not None and (described[1] is None or image_format(described[0] or "uint8", described[1]) is not None)


def image_format(dtype: str, shape: tuple[int, ...]) -> Format | None:
    """Return the format of an array that is an image: H·W, H·W·C, or C·H·W where the first size alone can be channels."""
    if len(shape) == 2 or (len(shape) == 3 and shape[2] in CHANNELS):
        return Format("raw", shape, dtype)
    if len(shape) == 3 and shape[0] in CHANNELS:
        return Format("raw-planar", (shape[1], shape[2], shape[0]), dtype)
    return None


def read_head(encoding: str, value: NDArray[np.uint8]) -> tuple[int, Format]:
    """Return where the pixels begin in a value of `pil` or `ndarray`, and their format. Raises ValueError for a head that lies."""
    begin, found = _pil_head(value) if encoding == "pil" else _array_head(encoding, value)
    if found.decoded_bytes != len(value) - begin:
        raise ValueError(f"{len(value) - begin} bytes of pixels, {found.shape} of {found.dtype} needs {found.decoded_bytes}")
    return begin, found


def _pil_head(value: NDArray[np.uint8]) -> tuple[int, Format]:
    if len(value) < 12:
        raise ValueError(f"{len(value)} bytes, the head alone takes 12")
    width, height, length = value[:12].view("<u4").tolist()
    mode = value[12 : 12 + min(length, 16)].tobytes().decode("ascii", "backslashreplace")
    if mode not in MODES or not 0 < width * height < MOST_SIZE:
        raise ValueError(f"an image of mode {mode!r} and {height} × {width} pixels; modes that are read are {', '.join(MODES)}")
    channels, dtype = MODES[mode]
    return 12 + length, Format("raw", (height, width) if channels == 1 else (height, width, channels), dtype)


def _array_head(encoding: str, value: NDArray[np.uint8]) -> tuple[int, Format]:
    dtype, shape = array_of(encoding) or (None, None)
    begin = 0
    if dtype is None:
        dtype = CODES.get(int(value[0]) if len(value) else -1)
        begin = 1
    if shape is None and len(value) > begin:
        dimensions, size = int(value[begin]) >> 2, 1 << (int(value[begin]) & 3)
        sizes = value[begin + 1 : begin + 1 + dimensions * size]
        begin += 1 + dimensions * size
        shape = tuple(sizes.view(f"<u{size}").tolist()) if len(sizes) == dimensions * size else None
    if dtype is None or shape is None or not all(0 < each < MOST_SIZE for each in shape):
        raise ValueError(f"an array of dtype {dtype} and shape {shape}")
    found = image_format(dtype, shape)
    if found is None:
        raise ValueError(f"an array of shape {shape}, which is no image")
    return begin, found
