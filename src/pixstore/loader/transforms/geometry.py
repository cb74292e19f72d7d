"""Transforms that move pixels: the same for all fields of a sample. Sizes are (height, width) of upright images."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pixstore.loader.joint import Joint
from pixstore.loader.steps import Filter, Floats, Numbers, first
from pixstore.loader.transforms.base import FILTERS, Pair, Range, Transform, as_tuple

TRIES = 10


@dataclass(frozen=True)
class Resize(Transform):
    """Scale the image: a number is the length of the shorter side, a pair is exactly (height, width).

    The longer side is rounded down to whole pixels, as by `torchvision.transforms.Resize`; filters are Pillow's, antialiased
    (Pillow, `Image.resize`). Masks are scaled by "nearest".
    """

    size: int | Pair
    filter: Filter = "bilinear"

    SETS_SIZE: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        self.checked_pair("size", least=1)
        self.checked_choice("filter", FILTERS)

    def apply(self, joint: Joint, uniforms: Floats) -> None:
        joint.resize(self._sizes(joint.sizes), self.filter)

    def result_size(self, size: Pair | None) -> Pair | None:
        if isinstance(self.size, tuple):
            return self.size
        if size is None:
            return None
        height, width = self._sizes(np.array([size]))[0].tolist()
        return height, width

    def _sizes(self, sizes: Numbers) -> Numbers:
        if isinstance(self.size, tuple):
            return np.array([self.size])
        # A side never falls to 0: the shorter one becomes `size`.
        found: Numbers = self.size * sizes // sizes.min(1, keepdims=True)
        return found


@dataclass(frozen=True)
class CenterCrop(Transform):
    """Keep the middle: a number is the side of a square, a pair is (height, width). Where the image is smaller, 0 is put around it.

    As `torchvision.transforms.CenterCrop`.
    """

    size: int | Pair

    SETS_SIZE: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        self.checked_pair("size", least=1)

    def apply(self, joint: Joint, uniforms: Floats) -> None:
        wanted = _pair(self.size)
        left_over = joint.sizes - wanted
        # Of an odd number of pixels left over, half is rounded to even; of an odd number of zeros, the smaller half comes first.
        origins = np.where(left_over < 0, -(-left_over // 2), np.rint(left_over / 2).astype(np.int64))
        joint.crop(origins, wanted)

    def result_size(self, size: Pair | None) -> Pair | None:
        return _as_pair(self.size)


@dataclass(frozen=True)
class RandomCrop(Transform):
    """Keep a part at a random place: a number is the side of a square, a pair is (height, width).

    padding: zeros put around the image first; a number for all sides, a pair is (left and right, top and bottom). An image that is
    smaller than the part even so is an InvalidInputError. As `torchvision.transforms.RandomCrop`; the usual augmentation
    of CIFAR-10 (He et al., "Deep residual learning for image recognition", 2016) is RandomCrop(32, padding=4).
    """

    size: int | Pair
    padding: int | Pair = 0

    SETS_SIZE: ClassVar[bool] = True
    DRAWS: ClassVar[int] = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        self.checked_pair("size", least=1)
        self.checked_pair("padding", least=0)

    def apply(self, joint: Joint, uniforms: Floats) -> None:
        wanted = _pair(self.size)
        padding = _pair(self.padding)[:, ::-1]
        places = joint.sizes + (2 * padding - wanted + 1)
        too_small = first((places < 1).any(1))
        if too_small is not None:
            height, width = wanted[0].tolist()
            joint.refuse(too_small, f"too small for a crop of {height} x {width}; give padding=, or put Resize before it")
        joint.crop((uniforms.T * places).astype(np.int64) - padding, wanted)

    def result_size(self, size: Pair | None) -> Pair | None:
        return _as_pair(self.size)


@dataclass(frozen=True)
class RandomResizedCrop(Transform):
    """Keep a part of random area, shape and place, scaled to `size`: a number is the side of a square, a pair is (height, width).

    scale: the part's area, as a share of the image's; ratio: its width divided by its height. Ten parts are tried, the first that
    fits is taken; where none does, the largest one in the middle whose ratio is in bounds. As `torchvision.transforms.RandomResizedCrop`;
    the method is of Szegedy et al., "Going deeper with convolutions", 2015. Resampling looks at pixels of the image
    beside the part, as Pillow's `Image.resize(box=)`, where torchvision cuts first: only the outermost pixels differ.
    """

    size: int | Pair
    scale: Range = (0.08, 1.0)
    ratio: Range = (3 / 4, 4 / 3)
    filter: Filter = "bilinear"

    SETS_SIZE: ClassVar[bool] = True
    DRAWS: ClassVar[int] = 2 * TRIES + 2

    def __post_init__(self) -> None:
        super().__post_init__()
        self.checked_pair("size", least=1)
        self.checked_range("scale", least=0, most=1)
        self.checked_range("ratio", least=0)
        for name in ("scale", "ratio"):
            if getattr(self, name)[0] <= 0:
                self.refuse(name, "is above 0")
        self.checked_choice("filter", FILTERS)

    def apply(self, joint: Joint, uniforms: Floats) -> None:
        joint.resample(self._boxes(joint.sizes, uniforms), _pair(self.size), self.filter)

    def result_size(self, size: Pair | None) -> Pair | None:
        return _as_pair(self.size)

    def _boxes(self, sizes: Numbers, uniforms: Floats) -> Floats:
        """Return (top, left, height, width) of each part, in whole pixels."""
        height, width = sizes[:, 0], sizes[:, 1]
        smallest, largest = self.scale
        narrowest, widest = math.log(self.ratio[0]), math.log(self.ratio[1])
        areas = (smallest + (largest - smallest) * uniforms[:TRIES]) * (height * width)
        ratios = np.exp(narrowest + (widest - narrowest) * uniforms[TRIES : 2 * TRIES])
        heights, widths = np.rint(np.sqrt(areas / ratios)), np.rint(np.sqrt(areas * ratios))
        fits = (heights > 0) & (heights <= height) & (widths > 0) & (widths <= width)
        chosen = fits.argmax(0), np.arange(uniforms.shape[1])
        boxes = np.empty((uniforms.shape[1], 4))
        boxes[:, 2], boxes[:, 3] = heights[chosen], widths[chosen]
        boxes[:, :2] = np.floor(uniforms[2 * TRIES :].T * (sizes - boxes[:, 2:] + 1))
        fitted = fits[chosen]
        return boxes if fitted.all() else np.where(fitted[:, None], boxes, self._middle(sizes))

    def _middle(self, sizes: Numbers) -> Floats:
        """Return the largest box in the middle of each image whose ratio is in bounds."""
        height, width = sizes[:, 0], sizes[:, 1]
        lowest, highest = self.ratio
        extents = np.stack([np.minimum(height, np.rint(width / lowest)), np.minimum(width, np.rint(height * highest))], 1)
        extents = np.maximum(extents, 1)
        return np.concatenate([(sizes - extents) // 2, extents], 1)


@dataclass(frozen=True)
class _Flip(Transform):
    p: float = 0.5

    DRAWS: ClassVar[int] = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        self.checked_number("p", least=0, most=1)


@dataclass(frozen=True)
class HorizontalFlip(_Flip):
    """Mirror left-right with probability p. As `torchvision.transforms.RandomHorizontalFlip`."""

    def apply(self, joint: Joint, uniforms: Floats) -> None:
        joint.flip_left_right(uniforms[0] < self.p)


@dataclass(frozen=True)
class VerticalFlip(_Flip):
    """Mirror top-bottom with probability p. As `torchvision.transforms.RandomVerticalFlip`."""

    def apply(self, joint: Joint, uniforms: Floats) -> None:
        joint.flip_top_bottom(uniforms[0] < self.p)


@dataclass(frozen=True)
class RandomRotation(Transform):
    """Turn about the centre by a random angle, size kept, 0 where nothing was; 8-bit images only.

    degrees: counter-clockwise, drawn from the pair (from, to); a number d stands for (-d, d). filter: "nearest" or "bilinear";
    masks are turned by "nearest". As `torchvision.transforms.RandomRotation`.
    """

    degrees: float | Range
    filter: Filter = "nearest"

    DRAWS: ClassVar[int] = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        if not as_tuple(self.degrees):
            self.checked_number("degrees", least=0)
        else:
            self.checked_range("degrees", least=-math.inf)
        self.checked_choice("filter", ("nearest", "bilinear"))

    def apply(self, joint: Joint, uniforms: Floats) -> None:
        lowest, highest = self.degrees if isinstance(self.degrees, tuple) else (-self.degrees, self.degrees)
        joint.rotate(lowest + (highest - lowest) * uniforms[0], self.filter)


def _as_pair(value: int | Pair) -> Pair:
    return value if isinstance(value, tuple) else (value, value)


def _pair(value: int | Pair) -> Numbers:
    """Return (height, width) as one row for all."""
    return np.array([_as_pair(value)])
