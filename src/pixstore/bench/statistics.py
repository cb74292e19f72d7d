"""Medians, and the interval each is known within: how it is decided that enough has been measured, and what is a tie."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations
from typing import TypeAlias

CONFIDENCE = 0.95
LEAST_REPEATS = 5
"""Before so many repeats no median counts as known."""
NARROW = 0.05
"""A median is known well enough when its interval reaches no further than this part of it to either side, on average."""
MOST_EXACT = 30
"""Up to so many repeats of each the rank test counts; beyond, the normal approximation is as good."""
QN = 2.2219
"""Standard deviations in the lower quartile of the differences of two normal values: 1 ÷ (√2 Φ⁻¹(5 ÷ 8))."""

Interval: TypeAlias = tuple[float, float]


@dataclass(frozen=True)
class Spread:
    """What the repeats of one cell gave: times in seconds, or another measure in its own unit."""

    median: float
    min: float
    max: float
    runs: tuple[float, ...]

    @classmethod
    def of(cls, runs: Sequence[float]) -> Spread:
        return cls(statistics.median(runs), min(runs), max(runs), tuple(runs))

    @property
    def interval(self) -> Interval:
        """The interval that holds the true median with a confidence of 95 %; of fewer than LEAST_REPEATS merely what was seen.

        Between two order statistics, chosen by the binomial distribution, whatever the times are distributed like (W. J. Conover,
        Practical Nonparametric Statistics, 3.2).
        """
        ordered = sorted(self.runs) or [self.min, self.max]
        drop = _ranks_to_drop(len(ordered))
        return ordered[drop], ordered[-1 - drop]

    @property
    def is_known(self) -> bool:
        """Whether there are repeats enough for the interval to hold the median as often as it should."""
        return len(self.runs) >= LEAST_REPEATS

    @property
    def is_narrow(self) -> bool:
        """Whether the median is known well enough to stop measuring."""
        low, high = self.interval
        return self.is_known and high - low <= 2 * NARROW * self.median


def overlap(first: Spread, second: Spread) -> bool:
    """Return whether neither of two medians can be called better: their intervals meet.

    Where an interval is not known, unless the rank test tells the repeats apart: 4 from 4, 3 from 5 and 2 from 8 at the least.
    """
    if not (first.is_known and second.is_known):
        return rank_sum_probability(first.runs, second.runs) > 1 - CONFIDENCE
    (low, high), (other_low, other_high) = first.interval, second.interval
    return low <= other_high and other_low <= high


def pair_count(groups: Iterable[Sequence[float]]) -> int:
    """Return how many pairs of two values of the same group there are."""
    return sum(math.comb(len(group), 2) for group in groups)


def scatter(groups: Iterable[Sequence[float]]) -> float:
    """Return the standard deviation within groups of values, each about a level of its own; 0 where no group has two values.

    By the pairs of each group, as Qn does for one (P. J. Rousseeuw, C. Croux, Alternatives to the Median Absolute Deviation, 1993): a
    quarter of all differences are smaller than those of equal values usually are, even where half of the values of each have moved.
    """
    apart = sorted(abs(one - other) for group in groups for one, other in combinations(group, 2))
    return QN * apart[(len(apart) - 1) // 4] if apart else 0.0


def _ranks_to_drop(count: int) -> int:
    """Return how many of `count` ordered values may be left out at each end while the rest still covers the median often enough."""
    missed = 0.0
    for rank in range((count - 1) // 2 + 1):
        # The median lies below the value of this rank with the chance of at most `rank` of `count` fair coins.
        missed += 2 * math.comb(count, rank) * 0.5**count
        if missed > 1 - CONFIDENCE:
            return max(rank - 1, 0)
    return (count - 1) // 2


def rank_sum_probability(first: Sequence[float], second: Sequence[float]) -> float:
    """Return how probable so clear a separation of two sets of repeats is, or a clearer one, where nothing differs; two-sided.

    The Mann–Whitney U test (H. B. Mann, D. R. Whitney, On a Test of Whether one of Two Random Variables is Stochastically Larger than
    the Other, 1947): only the order of the times counts. Exact up to 30 repeats each, by the normal approximation beyond. Equal times count
    half, and the whole is then a little too cautious.
    """
    ones, others = len(first), len(second)
    above = float(sum((one > other) + 0.5 * (one == other) for one in first for other in second))
    extreme = math.floor(min(above, ones * others - above) + 0.5)
    if ones > MOST_EXACT or others > MOST_EXACT:
        deviation = math.sqrt(ones * others * (ones + others + 1) / 12)
        return min(1.0, math.erfc((ones * others / 2 - extreme) / deviation / math.sqrt(2)))
    counts = _arrangements(ones, others)
    return min(1.0, 2 * sum(counts[: extreme + 1]) / sum(counts))


@cache
def _arrangements(ones: int, others: int) -> list[int]:
    """Return in how many orders of both sets together U is 0, 1, 2 …: the coefficients of the Gaussian binomial."""
    size = ones * others + 1
    counts = [1] + [0] * (size - 1)
    for step in range(1, ones + 1):
        for place in range(size - 1, others + step - 1, -1):
            counts[place] -= counts[place - others - step]
        for place in range(step, size):
            counts[place] += counts[place - step]
    return counts
