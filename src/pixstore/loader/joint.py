"""The fields of a sample that one transform touches together: what is drawn for the first is done to all.

Geometry is spoken of in the upright pixels of the first field that is no mask. A field of another size gets the same relative
box, a crop rounded to whole pixels of its own, scaled to the size that comes out for the first. Masks are scaled by nearest.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NoReturn

import numpy as np

from pixstore.errors import InvalidInputError
from pixstore.loader.program import FieldProgram
from pixstore.loader.steps import Filter, FloatName, Floats, Numbers, Truths


class Joint:
    """One transform's view of a batch. Arrays have one row per sample, or one for all."""

    def __init__(self, programs: Sequence[FieldProgram], transform: str) -> None:
        self._programs = programs
        self._leader = next((each for each in programs if not each.is_mask), programs[0])
        self._transform = transform
        for each in programs:
            each.require_images(transform)

    @property
    def sizes(self) -> Numbers:
        """(height, width) of the images that geometry is drawn on."""
        return self._leader.sizes

    def refuse(self, row: int, problem: str) -> NoReturn:
        """Raise InvalidInputError about this row's image."""
        height, width = self.sizes[row if len(self.sizes) > 1 else 0].tolist()
        key = self._leader.key_of(row)
        raise InvalidInputError(f"{self._transform}: field {self._leader.name!r} of {key!r} is {height} x {width} pixels: {problem}")

    def crop(self, origins: Numbers, sizes: Numbers) -> None:
        """Keep (height, width) pixels from (top, left) on; what lies outside the image is 0."""
        whole = self.sizes
        for each in self._programs:
            if _same(each.sizes, whole):
                each.crop(origins, sizes)
            else:
                _crop_relative(each, whole, origins, sizes)

    def resample(self, boxes: Floats, sizes: Numbers, filter: Filter) -> None:
        """Scale the box (top, left, height, width) to (height, width)."""
        whole = self.sizes
        for each in self._programs:
            factors = 1 if _same(each.sizes, whole) else np.tile(each.sizes / whole, 2)
            each.resample(boxes * factors, sizes, "nearest" if each.is_mask else filter)

    def resize(self, sizes: Numbers, filter: Filter) -> None:
        """Scale the whole images to (height, width)."""
        for each in self._programs:
            each.resample(_whole_boxes(each.sizes), sizes, "nearest" if each.is_mask else filter)

    def flip_left_right(self, which: Truths) -> None:
        self._each(lambda program: program.flip_left_right(which))

    def flip_top_bottom(self, which: Truths) -> None:
        self._each(lambda program: program.flip_top_bottom(which))

    def rotate(self, degrees: Floats, filter: Filter) -> None:
        self._each(lambda program: program.rotate(degrees, "nearest" if program.is_mask else filter))

    def jitter(self, factors: Floats, order: Numbers) -> None:
        self._each(lambda program: program.jitter(factors, order))

    def gray(self, channels: int) -> None:
        self._each(lambda program: program.gray(channels))

    def threshold(self, value: float) -> None:
        self._each(lambda program: program.threshold(value))

    def normalize(self, mean: Floats, std: Floats) -> None:
        self._each(lambda program: program.normalize(mean, std))

    def to_float(self, dtype: FloatName) -> None:
        self._each(lambda program: program.to_float(dtype))

    def channels_first(self) -> None:
        self._each(lambda program: program.channels_first())

    def _each(self, change: Callable[[FieldProgram], None]) -> None:
        for each in self._programs:
            change(each)


def _same(sizes: Numbers, others: Numbers) -> bool:
    return sizes is others or bool((sizes == others).all())


def _whole_boxes(sizes: Numbers) -> Floats:
    return np.concatenate([np.zeros(sizes.shape), sizes], 1)


def _crop_relative(program: FieldProgram, whole: Numbers, origins: Numbers, sizes: Numbers) -> None:
    """Crop the same part of a field of another size, and scale it to the size that comes out for the first."""
    factors = program.sizes / whole
    starts = np.rint(origins * factors).astype(np.int64)
    extents = np.maximum(np.rint((origins + sizes) * factors).astype(np.int64) - starts, 1)
    was_inside = (origins >= 0) & (origins + sizes <= whole)
    starts = np.where(was_inside, np.minimum(starts, program.sizes - extents), starts)
    filter: Filter = "nearest" if program.is_mask else "bilinear"
    if was_inside.all():
        program.resample(np.concatenate(np.broadcast_arrays(starts, extents), 1).astype(np.float64), sizes, filter)
    else:
        program.crop(starts, extents)
        program.resample(_whole_boxes(extents), sizes, filter)
