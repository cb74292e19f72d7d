"""What a change of setting is worth to each way, and to which most and least: as far as the noise tells, and no further."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from pixstore.bench import words
from pixstore.bench.lab.leaders import named
from pixstore.bench.measurements import Measurements
from pixstore.bench.statistics import Interval, Spread, overlap

NOTHING = "nothing beyond the noise"
TOO_FEW = "by too few repeats to tell"
ONCE = "1×"


@dataclass(frozen=True)
class Ratio:
    """What a way does with a change, divided by what it does without.

    interval: from the least to the most that both medians' intervals allow. unit: what follows the number in a sentence: "as many images
    per second". is_known: whether both were measured often enough. is_told: whether they were, and the change is more than noise.
    """

    median: float
    interval: Interval
    unit: str
    is_known: bool
    is_told: bool

    @classmethod
    def of(cls, changed: Spread, usual: Spread, unit: str = "") -> Ratio | None:
        """Return how often `usual` goes into `changed`; None where that is nothing to divide by."""
        if usual.median <= 0:
            return None
        ratio = changed.median / usual.median
        (low, high), (usual_low, usual_high) = changed.interval, usual.interval
        interval = low / usual_high, high / usual_low if usual_low > 0 else math.inf
        is_known = changed.is_known and usual.is_known
        return cls(ratio, interval, unit, is_known, is_known and not overlap(changed, usual) and _times(ratio) != ONCE)

    @property
    def is_noise(self) -> bool:
        """Whether enough was measured to say that the change is no more than noise."""
        return self.is_known and not self.is_told

    def __str__(self) -> str:
        """Return "2.3× as many images per second", that it is nothing beyond the noise, or about what it is by too few repeats."""
        if self.is_noise:
            return NOTHING
        return self.number if self.is_told else f"about {self.number}, {TOO_FEW}"

    @property
    def number(self) -> str:
        """Return the ratio with its unit, whatever it is worth."""
        return f"{_times(self.median)} {self.unit}".rstrip()

    def after(self, other: Ratio) -> str:
        """Return the same where the other was said just before: its unit is not said again."""
        return _times(self.median) if self.is_told and other.is_told and self.unit == other.unit else str(self)


def ratios(changed: Mapping[str, Spread], usual: Mapping[str, Spread], unit: str = "") -> dict[str, Ratio]:
    """Return what the change is worth to every way that was measured with it and without."""
    found = {way: Ratio.of(each, usual[way], unit) for way, each in changed.items() if way in usual}
    return {way: ratio for way, ratio in found.items() if ratio is not None}


def ends(found: Mapping[str, Ratio], run: Measurements) -> str:
    """Return with which way it is most and with which least: "most with A, 10×, and least with B, nothing beyond the noise".

    No way is named as one of the two where the noise does not tell the largest from the smallest, or too few repeats were made to know.
    Empty where there is none.
    """
    ranked = sorted(found, key=lambda way: -found[way].median)
    known = [way for way in ranked if found[way].is_known]
    if not ranked:
        return ""
    if len(ranked) == 1:
        return _alone(found[ranked[0]], run.title(ranked[0]))
    if not known:
        return f"about {_range(found[ranked[-1]], found[ranked[0]])}, {TOO_FEW} the ways apart"
    others = len(ranked) - len(known)
    return _known_ends({way: found[way] for way in known}, run) + _left_out(others)


def _known_ends(ranked: Mapping[str, Ratio], run: Measurements) -> str:
    """Return the ends of what is known, the largest first."""
    ways = list(ranked)
    most, least = ranked[ways[0]], ranked[ways[-1]]
    if len(ways) == 1:
        return _alone(most, run.title(ways[0]))
    if not any(each.is_told for each in ranked.values()):
        return f"{NOTHING} with any of {len(ways)} ways"
    if _meet(most, least):
        return f"{_range(least, most)}, with no way more than with another beyond the noise"
    above = [way for way in ways if _meet(ranked[way], most)]
    below = [way for way in reversed(ways) if _meet(ranked[way], least)]
    return f"most with {named(above, run)}, {most}, and least with {named(below, run)}, {least.after(most)}"


def _left_out(ways: int) -> str:
    return f" ({words.count(ways, 'other way')} measured too few times to tell)" if ways else ""


def _alone(ratio: Ratio, title: str) -> str:
    return f"{ratio} with {title}" if ratio.is_known else f"about {ratio.number} with {title}, {TOO_FEW}"


def _range(least: Ratio, most: Ratio) -> str:
    unit = f" {most.unit}" if most.unit and most.unit == least.unit else ""
    low, high = _times(least.median), _times(most.median)
    if low == high:
        return f"{high}{unit}"
    return f"{low} to {high}{unit}"


def _meet(first: Ratio, second: Ratio) -> bool:
    return first.interval[0] <= second.interval[1] and second.interval[0] <= first.interval[1]


def _times(ratio: float) -> str:
    """Return "1.3×", with a digit more where it would be "1×" otherwise."""
    text = words.times(ratio)
    return f"{ratio:.3g}×" if text == ONCE else text
