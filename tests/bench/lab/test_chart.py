from __future__ import annotations

import pytest

from pixstore.bench.lab.chart import RATE, SECONDS, Chart, points, value_of
from pixstore.bench.measurements import Observation
from pixstore.bench.statistics import Spread

TIMES = Spread.of([1.0, 2.0, 4.0])
ANSWERS = [
    Observation("order", "a", 100, {"order": "shuffled", "access": "one", "level": 1}, TIMES, {"p99_seconds": Spread.of([0.5])}),
    Observation("order", "a", 100, {"order": "in order", "access": "many", "level": 1}, TIMES),
    Observation("order", "b", 100, {"order": "shuffled", "access": "one", "level": 2}, error="OSError: gone"),
    Observation("order", "", 0, {}, error="nothing at all"),
]


def test_a_chart_shows_the_cells_on_its_axis_with_its_fixed_settings() -> None:
    found = points(ANSWERS, Chart("order", "Order", "order", fixed={"access": "one"}))
    assert [(each.way, each.place, each.rest) for each in found] == [("a", "shuffled", (("level", 1),)), ("b", "shuffled", (("level", 2),))]
    assert found[1].value is None and found[1].error == "OSError: gone"


@pytest.mark.parametrize(("value", "median"), [(SECONDS, 2.0), (RATE, 50.0), ("p99_seconds", 0.5)])
def test_values_are_times_rates_and_measures(value: str, median: float) -> None:
    found = value_of(ANSWERS[0], value)
    assert found is not None and found.median == median


def test_what_was_not_measured_has_no_value() -> None:
    assert [value_of(ANSWERS[2], value) for value in (SECONDS, RATE, "p99_seconds")] == [None] * 3


def test_what_took_no_time_has_no_rate() -> None:
    assert value_of(Observation("order", "a", 100, {}, Spread.of([0.0, 1.0])), RATE) is None
