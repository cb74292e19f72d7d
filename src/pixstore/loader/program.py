"""What transforms become for one field: steps of the core's `load`, and the shape and dtype of what comes out.

Callers speak of upright images; boxes are written down as they lie in the stored ones, and mirrors and turns are held back until
the end: the core crops and resizes first, which lets it decode only a part of a JPEG, and turns only what is left. Steps that
change nothing are left out, a crop of a crop is one crop, and a crop of a resized image is one resize of a smaller box.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from pixstore.errors import InvalidInputError
from pixstore.loader.bfloat16 import bfloat16
from pixstore.loader.orientation import MIRRORED_LEFT_RIGHT, MIRRORED_TOP_BOTTOM, UPRIGHT, Codes, stored_boxes, swapped
from pixstore.loader.steps import (
    Color,
    FieldResult,
    Filter,
    FloatName,
    Floats,
    Numbers,
    Shape,
    Truths,
    boxes_within,
    core_step,
    first,
    one_row,
)
from pixstore.loader.stored import CHANNELS, HAS_AXIS, IS_CMYK, IS_COLOUR, IS_IMAGE, WHITE, Stored

COLOR_CHANNELS: dict[Color, int] = {"gray": 1, "rgb": 3, "rgba": 4}
TRUE_WHITE, SIXTEEN_BIT_WHITE = 1, 65535


class FieldProgram:
    """Steps in the making. `sizes` are the (height, width) of the upright images so far: one row for each, or one for all.

    Boxes, origins, sizes, degrees and masks that are handed in have n rows, or one for all. `key_of(row)` is for errors.
    """

    def __init__(self, name: str, stored: Stored, key_of: Callable[[int], str], *, is_mask: bool = False) -> None:
        self.name = name
        self.is_mask = is_mask
        self.key_of = key_of
        self._stored = stored
        self._codes: Codes | None = stored.orientation
        self.sizes = stored.sizes if self._codes is None else swapped(stored.sizes, self._codes)
        self._channels = stored.column(CHANNELS)
        self._white = stored.column(WHITE)
        self._has_axis = bool(stored.column(HAS_AXIS).any())
        self._no_image = first(stored.column(IS_IMAGE) == 0)
        self._steps: list[list[Any]] = []
        self._mean: Floats = np.zeros(1)
        self._std: Floats = np.ones(1)
        self._is_normalized = False
        self._float: FloatName | None = None
        self._channels_first = False

    # ---- colour at the start ----

    def convert(self, color: Color) -> None:
        """Have every image in this colour. "keep" wants one number of channels in the batch."""
        is_colour = self._stored.column(IS_COLOUR)
        if len(is_colour) and not is_colour.any():
            return
        if color == "keep":
            self._require_one(self._channels, "channels", "ask for color='rgb' or 'gray'")
            return
        self._require_one(is_colour, "colours and arrays of other channels", "ask for color='keep'")
        channels = COLOR_CHANNELS[color]
        if (self._channels != channels).any() or self._stored.column(IS_CMYK).any():
            self._steps.append(["color", color])
        self._channels = np.array([channels])
        self._has_axis = True

    # ---- geometry ----

    def crop(self, origins: Numbers, sizes: Numbers) -> None:
        """Keep the rows and columns from (top, left) on; what lies outside the image is 0."""
        if bool((origins == 0).all()) and bool((sizes == self.sizes).all()):
            self.sizes = sizes
            return
        places, extents = origins, sizes
        if self._codes is not None:
            places, extents = stored_boxes(origins, sizes, self.sizes, self._codes)
        if not self._merged(places, extents):
            self._steps.append(["crop", places, extents])
        self.sizes = sizes

    def resample(self, boxes: Floats, sizes: Numbers, filter: Filter) -> None:
        """Scale the box (top, left, height, width), which lies in the image, to (height, width)."""
        origins, extents = boxes[:, :2], boxes[:, 2:]
        if bool((sizes == self.sizes).all()) and bool((extents == sizes).all()) and bool((origins == 0).all()):
            self.sizes = sizes
            return
        limits, results = self.sizes, sizes
        if self._codes is not None:
            origins, extents = stored_boxes(origins, extents, self.sizes, self._codes)
            limits, results = swapped(self.sizes, self._codes), swapped(sizes, self._codes)
        self._steps.append(["resample", boxes_within(origins, extents, limits), results, filter])
        self.sizes = sizes

    def flip_left_right(self, which: Truths) -> None:
        """Mirror these rows' images left-right."""
        self._flip(which, MIRRORED_LEFT_RIGHT)

    def flip_top_bottom(self, which: Truths) -> None:
        """Mirror these rows' images top-bottom."""
        self._flip(which, MIRRORED_TOP_BOTTOM)

    def rotate(self, degrees: Floats, filter: Filter) -> None:
        """Turn the images counter-clockwise about their centres; sizes stay, corners become 0."""
        self._require_eight_bits("RandomRotation")
        self._settle()
        self._steps.append(["rotate", degrees, filter])

    # ---- colour ----

    def jitter(self, factors: Floats, order: Numbers) -> None:
        """Change brightness, contrast, saturation and hue by these factors, in this order."""
        self._require_eight_bits("ColorJitter")
        self._refuse((self._channels != 1) & (self._channels != 3), "ColorJitter changes grey and RGB images", "ask for color='rgb'")
        self._steps.append(["jitter", factors, order])

    def gray(self, channels: int) -> None:
        """Make the images grey: 1 channel, or 3 equal ones."""
        self._require_eight_bits("ToGray")
        self._refuse(self._channels > 4, "ToGray knows 1 to 4 channels", "leave this field out with fields=")
        if channels != 1 or (self._channels != 1).any():
            self._steps.append(["gray", channels])
        self._channels = np.array([channels])
        self._has_axis = True

    def threshold(self, value: float) -> None:
        """Make samples above the value 1 and all others 0."""
        self._require_eight_bits("Threshold")
        self._steps.append(["threshold", value])
        self._white = np.array([TRUE_WHITE])

    # ---- tensor ----

    def normalize(self, mean: Floats, std: Floats) -> None:
        """Subtract the mean and divide by the deviation, in units of 0 to 1."""
        for values, what in ((mean, "mean"), (std, "std")):
            wrong = self._channels != len(values)
            if len(values) > 1:
                self._refuse(wrong, f"Normalize has {what} for {len(values)} channels", "give one number, or one for each channel")
        self._mean, self._std, self._is_normalized = mean, std, True

    def to_float(self, dtype: FloatName) -> None:
        """Have samples from 0 to 1 of this dtype."""
        self._float = dtype

    def channels_first(self) -> None:
        """Have C·H·W."""
        self._channels_first = self._has_axis = True

    def finish(self) -> FieldResult:
        """Return the steps and what comes out of them."""
        self._settle()
        if self._float or self._is_normalized or self._channels_first:
            dtypes: tuple[np.dtype[Any], ...] = (self._append_tensor(),)
        else:
            dtypes = self._dtypes()
        return FieldResult(tuple(core_step(*each) for each in self._steps), self._shapes(), dtypes)

    def require_images(self, transform: str) -> None:
        """Raise InvalidInputError where a row holds an array that no transform takes."""
        if self._no_image is None:
            return
        known = self._stored.format_of(self._no_image)
        raise InvalidInputError(
            f"{transform} cannot take field {self.name!r}: {self.key_of(self._no_image)!r} is {known.dtype} of shape {known.shape}, "
            "not an image of 8 or 16 bits; name the fields it shall touch with fields="
        )

    # ---- inside ----

    def _flip(self, which: Truths, mirrored: Codes) -> None:
        if self._codes is None:
            self._codes = np.where(which, mirrored[UPRIGHT], np.uint8(UPRIGHT))
        else:
            self._codes = np.where(which, mirrored[self._codes], self._codes)

    def _settle(self) -> None:
        """Write down the mirrors and turns that were held back."""
        if self._codes is not None and bool((self._codes != UPRIGHT).any()):
            self._steps.append(["orient", self._codes])
        self._codes = None

    def _merged(self, places: Numbers, extents: Numbers) -> bool:
        """Let the step before make the crop too; return whether it could."""
        if not self._steps or self._steps[-1][0] not in ("crop", "resample"):
            return False
        last = self._steps[-1]
        if bool((places < 0).any()) or bool((places + extents > last[2]).any()):
            return False
        if last[0] == "crop":
            last[1] = last[1] + places
        else:
            scales = last[1][:, 2:] / last[2]
            starts, stops = last[1][:, :2], last[1][:, :2] + last[1][:, 2:]
            last[1] = boxes_within(starts + places * scales, extents * scales, stops)
        last[2] = extents
        return True

    def _append_tensor(self) -> np.dtype[Any]:
        """Write down the last step; return the dtype it makes."""
        self._require_one(self._white, "depths (8 and 16 bits)", "store them in one depth, or read them apart")
        white = int(self._white[0]) if len(self._white) else 1
        layout = "chw" if self._channels_first else "hwc"
        if not (self._float or self._is_normalized):
            name = "uint16" if white == SIXTEEN_BIT_WHITE else "uint8"
            self._steps.append(["tensor", layout, name, np.ones(1, np.float32), np.zeros(1, np.float32)])
            return np.dtype(name)
        name = self._float or "float32"
        scale, offset = 1 / (white * self._std), -self._mean / self._std
        self._steps.append(["tensor", layout, name, scale.astype(np.float32), offset.astype(np.float32)])
        return bfloat16() if name == "bfloat16" else np.dtype(name)

    def _shapes(self) -> tuple[Shape, ...]:
        if self._no_image is not None:
            shapes = [each.shape or () for each in self._stored.each_format]
            return (shapes[0],) if len(set(shapes)) == 1 else tuple(shapes)
        sizes, channels = one_row(self.sizes).tolist(), one_row(self._channels).tolist()
        if not self._has_axis:
            return tuple(map(tuple, sizes))
        count = max(len(sizes), len(channels)) if sizes and channels else 0
        pairs = zip(sizes * (count // len(sizes or [0])), channels * (count // len(channels or [0])), strict=True)
        return tuple((depth, *size) if self._channels_first else (*size, depth) for size, depth in pairs)

    def _dtypes(self) -> tuple[np.dtype[Any], ...]:
        if self._steps:
            found = [np.dtype(np.uint16 if white == SIXTEEN_BIT_WHITE else np.uint8) for white in one_row(self._white).tolist()]
        else:
            found = [np.dtype(each.dtype) for each in self._stored.each_format]
        return (found[0],) if len(set(found)) == 1 else tuple(found)

    def _require_eight_bits(self, transform: str) -> None:
        self._refuse(self._white == SIXTEEN_BIT_WHITE, f"{transform} takes 8-bit images only", "leave this field out with fields=")

    def _require_one(self, values: Numbers, what: str, advice: str) -> None:
        """Raise InvalidInputError naming two keys where the rows differ."""
        other = first(values != values[:1])
        if other is not None:
            one, two = (f"{self.key_of(row)!r} ({self._describe(row)})" for row in (0, other))
            raise InvalidInputError(f"field {self.name!r} mixes {what} in one batch: {one} and {two}; {advice}")

    def _refuse(self, wrong: Truths, problem: str, advice: str) -> None:
        number = first(wrong)
        if number is not None:
            key = self.key_of(number)
            raise InvalidInputError(f"{problem}; field {self.name!r} of {key!r} is {self._describe(number)}: {advice}")

    def _describe(self, row: int) -> str:
        known = self._stored.format_of(row)
        return f"{known.codec}, {known.dtype} of shape {known.shape}"
