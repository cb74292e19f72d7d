from __future__ import annotations

from pixstore.bench import Results, Spread
from pixstore.bench.lab.chart import Chart
from pixstore.bench.measurements import Observation
from pixstore.bench.plots.frame import Drawing
from pixstore.bench.plots.lines import lines
from pixstore.bench.plots.shown import shown

CHART = Chart("w", "Workers", "workers", "seconds", "lines")


def draw(measured: Results, kinds: tuple[str, ...], ways: tuple[str, ...] = ("lmdb/raw",)) -> Drawing:
    found = [
        Observation("q", way, 9, {"workers": workers, "with": kind}, Spread.of([1 / workers]))
        for way in ways
        for kind in kinds
        for workers in (1, 2, 4)
    ]
    return lines(measured, shown(measured, CHART, found))


def looks(figure: Drawing) -> set[tuple[str, str, str]]:
    (axes,) = figure.axes
    return {(line.get_linestyle(), str(line.get_marker()), line.get_markerfacecolor()) for line in axes.lines if line.get_gid()}


def test_lines_of_one_way_are_told_apart_without_colour(measured: Results) -> None:
    assert len(looks(draw(measured, ("threads", "processes", "shards")))) == 3


def test_lines_of_ways_have_the_looks_of_the_ways(measured: Results) -> None:
    assert len(looks(draw(measured, ("threads",), ("lmdb/raw", "tutorial-lmdb")))) == 2


def test_places_without_a_value_are_inside_the_plot_too(measured: Results) -> None:
    found = [Observation("q", "lmdb/raw", 9, {"workers": 2}, Spread.of([1.0]))]
    found += [Observation("q", "lmdb/raw", 9, {"workers": workers}, error="OSError: gone") for workers in (1, 8)]
    (axes,) = lines(measured, shown(measured, CHART, found)).axes
    low, high = axes.get_xlim()
    assert low < 1
    assert high > 8


def test_only_places_that_were_asked_are_marked_along_the_axis(measured: Results) -> None:
    (axes,) = draw(measured, ("threads",)).axes
    assert [each.get_text() for each in axes.get_xticklabels()] == ["1", "2", "4"]
    assert axes.get_xlabel() == "workers"
