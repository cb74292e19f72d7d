"""The encodings of MDS."""

from __future__ import annotations

import numpy as np
import pytest

import foreign_tables as foreign
from pixstore.errors import CorruptStoreError
from pixstore.schema import Format
from pixstore.sources.mosaic.values import array_of, fixed_size, image_format, is_image_encoding, read_head


def test_sizes_of_values() -> None:
    sizes = {"int": 8, "uint8": 1, "float16": 2, "str": None, "png": None, "ndarray": None, "ndarray:uint8": None, "ndarray:uint16:4,5": 40}
    assert {encoding: fixed_size(encoding) for encoding in sizes} == sizes


@pytest.mark.parametrize("encoding", ["ndarray:object", "ndarray:uint8:0", "ndarray:uint8:a", "ndarray:uint8:-1,2", "ndarray:uint8:1,,2"])
def test_arrays_that_no_writer_makes_are_refused(encoding: str) -> None:
    with pytest.raises(CorruptStoreError, match="none that MDS has"):
        array_of(encoding)


def test_images_by_shape() -> None:
    assert image_format("uint8", (4, 5)) == Format("raw", (4, 5), "uint8")
    assert image_format("uint16", (4, 5, 3)) == Format("raw", (4, 5, 3), "uint16")
    assert image_format("uint8", (3, 4, 5)) == Format("raw-planar", (4, 5, 3), "uint8")
    assert image_format("uint8", (9, 8, 7)) is None and image_format("uint8", (5,)) is None
    assert is_image_encoding("ndarray:uint8:4,5") and not is_image_encoding("ndarray:float32:128") and not is_image_encoding("bytes")


def test_heads_say_where_pixels_begin() -> None:
    image = foreign.pixels(0)
    for encoding, value in (
        ("pil", foreign.mds_pil(image)),
        ("ndarray", foreign.mds_array(image)),
        ("ndarray:uint8:9,7,3", image.tobytes()),
    ):
        begin, form = read_head(encoding, np.frombuffer(value, np.uint8))
        assert value[begin:] == image.tobytes() and form == Format("raw", (9, 7, 3), "uint8")


def test_sizes_of_two_bytes_are_read() -> None:
    value = bytes([2 << 2 | 1]) + np.array([300, 2], "<u2").tobytes() + bytes(600)
    assert read_head("ndarray:uint8", np.frombuffer(value, np.uint8)) == (5, Format("raw", (300, 2), "uint8"))


def test_heads_that_lie_are_refused() -> None:
    image = foreign.pixels(0)
    for encoding, value in (
        ("pil", b"\1"),
        ("pil", foreign.mds_pil(image) + b"x"),
        ("ndarray", b""),
        ("ndarray", b"\x09"),
        ("ndarray:uint8:2,2", b"abc"),
    ):
        with pytest.raises(ValueError):
            read_head(encoding, np.frombuffer(value, np.uint8))
