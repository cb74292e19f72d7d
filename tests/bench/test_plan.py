from __future__ import annotations

import pytest

from pixstore.bench.plan import Plan, Repeats

KEY = ("store-many", "packed/png")
OTHER = ("store-many", "tutorial-png")


def test_two_smaller_cutoffs_give_a_fixed_cost_and_one_per_image() -> None:
    plan = Plan(Repeats.of(None))
    plan.record(KEY, 10, 1.1)
    plan.record(KEY, 100, 2.0)
    assert plan.predict(KEY, 1000) == pytest.approx(11.0)


def test_one_smaller_cutoff_gives_a_cost_per_image_and_none_gives_nothing() -> None:
    plan = Plan(Repeats.of(None))
    assert plan.predict(KEY, 10) == 0
    plan.record(KEY, 10, 2.0)
    assert plan.predict(KEY, 50) == pytest.approx(10.0)
    plan.forget()
    assert plan.predict(KEY, 50) == 0


def test_cheap_cells_get_all_repeats_before_costly_ones_get_more() -> None:
    plan = Plan(Repeats.of(None))
    plan.record(KEY, 10, 1.0)
    plan.record(OTHER, 10, 20.0)
    share = plan.share([KEY, OTHER], 10, 5, 50.0)
    assert share == pytest.approx(45.0)
    assert 5 * plan.predict(KEY, 10) <= share < 5 * plan.predict(OTHER, 10)


def test_everything_fits_into_a_large_budget() -> None:
    plan = Plan(Repeats.of(3))
    plan.record(KEY, 10, 1.0)
    assert plan.share([KEY], 10, 3, 100.0) == pytest.approx(3.0)
    assert plan.rest_seconds([KEY], [10]) == pytest.approx(3.0)
    assert plan.round_seconds([KEY], 10) == pytest.approx(1.0)


def test_repeats_are_those_asked_or_as_many_as_it_takes() -> None:
    assert (Repeats.of(3).least, Repeats.of(3).most) == (3, 3)
    assert Repeats.of(None).least == 5 < Repeats.of(None).most
    assert (str(Repeats.of(3)), str(Repeats.of(None))) == ("3", "up to 20")
