from __future__ import annotations

import pytest

from pixstore.bench import Results, Spread
from pixstore.bench.lab.chart import Chart
from pixstore.bench.measurements import Observation
from pixstore.bench.plots import axes as scales
from pixstore.bench.plots import frame
from pixstore.bench.plots.shown import shown

CHART = Chart("w", "Workers", "workers", "seconds")


@pytest.mark.parametrize(
    ("lost", "text"),
    [((), []), ((2,), ["failed: workers 2"]), ((1, 2, 4), ["failed: 3 of 4"]), ((1, 2, 4, 8), ["failed"])],
)
def test_a_row_says_what_of_it_has_failed(lost: tuple[int, ...], text: list[str], measured: Results) -> None:
    found = []
    for workers in (1, 2, 4, 8):
        seconds, error = (None, "OSError: gone") if workers in lost else (Spread.of([1.0]), None)
        found.append(Observation("q", "lmdb/raw", 9, {"workers": workers}, seconds, error=error))
    what = shown(measured, CHART, found)
    _, (axes,) = frame.panels(1, 4, 3)
    scales.say_lost_in_row(axes, 0, what, what.series[0])
    assert [each.get_text() for each in axes.texts] == text


@pytest.mark.parametrize(("places", "scale"), [((1, 2, 4), "linear"), ((1, 10, 100), "log"), ((0, 10, 100), "linear")])
def test_places_far_apart_stand_on_a_logarithmic_axis(places: tuple[int, ...], scale: str, measured: Results) -> None:
    found = [Observation("q", "lmdb/raw", 9, {"workers": place}, Spread.of([1.0])) for place in places]
    _, (axes,) = frame.panels(1, 4, 3)
    scales.scale_across(axes, shown(measured, CHART, found), places)
    assert axes.get_xscale() == scale
