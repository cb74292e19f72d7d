"""A question's charts, drawn; what has no value is said in the margin, never left out."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pixstore.bench.lab.chart import Chart
from pixstore.bench.measurements import Measurements, Observation
from pixstore.bench.plots.frame import Drawing
from pixstore.bench.plots.lines import lines
from pixstore.bench.plots.rows import bars, dots
from pixstore.bench.plots.shown import Shown, shown

KINDS: dict[str, Callable[[Measurements, Shown], Drawing]] = {"lines": lines, "dots": dots, "bars": bars}


def draw(results: Measurements, chart: Chart, answers: Sequence[Observation]) -> Drawing | None:
    """Return the chart's plot; None where none of its cells has a value."""
    what = shown(results, chart, answers)
    return KINDS[chart.kind](results, what) if what.values else None
