"""A question's answers as one table of text for the terminal: those of its first plot, a row per way, a column per place."""

from __future__ import annotations

from pixstore.bench import words
from pixstore.bench.lab.catalog import QUESTIONS
from pixstore.bench.measurements import Measurements
from pixstore.bench.plots.shown import Series, Shown, place_text, shown, word_of
from pixstore.bench.table import NAMES, NONE, Table


def first_table(results: Measurements, question: str) -> Table | None:
    """Return the medians of the question's first plot; None where none of them was measured."""
    answers = results.answers(question)
    charts = QUESTIONS[question].charts(answers) if question in QUESTIONS and answers else []
    what = shown(results, charts[0], answers) if charts else None
    if what is None or not what.values:
        return None
    places = [place_text(what.chart.axis, place) for place in what.places]
    rows = [(series.label, series.way, *(_text(what, series, number) for number in range(len(places)))) for series in what.series]
    title, label = what.chart.title, what.unit.label
    whole = title if label in title else f"{title}: {label}"
    return Table(f"{whole}; {_images(results, what)}", (*NAMES, *places), rows)


def _images(results: Measurements, what: Shown) -> str:
    return words.images(results, *(point.images for series in what.series for point in series.points))


def _text(what: Shown, series: Series, number: int) -> str:
    point = {each.place: each for each in series.points}.get(what.places[number])
    if point is None:
        return NONE
    return word_of(point.error) if point.value is None else what.unit.text(point.value.median)
