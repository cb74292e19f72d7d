"""How time grows with the number of images: a fixed cost and a cost per image, fitted over the numbers measured.

The line is that of least squares on relative errors, so that 1 image and 100,000 count alike: it minimises
the sum of ((fixed + per_image × n − t) / t)² over the medians t, neither cost below zero (C. Tofallis, "Least Squares Percentage
Regression", Journal of Modern Applied Statistical Methods 7 (2), 2008). A way whose medians lie further from its line than
`LARGEST_ERROR` does not grow in a straight line, and no costs are claimed for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pixstore.bench import words
from pixstore.bench.measurements import Measurements

LARGEST_ERROR = 0.15
"""Of what was measured; a line that leaves every median so near is said to hold."""
LEAST_POINTS = 3
"""Two points lie on some line whatever they are."""
DEEDS = {"store-many": "Storing", "read-many": "Reading in order", "read-shuffled": "Reading in random order"}
SAID = ("store-many", "read-shuffled")


@dataclass(frozen=True)
class Fit:
    """One way's line over its numbers of images; `points` are those numbers, ascending."""

    way: str
    fixed_seconds: float
    seconds_per_image: float
    worst_relative_error: float
    points: tuple[int, ...]

    @property
    def holds(self) -> bool:
        """Whether the line says how this way grows."""
        return self.worst_relative_error <= LARGEST_ERROR

    def seconds(self, images: float) -> float:
        """Return what the line says for so many images."""
        return self.fixed_seconds + self.seconds_per_image * images


def fits(results: Measurements, experiment: str) -> list[Fit]:
    """Return the line of every way with three numbers of images or more, in the order of the ways; see `Fit.holds`."""
    found = []
    for way in results.ways:
        medians = {images: results.median(experiment, way, images) for images in results.cutoffs(experiment)}
        points = {images: seconds for images, seconds in medians.items() if seconds}
        if len(points) >= LEAST_POINTS:
            found.append(fit(way, list(points), list(points.values())))
    return found


def fit(way: str, images: Sequence[int], seconds: Sequence[float]) -> Fit:
    """Return the line through these medians; both costs are zero or more."""
    number, time = np.asarray(images, np.float64), np.asarray(seconds, np.float64)
    # Relative errors: both sides of fixed + per_image × n = t divided by t.
    terms = np.stack([1 / time, number / time], axis=1)
    fixed, each = np.linalg.lstsq(terms, np.ones(len(time)), rcond=None)[0].tolist()
    if fixed < 0:
        fixed, each = 0.0, _alone(terms[:, 1])
    elif each < 0:
        fixed, each = _alone(terms[:, 0]), 0.0
    worst = float(np.abs(terms @ [fixed, each] - 1).max())
    return Fit(way, fixed, each, worst, tuple(images))


def _alone(term: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> float:
    """Return the one cost that remains where the other would be below zero."""
    return float(term.sum() / (term * term).sum())


def sentences(results: Measurements) -> list[str]:
    """Return how storing and how reading in random order grow, one sentence each; none where too few numbers were measured."""
    return [text for experiment in SAID if (text := _sentence(results, experiment))]


def _sentence(results: Measurements, experiment: str) -> str:
    found = fits(results, experiment)
    if not found:
        return ""
    straight = sorted((each for each in found if each.holds), key=lambda each: each.seconds_per_image)
    bent = sorted((each for each in found if not each.holds), key=lambda each: -each.worst_relative_error)
    over = f"{found[0].points[0]:,} to {max(each.points[-1] for each in found):,} images"
    if not straight:
        nearest = bent[-1]
        return (
            f"{DEEDS[experiment]} {over} is a straight line with none of {words.count(len(found), 'way')}; the nearest is "
            f"{results.title(nearest.way)}, off by up to {nearest.worst_relative_error:.0%}."
        )
    costs = _costs(results, straight[0])
    if len(straight) > 1:
        costs += f" up to {_costs(results, straight[-1])}"
    text = (
        f"{DEEDS[experiment]} {over} costs a fixed time and a time per image with {len(straight)} of {words.count(len(found), 'way')} "
        f"(a straight line within {LARGEST_ERROR:.0%}): {costs}"
    )
    if bent:
        text += (
            f"; no straight line: {', '.join(f'{results.title(each.way)} (off by up to {each.worst_relative_error:.0%})' for each in bent)}"
        )
    return text + "."


def _costs(results: Measurements, line: Fit) -> str:
    return f"{words.duration(line.fixed_seconds)} + {words.duration(line.seconds_per_image)} per image with {results.title(line.way)}"
