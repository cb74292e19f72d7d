"""What every transform is: a frozen dataclass that checks its own arguments, and says to a batch what shall be done."""

from __future__ import annotations

import math
import numbers
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, NoReturn, TypeAlias, get_args

from pixstore.errors import InvalidInputError
from pixstore.loader.joint import Joint
from pixstore.loader.steps import Filter, Floats

Pair: TypeAlias = tuple[int, int]
Range: TypeAlias = tuple[float, float]
MOST_PIXELS_ON_A_SIDE = 1 << 24


@dataclass(frozen=True)
class Transform(ABC):
    """One change of the images of a batch.

    fields: the names of the fields it touches; None means all fields for geometry, all fields but masks for colour and numbers.
    """

    fields: tuple[str, ...] | None = field(default=None, kw_only=True)

    TOUCHES: ClassVar[Literal["all", "images", "masks"]] = "all"
    """The fields it touches where none are named."""
    SETS_SIZE: ClassVar[bool] = False
    """Whether all fields it touches come out in one size."""
    DRAWS: ClassVar[int] = 0
    """How many random numbers it takes for a row."""
    MAKES_NUMBERS: ClassVar[bool] = False
    """Whether the result is for the trainer: nothing that changes pixels can follow."""

    def __post_init__(self) -> None:
        if self.fields is None:
            return
        names = () if isinstance(self.fields, str) else tuple(self.fields)
        if not names or not all(isinstance(each, str) for each in names):
            self.refuse("fields", 'is the names of fields, such as ("image",)')
        object.__setattr__(self, "fields", names)

    @abstractmethod
    def apply(self, joint: Joint, uniforms: Floats) -> None:
        """Say what shall be done to the fields of a batch; uniforms are DRAWS random numbers in [0, 1) for each row: (DRAWS, n)."""

    def result_size(self, size: Pair | None) -> Pair | None:
        """Return the (height, width) that comes out for an image of this size; None where it depends on the image."""
        return size

    def refuse(self, name: str, needed: str) -> NoReturn:
        """Raise InvalidInputError about an argument."""
        raise InvalidInputError(f"{type(self).__name__}({name}={getattr(self, name)!r}): {name} {needed}")

    def checked_pair(self, name: str, *, least: int) -> None:
        """Check an argument that is one whole number or a pair of them, and keep a pair as a tuple."""
        given: Any = getattr(self, name)
        pair = (given, given) if is_whole(given) else as_tuple(given)
        if len(pair) != 2 or not all(is_whole(each) and least <= each <= MOST_PIXELS_ON_A_SIDE for each in pair):
            self.refuse(name, f"is one whole number or a pair of them, from {least} to {MOST_PIXELS_ON_A_SIDE:,}")
        object.__setattr__(self, name, int(given) if is_whole(given) else (int(pair[0]), int(pair[1])))

    def checked_range(self, name: str, *, least: float, most: float = math.inf) -> None:
        """Check an argument that is a pair of ascending numbers, and keep it as a tuple of floats."""
        pair = as_tuple(getattr(self, name))
        if len(pair) != 2 or not all(is_number(each) for each in pair) or not least <= pair[0] <= pair[1] <= most:
            bounds = f"from {least:g} to {most:g}" if math.isfinite(most) else f"at least {least:g}" if math.isfinite(least) else "finite"
            self.refuse(name, f"is a pair of numbers, the smaller one first, {bounds}")
        object.__setattr__(self, name, (float(pair[0]), float(pair[1])))

    def checked_number(self, name: str, *, least: float, most: float = math.inf) -> None:
        """Check an argument that is one number."""
        value = getattr(self, name)
        if not is_number(value) or not least <= value <= most:
            self.refuse(name, f"is a number from {least:g} to {most:g}" if math.isfinite(most) else f"is a number, at least {least:g}")

    def checked_choice(self, name: str, choices: tuple[Any, ...]) -> None:
        """Check an argument that is one of a few values."""
        if getattr(self, name) not in choices or isinstance(getattr(self, name), bool):
            self.refuse(name, f"is one of {', '.join(repr(each) for each in choices)}")


FILTERS: tuple[Filter, ...] = get_args(Filter)


def is_whole(value: object) -> bool:
    """Return whether this is a whole number, also one of NumPy's; truths are none."""
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def is_number(value: object) -> bool:
    """Return whether this is a finite number, also one of NumPy's; truths are none."""
    return isinstance(value, numbers.Real) and not isinstance(value, bool) and math.isfinite(value)


def as_tuple(value: object) -> tuple[Any, ...]:
    """Return a sequence as a tuple; nothing for text and for what is no sequence."""
    return tuple(value) if hasattr(value, "__iter__") and not isinstance(value, str | bytes | dict) else ()
