"""What a way costs for a use, by its figures: what the rules compare."""

from __future__ import annotations

from pixstore.bench.advice.figures import Figures, Gain, Situation
from pixstore.bench.statistics import Spread, overlap

EPOCHS = 10
"""Passes over all images in one run of a training program; it opens the data once."""
TIE = 0.05
"""Ways this close are equal, whatever their intervals say; and so are sizes."""
CLOCK_SECONDS = 1e-9
"""No time is shorter than a clock can tell: what is compared is never 0."""
LOOSE_TIE = 0.10
"""Ways whose intervals overlap are equal up to this."""


def fits_memory(way: Figures, situation: Situation) -> bool:
    """Return whether all of it can stay in memory between two passes."""
    return way.disk_bytes is None or way.disk_bytes <= situation.memory_bytes


def reading(way: Figures, situation: Situation) -> Spread | None:
    """Return the seconds of one image with the best threads: from memory where all of it fits, else from the medium."""
    found = way.cold_seconds if not fits_memory(way, situation) and way.cold_seconds else way.seconds
    best = min(found.values(), key=lambda each: each.median, default=None)
    return None if best is None else Spread.of([max(each, CLOCK_SECONDS) for each in best.runs])


def cost(way: Figures, situation: Situation) -> Spread | None:
    """Return what the use minimises, None where it is not known.

    train: seconds of an image, with its share of opening in a run of ten epochs. browse: of a random read, p95. archive: bytes of an image.
    """
    if situation.use == "archive":
        return None if way.disk_bytes is None else Spread.of([max(way.disk_bytes, 1) / situation.images])
    found = reading(way, situation)
    if found is None or situation.use == "browse":
        return found
    opening = way.opening_seconds / (EPOCHS * situation.images)
    return Spread.of([each + opening for each in found.runs])


def gain_of(way: Figures, source: Figures, situation: Situation) -> Gain | None:
    """Return how many times as good a way is as the data as it lies, None where one of them is not known."""
    mine, theirs = cost(way, situation), cost(source, situation)
    if mine is None or theirs is None:
        return None
    (low, high), (source_low, source_high) = mine.interval, theirs.interval
    return Gain(theirs.median / mine.median, source_low / high, source_high / low)


def is_tie(first: Figures, second: Figures, situation: Situation) -> bool:
    """Return whether neither is called better: within 5 %, or within 10 % where the intervals of times overlap."""
    mine, theirs = cost(first, situation), cost(second, situation)
    if mine is None or theirs is None:
        return False
    apart = max(mine.median, theirs.median) / min(mine.median, theirs.median) - 1
    # Bytes are counted once and for all: they have no interval.
    return apart <= TIE or (situation.use != "archive" and apart <= LOOSE_TIE and overlap(mine, theirs))


def rate_at_least(way: Figures, situation: Situation) -> float:
    """Return the images a second that a way gives for sure: by the slow end of its interval, 0 where it was not measured."""
    found = reading(way, situation)
    return 0.0 if found is None else 1 / found.interval[1]


def payback(way: Figures, source: Figures, situation: Situation) -> float | None:
    """Return after how many epochs of training the conversion has paid for itself, None where it never does or that is not known."""
    if situation.use != "train" or not situation.is_medium_measured or way.is_source:
        return None
    mine, theirs = cost(way, situation), cost(source, situation)
    if mine is None or theirs is None or way.convert_seconds is None:
        return None
    saved = (theirs.median - mine.median) * situation.images
    return way.convert_seconds / saved if saved > 0 else None
