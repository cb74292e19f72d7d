from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import matplotlib
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from pixstore.bench import Results, Spread, style
from pixstore.bench.lab.chart import Chart
from pixstore.bench.measurements import Observation
from pixstore.bench.plots import charts

Kind = Literal["lines", "dots", "bars"]


def answers(*, error: str | None = "OSError: gone") -> list[Observation]:
    found = []
    for way in ("tutorial-lmdb", "lmdb/raw", "packed/png"):
        for workers in (1, 2, 8):
            failed = error if (way, workers) == ("lmdb/raw", 2) else None
            seconds = None if failed else Spread.of([1 / workers, 1.1 / workers, 1.2 / workers])
            found.append(Observation("q", way, 100, {"workers": workers}, seconds, {}, {}, failed))
    return found


def texts(figure: Figure) -> list[str]:
    return [each.get_text() for each in figure.findobj(Text) if each.get_text()]


@pytest.fixture(autouse=True)
def settings() -> Iterator[None]:
    with matplotlib.rc_context(style.SETTINGS):
        yield


@pytest.mark.parametrize("kind", ["lines", "dots", "bars"])
def test_every_cell_is_drawn_or_said_in_the_margin(kind: Kind, measured: Results) -> None:
    figure = charts.draw(measured, Chart("w", "Workers", "workers", kind=kind), answers())
    assert figure is not None
    assert sum(len(each) for each in figure.tips.values()) == 8
    said = [text for text in texts(figure) if "failed" in text]
    assert len(said) == 1
    assert "workers 2" in said[0]
    for title in ("LMDB, tutorial", "LMDB + raw", "packed + PNG"):
        assert title in texts(figure), title


@pytest.mark.parametrize("kind", ["lines", "dots", "bars"])
def test_what_there_was_no_time_for_is_not_called_failed(kind: Kind, measured: Results) -> None:
    figure = charts.draw(measured, Chart("w", "Workers", "workers", kind=kind), answers(error="not measured: no time"))
    assert figure is not None
    assert any("not measured" in text for text in texts(figure))
    assert not any("failed" in text for text in texts(figure))


@pytest.mark.parametrize("kind", ["lines", "dots", "bars"])
def test_zeros_and_words_along_the_axis_are_drawn_too(kind: Kind, measured: Results) -> None:
    zero = {"waiting_share": Spread.of([0.0])}
    found = [Observation("q", "lmdb/raw", 9, {"pace": pace}, Spread.of([1.0]), zero) for pace in ("slow", "fast")]
    figure = charts.draw(measured, Chart("w", "Waiting", "pace", "waiting_share", kind, is_log=True), found)
    assert figure is not None
    assert sum(len(each) for each in figure.tips.values()) == 2
    assert any("slow" in text for text in texts(figure))


@pytest.mark.parametrize("kind", ["lines", "dots", "bars"])
def test_a_chart_without_any_value_is_not_drawn(kind: Kind, measured: Results) -> None:
    lost = [Observation("q", "lmdb/raw", 9, {"workers": 1}, error="OSError: gone")]
    assert charts.draw(measured, Chart("w", "Workers", "workers", kind=kind), lost) is None
    assert charts.draw(measured, Chart("w", "Workers", "no such axis", kind=kind), answers()) is None
