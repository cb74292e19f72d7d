"""The list of transforms: what is refused and how the message helps."""

from __future__ import annotations

from typing import Any

import pytest

from pixstore.errors import InvalidInputError
from pixstore.loader.transforms import (
    CenterCrop,
    ChannelsFirst,
    ColorJitter,
    HorizontalFlip,
    Normalize,
    RandomCrop,
    Resize,
    Threshold,
    ToFloat,
    ToGray,
    Transform,
)
from pixstore.loader.validation import check_once, checked_transforms, touched_fields


class Foreign:
    """A transform as another library has it."""

    def __call__(self, image: Any) -> Any:
        return image


Foreign.__module__ = "torchvision.transforms.v2"


def twice(batch: Any) -> Any:
    return batch


def test_functions_at_the_end_are_told_apart() -> None:
    listed = [Resize(4), HorizontalFlip(), twice, Foreign()]
    transforms, functions = checked_transforms(listed)
    assert transforms == (Resize(4), HorizontalFlip())
    assert functions == tuple(listed[2:])
    assert checked_transforms([]) == ((), ())


WRONG: list[tuple[Any, str]] = [
    ([twice, Resize(4)], r"transforms\[0\] is <function twice.*put it at the end"),
    ([Resize(4), Foreign(), Resize(4)], r"transforms\[1\] is .*of torchvision.*use one of CenterCrop, ChannelsFirst.*takes a batch"),
    ([Resize], r"a class: write Resize\(…\)"),
    ([Resize(4), HorizontalFlip], r"transforms\[1\] is .*a class: write HorizontalFlip"),
    ([Foreign], "of torchvision"),
    (["HorizontalFlip"], "'HorizontalFlip', which is no transform; there are CenterCrop, .*VerticalFlip"),
    ([None], "None, which is no transform"),
    ([[Resize(4)]], "which is no transform"),
    (Resize(4), "is no list"),
    ("Resize", "is no list"),
    (twice, "is no list"),
    (None, "is no list"),
    ([Normalize(0.5, 0.5), Resize(4)], "Resize changes pixels, and after Normalize there are none: put Resize before Normalize"),
    ([ToFloat(), ColorJitter(0.1)], "put ColorJitter before ToFloat"),
    ([ChannelsFirst(), HorizontalFlip()], "put HorizontalFlip before ChannelsFirst"),
    ([ChannelsFirst(), Normalize(0.5, 0.5), ToGray()], "put ToGray before ChannelsFirst"),
]


@pytest.mark.parametrize(("listed", "reason"), WRONG, ids=[each[1] for each in WRONG])
def test_what_makes_no_sense_is_refused(listed: Any, reason: str) -> None:
    with pytest.raises(InvalidInputError, match=reason):
        checked_transforms(listed)


NAMES, MASKS = ["image", "mask", "depth"], ["mask"]


@pytest.mark.parametrize(
    ("transform", "expected"),
    [
        (RandomCrop(4), ["image", "mask", "depth"]),
        (ColorJitter(), ["image", "depth"]),
        (Normalize(0.5, 0.5), ["image", "depth"]),
        (Threshold(1), ["mask"]),
        (Threshold(1, fields=("depth", "image")), ["image", "depth"]),
    ],
)
def test_fields_that_are_touched(transform: Transform, expected: list[str]) -> None:
    assert touched_fields(transform, NAMES, MASKS) == expected


def test_fields_that_are_not_there_are_named() -> None:
    with pytest.raises(InvalidInputError, match=r"no field 'masks'; fields here: image, mask, depth"):
        touched_fields(CenterCrop(4, fields=("image", "masks")), NAMES, MASKS)
    with pytest.raises(InvalidInputError, match=r"Threshold.*touches masks, and there are none; fields here: image.*masks="):
        touched_fields(Threshold(1), ["image"], [])
    with pytest.raises(InvalidInputError, match="touches images, and there are none"):
        touched_fields(ToGray(), ["mask"], ["mask"])
    with pytest.raises(InvalidInputError, match="touches fields, and there are none"):
        touched_fields(Resize(4), [], [])


def test_numbers_are_made_once_for_each_field() -> None:
    check_once([(ToFloat(), ["image"]), (ToFloat("float16"), ["mask"]), (Resize(4), ["image"]), (Resize(4), ["image"])])
    with pytest.raises(InvalidInputError, match=r"Normalize.* comes twice for field 'image'"):
        check_once([(Normalize(0.5, 0.5), ["depth", "image"]), (Normalize(0, 1), ["image"])])
