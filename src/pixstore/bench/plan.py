"""How many repeats fit: predicts each cell from smaller cutoffs and shares what is left of the budget among them."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import TypeAlias

CellKey: TypeAlias = tuple[str, str]
"""Experiment and way."""


class Plan:
    """Knows what one repeat of every cell has cost so far, with all that goes with it: deleting, flushing, comparing."""

    def __init__(self, repeats: int) -> None:
        self.repeats = repeats
        self._costs: dict[CellKey, dict[int, list[float]]] = {}

    def record(self, key: CellKey, images: int, seconds: float) -> None:
        self._costs.setdefault(key, {}).setdefault(images, []).append(seconds)

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

    def caps(self, keys: Sequence[CellKey], images: int, seconds_left: float) -> dict[CellKey, float]:
        """Return each cell's own budget in seconds, so that all together fit into what is left.

        All cells have the same cap, as high as fits; one repeat is always granted.
        """
        once = [self.predict(key, images) for key in keys]
        low, high = 0.0, max(self.repeats * max(once, default=0.0), 0.1)
        if sum(self.repeats * each for each in once) <= seconds_left:
            return dict.fromkeys(keys, high * 1.5)
        for _ in range(40):
            middle = (low + high) / 2
            needed = sum(min(self.repeats * each, max(each, middle)) for each in once)
            low, high = (middle, high) if needed <= seconds_left else (low, middle)
        return dict.fromkeys(keys, low)

    def rest_seconds(self, keys: Sequence[CellKey], images: Sequence[int]) -> float:
        """Return what all repeats of these cells at all these cutoffs are expected to take."""
        return self.repeats * sum(self.round_seconds(keys, each) for each in images)
