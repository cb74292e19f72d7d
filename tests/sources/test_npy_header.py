"""Headers of NumPy arrays: what NumPy itself writes is read, everything else is one of our errors, nothing is evaluated."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixstore.errors import (
    CorruptStoreError,
    IncompatibleStoreError,
    LimitExceededError,
    PixstoreError,
    UnsafeInputError,
    UnsupportedImageError,
)
from pixstore.sources.npy_header import parsed


def saved(array: Any, version: tuple[int, int] | None = None) -> bytes:
    made = io.BytesIO()
    np.lib.format.write_array(made, array, version=version)
    return made.getvalue()


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
@pytest.mark.parametrize("kind", ["u1", "<u2", ">u2", "i8", "f4", ">f8", "?", "<U7", "S3"])
@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (4, 5, 6, 3), (0, 4)])
def test_what_numpy_writes_is_read(version: tuple[int, int], kind: str, shape: tuple[int, ...]) -> None:
    array = np.zeros(shape, kind)
    whole = saved(array, version)
    header = parsed(whole, "there")
    assert (np.dtype(header.dtype), header.shape, header.start + header.size) == (array.dtype, shape, len(whole))


def head(text: str, version: int = 1) -> bytes:
    data = text.encode()
    return b"\x93NUMPY" + bytes([version, 0]) + len(data).to_bytes(2 if version == 1 else 4, "little") + data


GOOD = "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 3), }\n"


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (saved(np.asfortranarray(np.zeros((4, 5)))), UnsupportedImageError),
        (saved(np.zeros(3, [("a", "u1")])), UnsupportedImageError),
        (saved(np.zeros(3, "M8[s]")), UnsupportedImageError),
        (head(GOOD.replace("|u1", "|O")), UnsafeInputError),
        (head(GOOD.replace("|u1", "O8")), UnsafeInputError),
        (head(GOOD.replace("|u1", "u9")), CorruptStoreError),
        (head(GOOD.replace("(2, 3)", "(2 3)")), CorruptStoreError),
        (head(GOOD.replace("(2, 3)", "(" + "9" * 5000 + ",)")), CorruptStoreError),
        (head(GOOD.replace("(2, 3)", "(" + "999999999999, " * 3 + ")")), LimitExceededError),
        (head(GOOD.replace("(2, 3)", "(" + "1, " * 40 + ")")), LimitExceededError),
        (head(GOOD.replace("(2, 3)", "(-2, 3)")), CorruptStoreError),
        (head("{}"), UnsupportedImageError),
        (head(GOOD, version=9), IncompatibleStoreError),
        (head(GOOD)[:40], CorruptStoreError),
        (b"\x93NUMPY", CorruptStoreError),
        (b"\x93NUMPY\x02\0\xff\xff\xff\xff" + bytes(100), LimitExceededError),
    ],
)
def test_what_is_no_plain_array_is_named(content: bytes, error: type[PixstoreError]) -> None:
    with pytest.raises(error, match="there"):
        parsed(content, "there")


def test_python_2_wrote_long_integers() -> None:
    assert parsed(head(GOOD.replace("(2, 3)", "(2L, 3L)")), "there").shape == (2, 3)


@given(st.binary(max_size=80), st.integers(0, 60))
def test_any_bytes_are_a_header_or_one_of_our_errors(noise: bytes, place: int) -> None:
    content = bytearray(head(GOOD))
    content[place : place + len(noise)] = noise
    try:
        parsed(bytes(content), "there")
    except PixstoreError as error:
        assert "there" in str(error)
