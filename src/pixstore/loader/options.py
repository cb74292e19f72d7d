"""What a loader can be told, checked when it is said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from pixstore.errors import InvalidInputError

Shuffle: TypeAlias = bool | Literal["window"]
Color: TypeAlias = Literal["rgb", "gray", "rgba", "keep"]
Orientation: TypeAlias = Literal["apply", "ignore"]
OnError: TypeAlias = Literal["raise", "mask"]

WINDOW_ROWS = 16_384
LARGEST_SEED = 2**64


@dataclass(frozen=True, kw_only=True)
class LoaderOptions:
    """The options of `Dataset.loader`, which says what each means. Raises InvalidInputError, printing the bad value."""

    batch_size: int
    shuffle: Shuffle = False
    seed: int = 0
    transforms: Sequence[Any] = ()
    color: Color = "rgb"
    orientation: Orientation = "apply"
    fields: Sequence[str] | None = None
    columns: Sequence[str] | None = None
    masks: Sequence[str] | None = None
    rank: int = 0
    world_size: int = 1
    drop_last: bool = False
    pad: bool = False
    weights: ArrayLike | None = None
    balance: str | None = None
    bucket: Literal["size"] | None = None
    window: int = WINDOW_ROWS
    threads: int | None = None
    verify: bool = True
    exact: bool = False
    on_error: OnError = "raise"
    ahead: int = 2

    def __post_init__(self) -> None:
        self._check_numbers()
        self._check_choices()
        if not 0 <= self.rank < self.world_size:
            raise InvalidInputError(f"rank {self.rank} of world_size {self.world_size}: ranks are 0 to world_size - 1")
        if self.weights is not None and self.balance is not None:
            raise InvalidInputError("weights and balance both say how often rows are drawn: give one of them")
        if (self.weights is not None or self.balance is not None) and self.shuffle is False:
            raise InvalidInputError("weights and balance draw rows at random: say so with shuffle=True")
        if (self.weights is not None or self.balance is not None) and self.shuffle == "window":
            raise InvalidInputError("weights and balance draw from all rows: shuffle=True, not 'window'")

    def _check_numbers(self) -> None:
        least = {"batch_size": 1, "world_size": 1, "window": 2, "ahead": 0, "seed": 0}
        for name, lowest in least.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < lowest:
                raise InvalidInputError(f"{name} is {value!r}: a whole number of at least {lowest} is needed")
        if self.seed >= LARGEST_SEED:
            raise InvalidInputError(f"seed is {self.seed}: it must be below 2**64")
        if self.threads is not None and self.threads < 1:
            raise InvalidInputError(f"threads is {self.threads}: at least 1, or None for all CPUs")

    def _check_choices(self) -> None:
        choices: dict[str, tuple[Any, ...]] = {
            "shuffle": (True, False, "window"),
            "color": ("rgb", "gray", "rgba", "keep"),
            "orientation": ("apply", "ignore"),
            "on_error": ("raise", "mask"),
            "bucket": (None, "size"),
        }
        for name, allowed in choices.items():
            value = getattr(self, name)
            if not any(value is each or (isinstance(value, str) and value == each) for each in allowed):
                raise InvalidInputError(f"{name} is {value!r}: one of {', '.join(map(repr, allowed))} is needed")

    def __reduce__(self) -> tuple[Any, ...]:
        # Whatever goes to a worker process goes there often: only what was said.
        said = {each.name: getattr(self, each.name) for each in fields(self)}
        defaults = {each.name: each.default for each in fields(self)}
        return _options, ({name: value for name, value in said.items() if value is not defaults[name]},)


def _options(said: dict[str, Any]) -> LoaderOptions:
    return LoaderOptions(**said)
