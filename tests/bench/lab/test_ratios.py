"""Which way a change is worth most to is said only where the noise lets it be known."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixstore.bench.lab.ratios import Ratio, ends, ratios
from pixstore.bench.measurements import Measurements
from pixstore.bench.statistics import Spread, overlap

RUN = Measurements({}, {}, {"ways": {name: {"title": name.upper()} for name in "abc"}})
values = st.lists(st.floats(0.1, 10), min_size=1, max_size=8)


def around(median: float, part: float = 0.01) -> Spread:
    return Spread.of([median * (1 + step * part) for step in range(-2, 3)])


USUAL = {name: around(1.0) for name in "abc"}


def said(changed: dict[str, Spread]) -> str:
    return ends(ratios(changed, USUAL, "the rate"), RUN)


def test_most_and_least_are_named_with_their_ratios() -> None:
    assert (
        said({"a": around(2), "b": around(10), "c": around(1.01)})
        == "most with B, 10× the rate, and least with C, nothing beyond the noise"
    )
    assert said({"a": around(2), "b": around(10), "c": around(0.5)}) == "most with B, 10× the rate, and least with C, 0.5×"


def test_ways_that_gain_alike_are_not_ranked() -> None:
    assert said({"a": around(2), "b": around(2.04)}) == "2× the rate, with no way more than with another beyond the noise"
    assert said({"a": around(2, 0.1), "b": around(2.5, 0.1)}) == "2× to 2.5× the rate, with no way more than with another beyond the noise"
    assert said({"a": around(2), "b": around(2.04), "c": around(1)}).startswith(
        "most with B (not told apart from A), 2× the rate, and least with C"
    )


def test_what_is_noise_is_said_to_be_nothing() -> None:
    assert said({"a": around(1.01), "b": around(0.99)}) == "nothing beyond the noise with any of 2 ways"
    assert said({"a": around(1.01)}) == "nothing beyond the noise with A"
    assert said({}) == ""


def test_of_what_was_measured_too_few_times_nothing_is_claimed_nor_denied() -> None:
    few = {"a": Spread.of([2.0] * 3), "b": Spread.of([20.0] * 4), "c": around(3)}
    found = ratios(few, USUAL, "the rate")
    assert ends({way: found[way] for way in "ab"}, RUN) == "about 2× to 20× the rate, by too few repeats to tell the ways apart"
    assert ends({"a": found["a"]}, RUN) == "about 2× the rate with A, by too few repeats to tell"
    assert ends(found, RUN) == "3× the rate with C (2 other ways measured too few times to tell)"


def test_a_small_change_that_is_known_is_not_called_once() -> None:
    assert str(Ratio.of(around(1.04, 0.001), around(1, 0.001))) == "1.04×"
    assert str(Ratio.of(around(1.001, 1e-5), around(1, 1e-5))) == "nothing beyond the noise"


def test_nothing_is_divided_by_nothing() -> None:
    assert Ratio.of(around(1), Spread.of([0.0] * 5)) is None


@given(changed=values, usual=values)
def test_a_change_is_told_only_where_the_intervals_are_apart(changed: list[float], usual: list[float]) -> None:
    one, other = Spread.of(changed), Spread.of(usual)
    ratio = Ratio.of(one, other)
    assert ratio is not None and ratio.interval[0] <= ratio.median <= ratio.interval[1]
    if ratio.is_told:
        assert not overlap(one, other)
        assert float(str(ratio)[:-1].replace(",", "")) == pytest.approx(ratio.median, rel=0.06)
        assert str(ratio) != "1×"
