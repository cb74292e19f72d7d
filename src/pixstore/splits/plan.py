"""How samples are parted: the sizes of the parts, what is spread over them evenly, what is kept together."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from numbers import Integral, Real

from pixstore.errors import InvalidInputError
from pixstore.splits.rounding import largest_remainder

MOST_OFF = 1e-6
"""How far fractions may be from summing to 1: rounding of decimals, not a forgotten part."""

Size = int | float


@dataclass(frozen=True)
class Plan:
    """A split as it was asked for: it and the samples' keys and columns decide who is in which part.

    sizes: fractions that sum to 1, or counts; None for `folds` parts of equal size.
    """

    sizes: tuple[tuple[str, Size], ...] | None
    folds: int
    stratify: str | None
    group: str | None
    seed: int

    @classmethod
    def of_parts(cls, sizes: Mapping[str, Size], *, stratify: str | None, group: str | None, seed: int) -> Plan:
        if not sizes:
            raise InvalidInputError('a split needs parts: {"train": 0.8, "test": 0.2}')
        checked = {checked_name(name, "part"): _checked_size(name, size) for name, size in sizes.items()}
        kinds = {type(size) for size in checked.values()}
        if len(kinds) > 1:
            raise InvalidInputError(f"sizes {checked} are partly counts and partly fractions; give all as one or the other")
        plan = cls(tuple(checked.items()), len(checked), stratify, group, operator.index(seed))
        total = sum(plan._decimals(), Fraction())
        if kinds == {float} and abs(total - 1) > MOST_OFF:
            raise InvalidInputError(f"the fractions sum to {float(total):g}, not to 1: {checked}")
        return plan

    @classmethod
    def of_folds(cls, folds: int, *, stratify: str | None, group: str | None, seed: int) -> Plan:
        if folds < 2:
            raise InvalidInputError(f"{folds} folds; give at least 2")
        return cls(None, operator.index(folds), stratify, group, operator.index(seed))

    @property
    def names(self) -> tuple[str, ...]:
        return fold_names(self.folds) if self.sizes is None else tuple(name for name, _ in self.sizes)

    def counts(self, total: int) -> list[int]:
        """Return how many of `total` samples each part gets. Raises InvalidInputError where that cannot be, or would be none."""
        if self.sizes is None:
            counts = largest_remainder([Fraction(1, self.folds)] * self.folds, total)
        elif isinstance(self.sizes[0][1], int):
            counts = [int(size) for _, size in self.sizes]
            if sum(counts) != total:
                raise InvalidInputError(f"the parts sum to {sum(counts):,}, but there are {total:,} samples; every sample needs a part")
        else:
            counts = largest_remainder(self._shares(), total)
        if min(counts) == 0:
            empty = self.names[counts.index(0)]
            raise InvalidInputError(f"part {empty!r} would get none of {total:,} samples; make it larger or give fewer parts")
        return counts

    def _shares(self) -> list[Fraction]:
        decimals = self._decimals()
        return [each / sum(decimals) for each in decimals]

    def _decimals(self) -> list[Fraction]:
        # As they are written: 0.1 is a tenth here, not the binary fraction nearest to it.
        return [Fraction(str(size)) for _, size in self.sizes or ()]


def fold_names(folds: int) -> tuple[str, ...]:
    """Return the names of the parts of a split into folds."""
    return tuple(f"fold-{number}" for number in range(folds))


def _checked_size(name: str, size: Size) -> Size:
    """Return the size as Python's own number, whoever's it was."""
    if isinstance(size, bool) or not isinstance(size, Real) or not (math.isfinite(size) and size > 0):
        raise InvalidInputError(f"part {name!r} has the size {size!r}; give a positive fraction or count")
    return int(size) if isinstance(size, Integral) else float(size)


def checked_name(name: str, what: str) -> str:
    """Return the name of a split or a part. Raises InvalidInputError for one that cannot be the name of a file."""
    if not isinstance(name, str) or not re.fullmatch(r"\w[\w.-]{0,99}", name):
        raise InvalidInputError(f"{name!r} cannot name a {what}; use letters, digits, '-', '_' and '.', at most 100")
    return name
