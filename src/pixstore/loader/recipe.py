"""A loader's transforms, checked once, and what they become for every batch."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, TypeAlias

import numpy as np

from pixstore.errors import InvalidInputError
from pixstore.loader.draws import Draws
from pixstore.loader.expected import ExpectedShape, expected_images, upright_size
from pixstore.loader.joint import Joint
from pixstore.loader.program import COLOR_CHANNELS, FieldProgram
from pixstore.loader.steps import Color, FieldResult
from pixstore.loader.stored import FormatTable, Stored
from pixstore.loader.transforms import ChannelsFirst
from pixstore.loader.validation import check_once, checked_transforms, refuse_stacks, touched_fields
from pixstore.schema import Field, Format

__all__ = ["FieldResult", "Orientation", "Recipe"]

Orientation: TypeAlias = Literal["apply", "ignore"]
Results: TypeAlias = dict[str, FieldResult]

MASK = "mask"
MASK_WORDS = frozenset({"msk", "msks", "seg", "segs", "segmentation", "segmentations", "trimap", "trimaps"})
COLORS: tuple[Color, ...] = (*COLOR_CHANNELS, "keep")
STREAMS_EACH = 32
"""How many streams of random numbers are set apart for each random transform: one that draws more moves no other's."""


class Recipe:
    """Transforms of the fields of a dataset: `programs` makes them steps of the core for the rows of a batch.

    masks: fields that hold labels; by default those that `is_mask` finds by name. color: what images (not masks) are converted to.
    `callables` are the functions at the end of the list, which are not ours to run. Raises InvalidInputError where something in the
    list, or their order, makes no sense, and where it cannot work for any image that the fields promise.
    """

    def __init__(
        self,
        transforms: Sequence[Any],
        fields: Sequence[Field],
        *,
        masks: Sequence[str] | None = None,
        color: Color = "rgb",
        orientation: Orientation = "apply",
    ) -> None:
        names = [each.name for each in fields]
        self._fields = tuple(fields)
        stacks = [each.name for each in fields if each.is_stack]
        self.masks = (*(each for each in _checked_masks(masks, names) if each not in stacks), *stacks)
        if color not in COLORS or orientation not in ("apply", "ignore"):
            asked = f"color={color!r}, orientation={orientation!r}"
            raise InvalidInputError(f"{asked}: color is one of {', '.join(COLORS)}, orientation is 'apply' or 'ignore'")
        self.color = color
        self.orients = orientation == "apply"
        """Whether `programs` is to be told the images' EXIF orientations."""
        listed, self.callables = checked_transforms(transforms)
        self._transforms = tuple((each, touched_fields(each, names, self.masks)) for each in listed)
        refuse_stacks(self._transforms, stacks)
        check_once(self._transforms)
        random = [each for each in listed if each.DRAWS]
        self._streams = [place * STREAMS_EACH + number for place, each in enumerate(random) for number in range(each.DRAWS)]
        self._alike: tuple[list[tuple[str, Format]], Results] | None = None
        self._promised = self._run_promised()

    @property
    def is_random(self) -> bool:
        """Whether `programs` needs draws."""
        return bool(self._streams)

    @property
    def needs_sizes(self) -> bool:
        """Whether any step depends on the sizes of the images."""
        return any(each.TOUCHES == "all" for each, _ in self._transforms)

    @property
    def channels_first(self) -> frozenset[str]:
        """The fields that come out as C·H·W."""
        return frozenset(name for each, names in self._transforms if isinstance(each, ChannelsFirst) for name in names)

    def flattens(self, field: str) -> bool:
        """Return whether alpha of this field's images is laid over white."""
        return field not in self.masks and self.color in ("rgb", "gray")

    def static_shapes(self) -> dict[str, ExpectedShape]:
        """Return for each field the shape and dtype of one image as it comes out, as far as that is known before any is read.

        A dimension is None where it depends on the image; so is the whole shape, or the dtype, where that does.
        """
        if self._promised is not None:
            return {name: (result.shape, result.dtype) for name, result in self._promised.items()}
        return dict(expected_images(self._fields, self._transforms, self.masks, self.color, orients=self.orients))

    def programs(self, stored: Mapping[str, Stored], draws: Draws | None, key_of: Callable[[int], str]) -> Results:
        """Return the steps of each field, and what comes out of them; draws are needed where `is_random`.

        `key_of(row)` names a row of the batch in errors. Raises InvalidInputError where an image of the batch cannot be taken through.
        """
        if self._streams or not all(each.is_uniform for each in stored.values()):
            return self._made(stored, draws, key_of)
        alike = [(name, each.each_format[0]) for name, each in stored.items()]
        # Several threads may ask: what one of them has found stays whole while another replaces it.
        kept = self._alike
        if kept is None or kept[0] != alike:
            kept = self._alike = alike, self._made(stored, draws, key_of)
        return kept[1]

    def _made(self, stored: Mapping[str, Stored], draws: Draws | None, key_of: Callable[[int], str]) -> Results:
        programs = {name: FieldProgram(name, each, key_of, is_mask=name in self.masks) for name, each in stored.items()}
        for name, program in programs.items():
            if name not in self.masks:
                program.convert(self.color)
        uniforms = np.empty((0, 0)) if draws is None else draws.uniforms(self._streams)
        used = 0
        for transform, names in self._transforms:
            joint = Joint([programs[name] for name in names], type(transform).__name__)
            transform.apply(joint, uniforms[used : used + transform.DRAWS])
            used += transform.DRAWS
        return {name: program.finish() for name, program in programs.items()}

    def _run_promised(self) -> Results | None:
        """Return what comes out of one image of each field as the schema promises it; None where it does not promise enough."""
        if not all(each.is_uniform and upright_size(each, orients=self.orients) for each in self._fields):
            return None
        one = np.zeros(1, np.int32)
        tables = {each.name: FormatTable([Format(each.codec, each.shape, each.dtype)]) for each in self._fields}
        stored = {name: each.stored(one) for name, each in tables.items()}
        return self._made(stored, Draws(0, 0, np.zeros(1, np.int64)), lambda _: "every image")


def is_mask(name: str) -> bool:
    """Return whether a field of this name holds labels: "mask" is in it, or one of its words is "seg", "segmentation", "msk" or "trimap".

    Names such as "target" or "gt" are those of photos as often, in super-resolution.
    """
    lowered = name.lower()
    return MASK in lowered or not MASK_WORDS.isdisjoint(re.split(r"[^a-z]+", lowered))


def _checked_masks(masks: Sequence[str] | None, names: Sequence[str]) -> tuple[str, ...]:
    if masks is None:
        return tuple(name for name in names if is_mask(name))
    unknown = [masks] if isinstance(masks, str) else [each for each in masks if each not in names]
    if unknown:
        raise InvalidInputError(f"masks={masks!r}: a sequence of fields is needed; fields here: {', '.join(names) or 'none'}")
    return tuple(masks)
