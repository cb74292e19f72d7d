"""Transforms that change colours: of images, not of masks. 8-bit samples only."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from pixstore.loader.joint import Joint
from pixstore.loader.steps import Floats
from pixstore.loader.transforms.base import Range, Transform, as_tuple


@dataclass(frozen=True)
class ColorJitter(Transform):
    """Change brightness, contrast, saturation and hue at random, in random order; grey and RGB images.

    A number b draws a factor from (max(0, 1 - b), 1 + b), a pair (from, to) from just there; hue is added, in turns of the colour circle:
    a number h up to 0.5 draws from (-h, h). 0 leaves as it is. As `torchvision.transforms.ColorJitter`; the method is of Howard,
    "Some improvements on deep convolutional neural network based image classification", 2013.
    """

    brightness: float | Range = 0
    contrast: float | Range = 0
    saturation: float | Range = 0
    hue: float | Range = 0

    TOUCHES: ClassVar[Literal["all", "images", "masks"]] = "images"
    DRAWS: ClassVar[int] = 8

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("brightness", "contrast", "saturation", "hue"):
            least, most = (-0.5, 0.5) if name == "hue" else (0, math.inf)
            if as_tuple(getattr(self, name)):
                self.checked_range(name, least=least, most=most)
            else:
                self.checked_number(name, least=0, most=most)

    def apply(self, joint: Joint, uniforms: Floats) -> None:
        factors = [_around(each, 1, least=0) for each in (self.brightness, self.contrast, self.saturation)]
        ranges = np.array([*factors, _around(self.hue, 0, least=-0.5)])
        lowest, highest = ranges[:, :1], ranges[:, 1:]
        joint.jitter((lowest + (highest - lowest) * uniforms[:4]).T, uniforms[4:].argsort(0).T)


@dataclass(frozen=True)
class ToGray(Transform):
    """Make the image grey: 1 channel (H·W·1), or 3 equal ones. The weights are those of ITU-R BT.601, rounded as Pillow does.

    Alpha is left out. As `torchvision.transforms.Grayscale`.
    """

    channels: int = 1

    TOUCHES: ClassVar[Literal["all", "images", "masks"]] = "images"

    def __post_init__(self) -> None:
        super().__post_init__()
        self.checked_choice("channels", (1, 3))

    def apply(self, joint: Joint, uniforms: Floats) -> None:
        joint.gray(self.channels)


@dataclass(frozen=True)
class Threshold(Transform):
    """Make samples above `value` 1 and all others 0 (uint8); by default of masks. value is in units of the stored samples, 0 to 255.

    As OpenCV's `threshold` of kind THRESH_BINARY with the largest value 1.
    """

    value: float

    TOUCHES: ClassVar[Literal["all", "images", "masks"]] = "masks"

    def __post_init__(self) -> None:
        super().__post_init__()
        self.checked_number("value", least=0, most=255)

    def apply(self, joint: Joint, uniforms: Floats) -> None:
        joint.threshold(float(self.value))


def _around(value: float | Range, neutral: float, *, least: float) -> Range:
    """Return the range that a number stands for: as far below the neutral value as above it, but not below the least."""
    return value if isinstance(value, tuple) else (max(least, neutral - value), neutral + value)
