"""How many repeats fit: predicts each cell from smaller cutoffs and shares what is left of the budget among them."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from pixstore.bench.statistics import LEAST_REPEATS

CellKey: TypeAlias = tuple[str, str]
"""Experiment and way."""
TURN: CellKey = ("turn", "all ways")
"""What a turn costs besides its cells: flushing, looking at disk use."""
REMOVAL: CellKey = ("removal", "all ways")
"""What removing the stores of one number of images costs at its end."""
BISECTIONS = 40
MOST_REPEATS = 20


@dataclass(frozen=True)
class Repeats:
    """How often a cell is measured: `least` times where the budget allows, then until its median is known, `most` times at most."""

    least: int
    most: int

    @classmethod
    def of(cls, asked: int | None) -> Repeats:
        """Return so many repeats and no other; those of the default for None."""
        return cls(LEAST_REPEATS, MOST_REPEATS) if asked is None else cls(asked, asked)

    def __str__(self) -> str:
        return str(self.most) if self.least == self.most else f"up to {self.most}"


class Plan:
    """Knows what one repeat of every cell has cost so far, with all that goes with it: deleting, flushing, comparing."""

    def __init__(self, repeats: Repeats) -> None:
        self.repeats = repeats
        self._costs: dict[CellKey, dict[int, list[float]]] = {}

    def record(self, key: CellKey, images: int, seconds: float) -> None:
        self._costs.setdefault(key, {}).setdefault(images, []).append(seconds)

    def forget(self) -> None:
        self._costs.clear()

    def predict(self, key: CellKey, images: int) -> float:
        """Return the seconds that one repeat is expected to take; 0 where nothing is known.

        Two smaller cutoffs give a fixed cost and a cost per image; one gives a cost per image.
        """
        known = self._costs.get(key, {})
        if images in known:
            return statistics.median(known[images])
        points = sorted((count, statistics.median(costs)) for count, costs in known.items() if count < images)
        if not points:
            return 0.0
        count, cost = points[-1]
        if len(points) == 1:
            return cost * images / count
        before, cost_before = points[-2]
        return cost + max(0.0, (cost - cost_before) / (count - before)) * (images - count)

    def round_seconds(self, keys: Sequence[CellKey], images: int) -> float:
        """Return what one repeat of all these cells is expected to take."""
        return sum(self.predict(key, images) for key in keys)

    def share(self, keys: Sequence[CellKey], images: int, repeats_left: int, seconds_left: float) -> float:
        """Return how many seconds each cell may still spend, so that all of them together fit into what is left.

        The same for every cell and as high as fits, so that cheap cells get all their repeats before costly ones get more.
        """
        needs = [repeats_left * self.predict(key, images) for key in keys]
        low, high = 0.0, max(needs, default=0.0)
        if sum(needs) <= seconds_left:
            return high
        for _ in range(BISECTIONS):
            middle = (low + high) / 2
            low, high = (middle, high) if sum(min(need, middle) for need in needs) <= seconds_left else (low, middle)
        return low

    def rest_seconds(self, keys: Sequence[CellKey], images: Sequence[int]) -> float:
        """Return what these cells at all these cutoffs are expected to take, each repeated as often as it has to be."""
        return self.repeats.least * sum(self.round_seconds(keys, each) for each in images)
