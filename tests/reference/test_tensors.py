"""Layouts, dtypes and rounding of the last step."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from pixstore.headers import RecordFailedError
from pixstore.reference.tensors import tensor

ONE, NOTHING = np.ones(1, np.float32), np.zeros(1, np.float32)
PIXELS = np.arange(24, dtype=np.uint8).reshape(2, 4, 3) * 10


def test_channels_come_first_where_asked_for() -> None:
    assert tensor(PIXELS, "chw", "uint8", ONE, NOTHING).shape == (3, 2, 4)
    np.testing.assert_array_equal(tensor(PIXELS, "chw", "float32", ONE, NOTHING)[1], PIXELS[:, :, 1])


@pytest.mark.parametrize("layout", ["hwc", "chw"])
def test_each_channel_has_its_scale_and_offset(layout: str) -> None:
    scale, offset = np.array([0.1, 0.2, 0.3], np.float32), np.array([1, 2, 3], np.float32)
    found = tensor(PIXELS, layout, "float32", scale, offset)
    expected = PIXELS * np.array([0.1, 0.2, 0.3]) + [1, 2, 3]
    np.testing.assert_allclose(found if layout == "hwc" else np.moveaxis(found, 0, 2), expected, rtol=1e-6)
    assert found.dtype == np.float32


def test_float16_is_rounded_to_nearest_even() -> None:
    deep = np.array([[[2049], [2051], [65504]]], np.uint16)
    assert tensor(deep, "hwc", "float16", ONE, NOTHING)[0, :, 0].tolist() == [2048, 2052, 65504]


def test_bfloat16_is_rounded_to_nearest_even() -> None:
    # 8 bits of precision: 257 lies halfway between 256 and 258, 259 between 258 and 260.
    bits = tensor(np.array([[[256], [257], [259], [260]]], np.uint16), "hwc", "bfloat16", ONE, NOTHING)
    assert bits.dtype == np.uint16
    values = [struct.unpack("<f", struct.pack("<I", int(each) << 16))[0] for each in bits[0, :, 0]]
    assert values == [256, 256, 260, 260]


def test_integers_keep_their_values_or_are_refused() -> None:
    np.testing.assert_array_equal(tensor(PIXELS, "hwc", "uint16", ONE, NOTHING), PIXELS)
    with pytest.raises(RecordFailedError, match="do not fit into uint8"):
        tensor(PIXELS.astype(np.uint16), "hwc", "uint8", ONE, NOTHING)


def test_a_number_of_scales_that_does_not_fit_is_refused() -> None:
    with pytest.raises(RecordFailedError, match="2 scales and 2 offsets for 3 channels"):
        tensor(PIXELS, "hwc", "float32", np.ones(2, np.float32), np.zeros(2, np.float32))
