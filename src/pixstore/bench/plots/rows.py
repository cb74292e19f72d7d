"""Charts in rows: marks on a line per series, or bars."""

from __future__ import annotations

from typing import Any

from matplotlib.lines import Line2D

from pixstore.bench import style
from pixstore.bench.lab.chart import Point
from pixstore.bench.measurements import Measurements
from pixstore.bench.plots import axes as scales
from pixstore.bench.plots import frame
from pixstore.bench.plots.shown import Series, Shown, place_text, word_of
from pixstore.bench.style import look
from pixstore.bench.table import FAILED, NONE

PLACE_MARKS = ("o", "s", "D", "^", "v", "P", "X", "*", "<", ">")
BAR_INCHES = 0.21
BAR_GAP = 0.7
DOTS_ROOM, BARS_ROOM = 1.05, 1.35
"""How far an axis goes beyond its largest value, as a multiple of it: dots need little room, bars have text beside them."""


def dots(results: Measurements, what: Shown) -> frame.Drawing:
    """Return one row per series with a mark per place, and a thick line over each mark's interval."""
    figure, (axes,) = frame.panels(1, frame.WIDTH, 1.5 + frame.ROW_INCHES * len(what.series))
    for row, series in enumerate(what.series):
        _row_of_dots(figure, axes, row, what, series)
        scales.say_lost_in_row(axes, row, what, series)
    scales.scale_values(axes.xaxis, what)
    if not what.is_log:
        widest = max(each.value.interval[1] for series in what.series for each in series.points if each.value)
        axes.set_xlim(0, max(widest, 1e-12) * DOTS_ROOM)
    axes.set_xlabel(what.unit.label)
    frame.rows(axes, [series.label for series in what.series])
    handles = []
    for number, place in enumerate(what.places):
        mark, face = place_mark(number, style.INK)
        label = place_text(what.chart.axis, place)
        handles.append(Line2D([], [], linestyle="", marker=mark, color=style.INK, markerfacecolor=face, label=label))
    frame.legend_below(axes, handles, min(4, len(handles)), 0.62)
    frame.heading(axes, what.chart.title, what.below(results, "further right", "further left"))
    return figure


def _row_of_dots(figure: frame.Drawing, axes: Any, row: int, what: Shown, series: Series) -> None:
    shape = look(series.way)
    medians = [each.value.median for each in series.points if each.value]
    ends = [min(medians), max(medians)] if medians else []
    axes.plot(ends, [row] * len(ends), color=shape.colour, linestyle=shape.line, linewidth=1.2, alpha=0.6, zorder=2)
    for each in series.points:
        if each.value is None:
            continue
        mark, face = place_mark(what.places.index(each.place), shape.colour)
        axes.plot(each.value.interval, [row, row], color=shape.colour, linewidth=3.2, alpha=0.35, solid_capstyle="butt", zorder=2)
        (drawn,) = axes.plot(
            each.value.median,
            row,
            mark,
            color=shape.colour,
            markerfacecolor=face,
            markersize=6.5,
            markeredgewidth=1.4,
            zorder=3,
            clip_on=False,
        )
        figure.tip(drawn, what.tip(series, each))


def place_mark(number: int, colour: str) -> tuple[str, str]:
    """Return the mark of a place along the axis and its filling: every other is hollow, so neighbours differ twice over.

    The second time round what was hollow is full: twice as many places as marks are told apart.
    """
    turn, place = divmod(number, len(PLACE_MARKS))
    return PLACE_MARKS[place], style.PAPER if (place + turn) % 2 else colour


def bars(results: Measurements, what: Shown) -> frame.Drawing:
    """Return a bar per place, those of a series together, each with its place and its value beside it."""
    count = sum(len(series.points) for series in what.series)
    figure, (axes,) = frame.panels(1, frame.WIDTH, 1.3 + BAR_INCHES * (count + BAR_GAP * len(what.series)))
    row, middles = 0.0, []
    for series in what.series:
        middles.append(row + (len(series.points) - 1) / 2)
        for each in series.points:
            _bar(figure, axes, what, series, each, row)
            row += 1.0
        row += BAR_GAP
    frame.rows(axes, [series.label for series in what.series])
    axes.set_yticks(middles, [series.label for series in what.series])
    axes.set_ylim(row - 1.0, -0.8)
    scales.scale_values(axes.xaxis, what)
    widest = max(each.value.interval[1] for series in what.series for each in series.points if each.value)
    start = log_start(what) if what.is_log else 0.0
    axes.set_xlim(start, widest * (widest / start) ** 0.4 if what.is_log else max(widest, 1e-12) * BARS_ROOM)
    axes.set_xlabel(what.unit.label)
    frame.heading(axes, what.chart.title, what.below(results, "longer", "shorter"))
    return figure


def log_start(what: Shown) -> float:
    """Return where bars start on a logarithmic axis, left of every value and its interval."""
    return min(each.value.interval[0] or each.value.median for series in what.series for each in series.points if each.value) / 2


def _bar(figure: frame.Drawing, axes: Any, what: Shown, series: Series, point: Point, row: float) -> None:
    # Where all bars are of one place, the title says it.
    place = f"{what.place(point)}: " if len(what.places) > 1 else ""
    if point.value is None:
        word = word_of(point.error) if point.error else NONE
        colour = style.WRONG if word == FAILED else style.SOFT
        axes.text(0, row, f" {place}{word}", transform=axes.get_yaxis_transform(), va="center", fontsize=8.5, color=colour)
        return
    value = point.value.median
    start = log_start(what) if what.is_log else 0.0
    frame.bar(figure, axes, row, value, series.way, what.tip(series, point), height=0.8, start=start)
    low, high = point.value.interval
    if high > low:
        axes.plot([low, high], [row, row], color=style.INK, linewidth=1.0, zorder=4)
    axes.annotate(
        f"{place}{what.unit.text(value)}", (max(high, value), row), (4, 0), textcoords="offset points", va="center", fontsize=8.5,
        bbox=frame.BEHIND_TEXT, zorder=2,
    )  # fmt: skip
