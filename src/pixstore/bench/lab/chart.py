"""How the answers to a question are looked at: which measure over which axis; plots and the tables behind them are drawn from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from pixstore.bench.measurements import Observation, Value
from pixstore.bench.statistics import Spread

RATE = "images_per_second"
SECONDS = "seconds"


@dataclass(frozen=True)
class Chart:
    """One plot of a question.

    axis: what varies along it, a name in every setting. value: "images_per_second" and "seconds" come from the times, any other is
    a measure. kind: "lines" over a numeric axis, "dots" (one row per way, one mark per value of the axis) or "bars" for a few values.
    fixed: only cells with these settings. Whatever else their settings say tells the series apart.
    """

    name: str
    title: str
    axis: str
    value: str = RATE
    kind: Literal["lines", "dots", "bars"] = "dots"
    is_log: bool = False
    fixed: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True)
class Point:
    """One cell as a chart shows it; `series` is the way, and the rest of its setting where that varies."""

    way: str
    rest: tuple[tuple[str, Value], ...]
    place: Value
    images: int
    value: Spread | None
    error: str | None


def points(answers: Sequence[Observation], chart: Chart) -> list[Point]:
    """Return the cells that the chart shows, in their order."""
    found = []
    for each in answers:
        if chart.axis not in each.setting or any(each.setting.get(name) != value for name, value in chart.fixed.items()):
            continue
        rest = tuple((name, value) for name, value in each.setting.items() if name != chart.axis and name not in chart.fixed)
        found.append(Point(each.way, rest, each.setting[chart.axis], each.images, value_of(each, chart.value), each.error))
    return found


def value_of(answer: Observation, value: str) -> Spread | None:
    """Return one measure of a cell, None where it was not measured."""
    if value == SECONDS:
        return answer.seconds
    if value == RATE:
        seconds = answer.seconds
        # A clock may be too coarse for what took no time: that is no rate.
        return Spread.of([answer.images / each for each in seconds.runs]) if seconds is not None and min(seconds.runs) > 0 else None
    return answer.measures.get(value)
