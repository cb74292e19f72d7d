"""The list that users write as `transforms`: what may stand in it, and where."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from pixstore.errors import InvalidInputError
from pixstore.loader import transforms as known
from pixstore.loader.transforms import Transform

FOREIGN = ("torchvision", "albumentations", "kornia", "monai", "imgaug")
NAMES = ", ".join(name for name in known.__all__ if name != Transform.__name__)


def checked_transforms(listed: Sequence[Any]) -> tuple[tuple[Transform, ...], tuple[Callable[..., Any], ...]]:
    """Return the transforms, and the functions that follow them. Raises InvalidInputError."""
    if isinstance(listed, Transform) or not isinstance(listed, Sequence) or isinstance(listed, str):
        raise InvalidInputError(f"transforms={listed!r} is no list: write transforms=[…]")
    ours = len(listed)
    while ours and _is_function(listed[ours - 1]):
        ours -= 1
    transforms = []
    for place, each in enumerate(listed[:ours]):
        if not isinstance(each, Transform):
            _refuse(each, place)
        transforms.append(each)
    _check_order(transforms)
    return tuple(transforms), tuple(listed[ours:])


def touched_fields(transform: Transform, names: Sequence[str], masks: Sequence[str]) -> list[str]:
    """Return the fields among `names` that the transform touches, in their order. Raises InvalidInputError where there are none."""
    if transform.fields is not None:
        for each in transform.fields:
            if each not in names:
                raise InvalidInputError(f"{transform}: there is no field {each!r}; fields here: {', '.join(names) or 'none'}")
        return [name for name in names if name in transform.fields]
    kinds = {"all": names, "images": [each for each in names if each not in masks], "masks": masks}
    found = [name for name in names if name in kinds[transform.TOUCHES]]
    if not found:
        what = "fields" if transform.TOUCHES == "all" else transform.TOUCHES
        raise InvalidInputError(
            f"{transform} touches {what}, and there are none; fields here: {', '.join(names) or 'none'} "
            f"(masks: {', '.join(masks) or 'none'}): name some with fields=, or with the loader's masks="
        )
    return found


def refuse_stacks(transforms: Sequence[tuple[Transform, Sequence[str]]], stacks: Sequence[str]) -> None:
    """Raise InvalidInputError for a transform of a field whose records are stacks N·H·W: it would be taken for an image H·W·C."""
    for each, names in transforms:
        for name in names:
            if name in stacks:
                others = tuple(other for other in names if other not in stacks)
                way_out = f"leave it out with the loader's fields={list(others)!r}, " if others else ""
                raise InvalidInputError(
                    f"{each} touches the field {name!r}, which holds many masks N·H·W for each sample, and is for images H·W·C: {way_out}"
                    "or change image and masks together in a function of a batch, at the end of the list"
                )


def check_once(transforms: Sequence[tuple[Transform, Sequence[str]]]) -> None:
    """Raise InvalidInputError where what makes numbers comes twice for one field."""
    seen: set[tuple[type, str]] = set()
    for each, names in transforms:
        pairs = {(type(each), name) for name in names if each.MAKES_NUMBERS}
        if twice := seen & pairs:
            raise InvalidInputError(f"{each} comes twice for field {min(name for _, name in twice)!r}: once is enough")
        seen |= pairs


def _is_function(value: object) -> bool:
    return callable(value) and not isinstance(value, type | Transform)


def _refuse(value: Any, place: int) -> NoReturn:
    kind = value if isinstance(value, type) else type(value)
    library = kind.__module__.partition(".")[0]
    what = f"transforms[{place}] is {value!r}"
    if isinstance(value, type) and issubclass(value, Transform):
        raise InvalidInputError(f"{what}, a class: write {value.__name__}(…) with its arguments")
    if library in FOREIGN:
        raise InvalidInputError(
            f"{what}, of {library}, which works on single images in Python: use one of {NAMES}; or call it in a function that takes a "
            "batch, and put that at the end of the list"
        )
    if _is_function(value):
        raise InvalidInputError(f"{what}, a function: functions come last, put it at the end of the list")
    raise InvalidInputError(f"{what}, which is no transform; there are {NAMES}, and functions at the end of the list")


def _check_order(transforms: Sequence[Transform]) -> None:
    maker: Transform | None = None
    for each in transforms:
        if each.MAKES_NUMBERS:
            maker = maker or each
        elif maker is not None:
            one, two = type(each).__name__, type(maker).__name__
            raise InvalidInputError(f"{one} changes pixels, and after {two} there are none: put {one} before {two}")
