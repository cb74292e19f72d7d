"""What the header of a .npy array says, read as text: type of numbers, shape and where they begin; nothing is loaded or evaluated.

Format: numpy.lib.format, versions 1.0 to 3.0: a magic, the length of a dict in Python's notation with descr, fortran_order and shape.
"""

from __future__ import annotations

import math
import re
import struct
from dataclasses import dataclass

import numpy as np

from pixstore.errors import CorruptStoreError, IncompatibleStoreError, LimitExceededError, UnsafeInputError, UnsupportedImageError

MAGIC = b"\x93NUMPY"
HEAD_BYTES = 1 << 16
MOST_DIMENSIONS = 32
MOST_BYTES = 1 << 50
DESCR = re.compile(r"""['"]descr['"]\s*:\s*['"](?P<descr>[<>|=]?[a-zA-Z][0-9]{0,9}(\[[^\]]*\])?)['"]""")
ORDER = re.compile(r"""['"]fortran_order['"]\s*:\s*(?P<order>True|False)""")
SHAPE = re.compile(r"""['"]shape['"]\s*:\s*\((?P<shape>[0-9L,\s]*)\)""")


@dataclass(frozen=True)
class ArrayHeader:
    """The dtype as NumPy writes it, the shape of a C-ordered array, and the bytes before its first number."""

    dtype: str
    shape: tuple[int, ...]
    start: int

    @property
    def size(self) -> int:
        """Bytes of the numbers."""
        return math.prod(self.shape) * np.dtype(self.dtype).itemsize


def parsed(head: bytes, origin: str) -> ArrayHeader:
    """Return what the first bytes of an array file say; HEAD_BYTES of them are enough.

    Raises UnsafeInputError for arrays of Python objects, UnsupportedImageError for Fortran order and records, CorruptStoreError for damage.
    """
    if not head.startswith(MAGIC) or len(head) < 12:
        raise CorruptStoreError(f"{origin}: does not begin as a NumPy array does; get it again")
    version = head[6]
    if version not in (1, 2, 3):
        raise IncompatibleStoreError(f"{origin}: a NumPy array file of version {version}, known are 1 to 3; save it with another NumPy")
    begin = 10 if version == 1 else 12
    length = struct.unpack_from("<H" if version == 1 else "<I", head, 8)[0]
    if begin + length > HEAD_BYTES:
        raise LimitExceededError(f"{origin}: a header of {length} bytes, the limit is {HEAD_BYTES}; no image array needs it")
    if begin + length > len(head):
        raise CorruptStoreError(f"{origin}: ends within its header; get it again")
    text = head[begin : begin + length].decode("utf-8" if version == 3 else "latin-1", "replace")
    return ArrayHeader(_dtype(text, origin), _shape(text, origin), begin + length)


def _dtype(text: str, origin: str) -> str:
    found = DESCR.search(text)
    if found is None:
        raise UnsupportedImageError(f"{origin}: an array of records, not of plain numbers: {text.strip()[:100]!r}; save the images alone")
    descr = found["descr"].replace("=", "<")
    if "O" in descr:
        raise UnsafeInputError(f"{origin}: an array of Python objects ({descr!r}), which only running code can read; nothing was run")
    try:
        dtype = np.dtype(descr)
    except (TypeError, ValueError) as error:
        raise CorruptStoreError(f"{origin}: numbers of type {descr!r}, which does not exist; get it again") from error
    if dtype.kind not in "buifcUS" or dtype.itemsize == 0:
        raise UnsupportedImageError(f"{origin}: values of type {descr!r} are no numbers; save pixels as uint8 or uint16")
    return dtype.str


def _shape(text: str, origin: str) -> tuple[int, ...]:
    order, shape = ORDER.search(text), SHAPE.search(text)
    if order is None or shape is None:
        raise CorruptStoreError(f"{origin}: a header without order or shape: {text.strip()[:100]!r}; get it again")
    # Python 2 wrote long integers with an L.
    sides = [each.strip().rstrip("L") for each in shape["shape"].split(",") if each.strip()]
    if not all(each.isdecimal() and len(each) < 19 for each in sides):
        raise CorruptStoreError(f"{origin}: a shape that is none: {shape['shape'][:100]!r}; get it again")
    numbers = tuple(map(int, sides))
    if len(numbers) > MOST_DIMENSIONS or math.prod(numbers) > MOST_BYTES:
        raise LimitExceededError(f"{origin}: an array of shape {numbers[:8]}, larger than any; get it again")
    if order["order"] == "True" and len(numbers) > 1:
        raise UnsupportedImageError(f"{origin}: its numbers lie in Fortran order, column by column; save it with numpy.ascontiguousarray")
    return numbers
