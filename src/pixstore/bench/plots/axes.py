"""Axes of a chart's values, and words for its cells without a value."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.ticker import FuncFormatter, NullLocator

from pixstore.bench import style
from pixstore.bench.plots import frame
from pixstore.bench.plots.shown import UNMEASURED, Series, Shown
from pixstore.bench.table import FAILED

FEW_DECADES = 30
"""On a logarithmic axis shorter than this many times the ticks between the powers of ten have numbers too."""
ACROSS_SPAN = 10
ACROSS_ROOM = 0.05
MOST_IN_ROW = 2
BELOW_POINTS = {FAILED: 48.0, UNMEASURED: 60.0}


def scale_values(axis: Any, what: Shown) -> None:
    """Give an axis of values its scale, and ticks in words."""
    if not what.is_log:
        frame.ticks(axis, what.unit.tick)
        return
    getattr(axis.axes, f"set_{axis.axis_name}scale")("log")
    frame.log_ticks(axis, what.unit.tick)
    if max(what.values) < FEW_DECADES * min(what.values):
        axis.set_minor_formatter(FuncFormatter(lambda value, _: what.unit.tick(value)))


def scale_across(axes: Any, what: Shown, places: Sequence[float]) -> None:
    """Mark exactly the places that were measured, on a logarithmic axis where they lie far apart."""
    low, high = min(places), max(places)
    if len(places) > 2 and low > 0 and high >= ACROSS_SPAN * low:
        axes.set_xscale("log")
        room = (high / low) ** ACROSS_ROOM
        axes.set_xlim(low / room, high * room)
    else:
        # Places where nothing was measured are shown too: what is missing is seen.
        room = (high - low) * ACROSS_ROOM or 1.0
        axes.set_xlim(low - room, high + room)
    axes.set_xticks(places, [f"{place:,}" if isinstance(place, int) else str(place) for place in what.places])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel(what.chart.axis)


def say_lost_in_row(axes: Any, row: float, what: Shown, series: Series) -> None:
    """Write beside a row which of its cells have no value."""
    said = []
    for word in (FAILED, UNMEASURED):
        lost = series.lost(word)
        if len(lost) == len(series.points):
            said.append(word)
        elif len(lost) > MOST_IN_ROW:
            said.append(f"{word}: {len(lost)} of {len(series.points)}")
        elif lost:
            said.append(f"{word}: {', '.join(what.place(each) for each in lost)}")
    frame.say_in_row(axes, row, "; ".join(said), style.WRONG if series.lost(FAILED) else style.SOFT)


def say_lost_below(axes: Any, what: Shown) -> None:
    """Name below the axes which cells have no value."""
    for word, points in BELOW_POINTS.items():
        lost = [f"{series.label}, {what.place(each)}" for series in what.series for each in series.lost(word)]
        frame.say_below(axes, lost, word, points, style.WRONG if word == FAILED else style.SOFT)
