from __future__ import annotations

from collections.abc import Iterator

import matplotlib
import pytest
from matplotlib.text import Text

from pixstore.bench import Results, style
from pixstore.bench.plots import classic
from pixstore.bench.plots.frame import Drawing


@pytest.fixture(autouse=True)
def settings() -> Iterator[None]:
    with matplotlib.rc_context(style.SETTINGS):
        yield


def texts(figure: Drawing) -> list[str]:
    return [each.get_text() for each in figure.findobj(Text) if each.get_text()]


def test_a_way_that_failed_keeps_its_row_and_says_so(measured: Results) -> None:
    for figure, failures in (
        (classic.together(measured, 1000), 1),
        (classic.throughput(measured, 1000), 3),
        (classic.disk(measured, 1000), 1),
        (classic.lines(measured, "store-many", is_log=True), 1),
    ):
        assert "LMDB + raw" in texts(figure)
        assert len([text for text in texts(figure) if "failed" in text]) == failures


def test_marks_say_their_way_and_their_value(measured: Results) -> None:
    said = [text for found in classic.together(measured, 1000).tips.values() for text in found]
    assert "PNG files, tutorial, storing: 301 ms" in said
    assert len(said) == 9
    said = [text for found in classic.disk(measured, 1000).tips.values() for text in found]
    assert "LMDB, tutorial: 4.1 MB allocated" in said


def test_growth_is_drawn_where_it_fits_on_logarithmic_axes_alone(measured: Results) -> None:
    drawn = {}
    for is_log in (True, False):
        (axes,) = classic.lines(measured, "read-many", is_log=is_log).axes
        drawn[is_log] = [line for line in axes.lines if line.get_color() == style.INK]
    assert len(drawn[True]) == 4
    assert drawn[False] == []


def test_one_image_has_time_and_disk(measured: Results) -> None:
    said = [text for found in classic.one_image(measured).tips.values() for text in found]
    assert "LMDB + raw: 12.3 kB" in said
    assert len(said) == 12


def test_ways_of_the_lab_alone_have_no_row(measured: Results) -> None:
    measured.run["ways"]["hand-lmdb"] = {"title": "LMDB, by hand", "threads": 1}
    drawn = [
        classic.together(measured, 1000),
        classic.throughput(measured, 1000),
        classic.disk(measured, 1000),
        classic.one_image(measured),
    ]
    drawn += [classic.lines(measured, "read-many", is_log=is_log) for is_log in (True, False)]
    assert all("LMDB, by hand" not in texts(figure) for figure in drawn)
