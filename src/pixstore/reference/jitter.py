"""The step that varies brightness, contrast, saturation and hue, as torchvision does on uint8 images.

The formulas are those of torchvision.transforms.v2.functional (adjust_brightness, adjust_contrast, adjust_saturation, adjust_hue):
values are computed as float32 and cut off, not rounded; grey is 0.2989 R + 0.587 G + 0.114 B, cut off; hue turns in HSV, whose value is
the largest channel (A. R. Smith, "Color gamut transform pairs", SIGGRAPH 1978).
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from pixstore.headers import RecordFailedError
from pixstore.reference.buffers import Samples, needs_bytes

Floats: TypeAlias = NDArray[np.float32]

GREY = np.array([0.2989, 0.587, 0.114], np.float32)
BELOW_256 = np.float32(255.999)
"""Fractions become samples by this factor, so that 1 is 255 and each sample has an equal share of fractions."""


def jitter(pixels: Samples, factors: Floats, order: NDArray[np.uint8]) -> Samples:
    """Return the image with brightness, contrast, saturation and hue varied, in the order given; a neutral factor changes nothing."""
    needs_bytes(pixels, "jitter")
    if pixels.shape[2] not in (1, 3):
        raise RecordFailedError("unsupported", f"jitter takes images of 1 or 3 channels, not {pixels.shape[2]}")
    for which in order.tolist():
        factor = np.float32(factors[which])
        if pixels.size and factor != (0 if which == 3 else 1):
            pixels = (_brightness, _contrast, _saturation, _hue)[which](pixels, factor)
    return pixels


def _brightness(pixels: Samples, factor: np.float32) -> Samples:
    return _blend(pixels, np.float32(0), factor)


def _contrast(pixels: Samples, factor: np.float32) -> Samples:
    mean = _grey(pixels).mean(dtype=np.float64)
    return _blend(pixels, np.float32(mean), factor)


def _saturation(pixels: Samples, factor: np.float32) -> Samples:
    return pixels if pixels.shape[2] == 1 else _blend(pixels, _grey(pixels), factor)


def _grey(pixels: Samples) -> Floats:
    """Return whole numbers, in one channel."""
    if pixels.shape[2] == 1:
        return pixels.astype(np.float32)
    red, green, blue = np.moveaxis(pixels.astype(np.float32), 2, 0)
    weighted: Floats = red * GREY[0] + green * GREY[1] + blue * GREY[2]
    return np.floor(weighted)[:, :, None]


def _blend(pixels: Samples, other: Floats | np.float32, factor: np.float32) -> Samples:
    """Return factor · pixels + (1 - factor) · other, within 0 … 255."""
    rest = np.float32(1.0 - float(factor))
    return (pixels.astype(np.float32) * factor + other * rest).clip(0, 255).astype(np.uint8)


def _hue(pixels: Samples, turns: np.float32) -> Samples:
    if pixels.shape[2] == 1:
        return pixels
    hue, saturation, value = _hsv(pixels.astype(np.float32) / np.float32(255))
    turned = np.remainder(hue + turns, np.float32(1))
    return (_rgb(turned, saturation, value) * BELOW_256).astype(np.uint8)


def _hsv(rgb: Floats) -> tuple[Floats, Floats, Floats]:
    """Return hue in turns, saturation and value of H·W·3 fractions."""
    red, green = rgb[:, :, 0], rgb[:, :, 1]
    largest, smallest = rgb.max(2), rgb.min(2)
    spread = largest - smallest
    is_grey = spread == 0
    saturation = spread / np.where(is_grey, np.float32(1), largest)
    to_red, to_green, to_blue = np.moveaxis((largest[:, :, None] - rgb) / np.where(is_grey, np.float32(1), spread)[:, :, None], 2, 0)
    sixths = np.where(largest == red, to_blue - to_green, np.where(largest == green, 2 + to_red - to_blue, 4 + to_green - to_red))
    hue: Floats = np.fmod(sixths.astype(np.float32) * np.float32(1 / 6) + np.float32(1), np.float32(1))
    return hue, saturation, largest


def _rgb(hue: Floats, saturation: Floats, value: Floats) -> Floats:
    """Return the H·W·3 fractions of hue, saturation and value."""
    sector = np.floor(hue * np.float32(6))
    fraction = hue * np.float32(6) - sector
    none = (value * (1 - saturation)).clip(0, 1)
    falling = (value * (1 - saturation * fraction)).clip(0, 1)
    rising = (value * (1 - saturation * (1 - fraction))).clip(0, 1)
    choices = (sector % 6).astype(np.int64)
    red = np.choose(choices, [value, falling, none, none, rising, value])
    green = np.choose(choices, [rising, value, value, falling, none, none])
    blue = np.choose(choices, [none, none, rising, value, value, falling])
    return np.stack([red, green, blue], axis=2)
