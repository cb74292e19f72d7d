"""Charts of lines over an axis, the band being each median's interval."""

from __future__ import annotations

from typing import Any

from pixstore.bench import style
from pixstore.bench.measurements import Measurements, Value
from pixstore.bench.plots import axes as scales
from pixstore.bench.plots import frame
from pixstore.bench.plots.rows import PLACE_MARKS
from pixstore.bench.plots.shown import Rest, Series, Shown
from pixstore.bench.style import look

REST_LINES: tuple[Any, ...] = ("-", (0, (5, 2)), (0, (1, 1.5)), (0, (7, 1.5, 1, 1.5)), (0, (3, 1, 1, 1, 1, 1)))
LEAST_INCHES = 4.4
LABEL_INCHES = 0.2


def lines(results: Measurements, what: Shown) -> frame.Drawing:
    """Return one line per series over the axis, its name at its end; places that are no numbers stand side by side."""
    figure, (axes,) = frame.panels(1, frame.WIDTH, max(LEAST_INCHES, 1.2 + LABEL_INCHES * len(what.series)))
    has_numbers = all(isinstance(place, int | float) for place in what.places)
    across = {place: float(place) if has_numbers else float(number) for number, place in enumerate(what.places)}
    rests = list(dict.fromkeys(series.rest for series in what.series))
    ends = [end for series in what.series if (end := _line(figure, axes, what, series, across, rests)) is not None]
    scales.scale_values(axes.yaxis, what)
    if not what.is_log:
        axes.set_ylim(bottom=0)
    scales.scale_across(axes, what, list(across.values()))
    axes.set_ylabel(what.unit.label)
    scales.say_lost_below(axes, what)
    frame.heading(axes, what.chart.title, what.below(results, "higher", "lower"))
    frame.end_labels(axes, ends)
    return figure


def _line(
    figure: frame.Drawing, axes: Any, what: Shown, series: Series, across: dict[Value, float], rests: list[Rest]
) -> tuple[float, float, str, str] | None:
    """Draw one series; return where its name belongs, None where it has no value."""
    measured = sorted((each for each in series.points if each.value), key=lambda each: across[each.place])
    if not measured:
        return None
    shape, number = look(series.way), rests.index(series.rest)
    # The way's own line and mark, unless the same way has several lines: then those tell them apart.
    line = shape.line if len(rests) == 1 else REST_LINES[number % len(REST_LINES)]
    mark = shape.mark if len(rests) == 1 else PLACE_MARKS[number % len(PLACE_MARKS)]
    places = [across[each.place] for each in measured]
    medians = [each.value.median for each in measured if each.value]
    intervals = [each.value.interval for each in measured if each.value]
    axes.fill_between(places, [low for low, _ in intervals], [high for _, high in intervals], color=shape.colour, alpha=0.14, linewidth=0)
    (drawn,) = axes.plot(
        places, medians, color=shape.colour, linestyle=line, linewidth=shape.width, marker=mark, markersize=5.5,
        markerfacecolor=style.PAPER if shape.is_hollow else shape.colour, markeredgecolor=shape.colour, clip_on=False, zorder=3,
    )  # fmt: skip
    figure.tip(drawn, *(what.tip(series, each) for each in measured))
    return places[-1], medians[-1], series.label, series.way
