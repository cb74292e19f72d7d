"""Colours as Pillow has them, alpha over white to the nearest value, and grey."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from PIL import Image

from pixstore.headers import RecordFailedError
from pixstore.reference.colours import color, from_cmyk, gray, threshold

EVERY_ALPHA = np.stack(np.meshgrid(np.arange(256), np.arange(256), indexing="ij"), axis=2).astype(np.uint8)


def noise(channels: int) -> np.ndarray:
    return np.random.default_rng(channels).integers(0, 256, (40, 50, channels)).astype(np.uint8)


def test_alpha_over_white_is_rounded_to_nearest_for_every_pair() -> None:
    found = color(EVERY_ALPHA, "gray")[:, :, 0]
    value, alpha = EVERY_ALPHA[:, :, 0].astype(float), EVERY_ALPHA[:, :, 1].astype(float)
    np.testing.assert_array_equal(found, np.rint((value * alpha + 255 * (255 - alpha)) / 255))
    assert (found[:, 255] == np.arange(256)).all() and (found[:, 0] == 255).all()


def test_alpha_over_white_keeps_16_bits() -> None:
    values = [(0, 0), (1, 65535), (40_000, 30_001), (65535, 1), (12_345, 54_321)]
    found = color(np.array([values], np.uint16), "gray")[0, :, 0].tolist()
    assert found == [round(Fraction(value * alpha + 65535 * (65535 - alpha), 65535)) for value, alpha in values]


def test_grey_is_pillows_and_keeps_16_bits() -> None:
    pixels = noise(3)
    np.testing.assert_array_equal(color(pixels, "gray")[:, :, 0], np.asarray(Image.fromarray(pixels).convert("L")))
    deep = color(pixels.astype(np.uint16) * 257, "gray")
    assert deep.dtype == np.uint16 and abs(deep / 257 - color(pixels, "gray")).max() <= 0.51


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_rgb_and_rgba_of_every_number_of_channels(channels: int) -> None:
    pixels = noise(channels)
    mode = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}[channels]
    image = Image.fromarray(pixels[:, :, 0] if channels == 1 else pixels)
    assert image.mode == mode
    np.testing.assert_array_equal(color(pixels, "rgba"), np.asarray(image.convert("RGBA")))
    white = Image.new("RGBA", image.size, "white")
    expected = np.asarray(Image.alpha_composite(white, image.convert("RGBA")).convert("RGB")).astype(int)
    assert abs(color(pixels, "rgb") - expected).max() <= (1 if channels in (2, 4) else 0)


def test_cmyk_becomes_rgb_as_in_pillow() -> None:
    pixels = noise(4)
    np.testing.assert_array_equal(from_cmyk(pixels), np.asarray(Image.fromarray(pixels, "CMYK").convert("RGB")))
    assert from_cmyk(np.array([[[0, 0, 0, 0], [0, 0, 0, 255]]], np.uint8)).tolist() == [[[255] * 3, [0] * 3]]


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_gray_leaves_alpha_out(channels: int) -> None:
    pixels = noise(channels)
    opaque = pixels[:, :, : 1 if channels < 3 else 3]
    np.testing.assert_array_equal(gray(pixels, 1), color(opaque, "gray"))
    np.testing.assert_array_equal(gray(pixels, 3), np.repeat(color(opaque, "gray"), 3, axis=2))


def test_threshold_is_above_not_at() -> None:
    assert threshold(np.array([[[0], [127], [128], [255]]], np.uint8), 127.5)[0, :, 0].tolist() == [0, 0, 1, 1]
    assert threshold(np.array([[[0], [127], [128]]], np.uint8), 127)[0, :, 0].tolist() == [0, 0, 1]


def test_gray_and_threshold_refuse_16_bits() -> None:
    for step in (lambda: gray(np.zeros((1, 1, 1), np.uint16), 1), lambda: threshold(np.zeros((1, 1, 1), np.uint16), 1)):
        with pytest.raises(RecordFailedError, match="8 bits"):
            step()
