"""Formats of raw images in the order of colours that a user states; a layout that has no custom takes arrays as RGB."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pixstore.errors import InvalidInputError
from pixstore.schema import ChannelOrder, Field, Format

REVERSED = {"raw": "raw-bgr", "raw-planar": "raw-planar-bgr"}


def ordered(formats: Sequence[Format], order: ChannelOrder | None, origin: str) -> list[Format]:
    """Return the formats, those of three channels or four in the order that is stated.

    Raises InvalidInputError where an order is stated and images are encoded, or where no image has three channels to reverse.
    """
    found = list(formats)
    if order is None:
        return found
    kinds = set(found)
    if not all(each.codec in REVERSED for each in kinds):
        raise InvalidInputError(f"{origin}: channel_order {order!r} is for arrays; encoded images know their own")
    if order == "rgb":
        return found
    changed = {each: replace(each, codec=REVERSED[each.codec or ""]) for each in kinds if _has_colours(each)}
    if not changed:
        raise InvalidInputError(f"{origin}: channel_order 'bgr' is for images of three channels, and these have fewer; leave it out")
    return [changed.get(each, each) for each in found]


def field_of(formats: Sequence[Format]) -> Field:
    """Return the field `image` of records of these formats, each named once: shape and type where all have the same."""
    known = formats[0] if len(formats) == 1 else Format(None, None, None)
    is_bgr = any((each.codec or "").endswith("bgr") for each in formats)
    return Field(shape=known.shape, dtype=known.dtype, channel_order="bgr" if is_bgr else "rgb")


def _has_colours(form: Format) -> bool:
    return form.shape is not None and len(form.shape) == 3 and form.shape[2] >= 3
