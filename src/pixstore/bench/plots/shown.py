"""What a chart of a question shows, before anything is drawn: its series, the places along its axis, its texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pixstore.bench import units, words
from pixstore.bench.lab.chart import Chart, Point, points
from pixstore.bench.measurements import Measurements, Observation, Value
from pixstore.bench.table import FAILED
from pixstore.bench.units import Unit

LOG_SPAN = 20
"""Values further apart than this many times are drawn on a logarithmic axis."""
LEAST_LOG_SPAN = 3
"""Values nearer than that are not, whatever is asked: such an axis would have no round number on it."""
UNMEASURED = "not measured"
Rest = tuple[tuple[str, Value], ...]


@dataclass(frozen=True)
class Series:
    """The points of one way and one value of whatever else varies, in the order measured."""

    way: str
    rest: Rest
    label: str
    points: tuple[Point, ...]

    def lost(self, word: str) -> list[Point]:
        """Return the points that failed, or were not measured, as `word` says."""
        return [each for each in self.points if each.error is not None and word_of(each.error) == word]


@dataclass(frozen=True)
class Shown:
    """What a chart draws."""

    chart: Chart
    series: tuple[Series, ...]
    places: tuple[Value, ...]
    unit: Unit

    @property
    def values(self) -> list[float]:
        """Every median there is."""
        return [each.value.median for series in self.series for each in series.points if each.value is not None]

    @property
    def is_log(self) -> bool:
        """Whether the values need a logarithmic axis: where they lie far apart, or it is asked; never with a zero among them.

        Shares of a whole stay linear unless it is asked: 0.1 % and 1 % are both next to nothing.
        """
        values = self.values
        if not values or min(values) <= 0 or (self.unit.text is words.percent and not self.chart.is_log):
            return False
        return max(values) > (LEAST_LOG_SPAN if self.chart.is_log else LOG_SPAN) * min(values)

    def place(self, point: Point) -> str:
        return place_text(self.chart.axis, point.place)

    def tip(self, series: Series, point: Point) -> str:
        """Return what is said where this point is pointed at."""
        what = f"{series.label}, {self.place(point)}"
        if point.value is None:
            return f"{what}: {word_of(point.error)}"
        low, high = point.value.interval
        repeats = words.count(len(point.value.runs), "repeat")
        between = f" ({self.unit.text(low)} – {self.unit.text(high)}, {repeats})" if len(point.value.runs) > 1 else ""
        return f"{what}: {self.unit.text(point.value.median)}{between}"

    def below(self, results: Measurements, more: str, less: str) -> str:
        """Return the line below the title: which images, which way is better, what is drawn."""
        better = {True: f"; {more} is better", False: f"; {less} is better", None: ""}[self.unit.is_more_better]
        return f"{words.source(results)}{better}; median, 95 % interval"


def shown(results: Measurements, chart: Chart, answers: Sequence[Observation]) -> Shown:
    """Return what the chart draws of these answers; cells for which the measure has no meaning are left out, failed ones are not."""
    found = [each for each in points(answers, chart) if each.value is not None or each.error is not None]
    varying = varying_names(found)
    groups: dict[tuple[str, Rest], list[Point]] = {}
    for each in found:
        rest = tuple((name, value) for name, value in each.rest if name in varying)
        groups.setdefault((each.way, rest), []).append(each)
    series = tuple(Series(way, rest, _label(results.title(way), rest), tuple(group)) for (way, rest), group in groups.items())
    places = tuple(dict.fromkeys(each.place for each in found))
    if all(isinstance(place, int | float) for place in places):
        places = tuple(sorted(places))
    return Shown(chart, series, places, units.unit_of(chart.value))


def varying_names(found: Sequence[Point]) -> set[str]:
    """Return the settings beside the axis that tell series apart: of which a way has several at one place of the axis."""
    seen: dict[tuple[str, Value, str], set[Value]] = {}
    for each in found:
        for name, value in each.rest:
            seen.setdefault((each.way, each.place, name), set()).add(value)
    return {name for (_, _, name), values in seen.items() if len(values) > 1}


def place_text(axis: str, place: Value) -> str:
    """Return where a point stands in words: "shuffled", "batch 64"."""
    if isinstance(place, str):
        return place
    return f"{axis} {place:,}" if isinstance(place, int) else f"{axis} {words.rounded(place)}"


def word_of(error: str | None) -> str:
    """Return "not measured" where the time was too short, else "failed"."""
    return UNMEASURED if (error or "").startswith(UNMEASURED) else FAILED


def _label(title: str, rest: Rest) -> str:
    return ", ".join([title, *(place_text(name, value) for name, value in rest)])
