"""What comes out of a loader, as far as it is known before any image is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np

from pixstore.loader.bfloat16 import bfloat16
from pixstore.loader.program import COLOR_CHANNELS
from pixstore.loader.steps import Color
from pixstore.loader.transforms import ChannelsFirst, Normalize, Threshold, ToFloat, ToGray, Transform
from pixstore.schema import ARRAY_CODECS, Field

ExpectedShape: TypeAlias = tuple[tuple[int | None, ...] | None, np.dtype[Any] | None]


@dataclass(frozen=True)
class Known:
    """What is known of every image of one field; None where it depends on the image."""

    size: tuple[int, int] | None = None
    channels: int | None = None
    has_axis: bool | None = None
    dtype: np.dtype[Any] | None = None
    channels_first: bool = False

    @property
    def expected(self) -> ExpectedShape:
        if self.has_axis is None:
            return None, self.dtype
        size = self.size or (None, None)
        if not self.has_axis:
            return size, self.dtype
        return ((self.channels, *size) if self.channels_first else (*size, self.channels)), self.dtype


def upright_size(field: Field, *, orients: bool) -> tuple[int, int] | None:
    """Return the (height, width) that every upright image of the field has; None where they differ, or may be turned."""
    if field.shape is None or len(field.shape) not in (2, 3):
        return None
    height, width = field.shape[:2]
    return None if orients and field.codec not in ARRAY_CODECS and height != width else (height, width)


def expected_images(
    fields: Sequence[Field], transforms: Sequence[tuple[Transform, Sequence[str]]], masks: Sequence[str], color: Color, *, orients: bool
) -> Mapping[str, ExpectedShape]:
    """Return the shape and dtype of each field's images after the transforms, each given with the fields it touches."""
    known = {each.name: _stored(each, None if each.name in masks or color == "keep" else color, orients=orients) for each in fields}
    for transform, names in transforms:
        leader = next((name for name in names if name not in masks), names[0])
        size = transform.result_size(known[leader].size)
        for name in names:
            known[name] = _after(transform, known[name])
            if transform.SETS_SIZE:
                known[name] = replace(known[name], size=size)
    return {name: each.expected for name, each in known.items()}


def _stored(field: Field, color: Color | None, *, orients: bool) -> Known:
    has_axis = None if field.shape is None else len(field.shape) == 3
    channels = None if field.shape is None or not has_axis else field.shape[2]
    if color is not None:
        channels, has_axis = COLOR_CHANNELS[color], True
    # Steps make uint8 of bool and of other byte orders the native one.
    dtype = np.dtype(field.dtype) if field.dtype in ("uint8", "uint16") else None
    return Known(upright_size(field, orients=orients), channels, has_axis, dtype)


def _after(transform: Transform, known: Known) -> Known:
    """Return what is known after the transform, but for sizes."""
    if isinstance(transform, ToGray):
        return replace(known, channels=transform.channels, has_axis=True)
    if isinstance(transform, Threshold):
        return replace(known, dtype=np.dtype(np.uint8))
    if isinstance(transform, ChannelsFirst):
        channels = 1 if known.has_axis is False else known.channels
        return replace(known, channels=channels, has_axis=True, channels_first=True)
    if isinstance(transform, ToFloat):
        return replace(known, dtype=bfloat16() if transform.dtype == "bfloat16" else np.dtype(transform.dtype))
    if isinstance(transform, Normalize) and (known.dtype is None or known.dtype.kind == "u"):
        return replace(known, dtype=np.dtype(np.float32))
    return known
