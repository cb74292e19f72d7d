"""Nobody is called ahead of what the noise does not tell from it."""

from __future__ import annotations

from pixstore.bench import Observation, Results, Spread
from pixstore.bench.lab.leaders import last, leaders, named, too_few


def around(median: float) -> Spread:
    return Spread.of([median + step / 10 for step in range(-2, 3)])


CLEAR = {"packed/png": around(5.0), "lmdb/raw": around(1.0), "tutorial-png": around(9.0)}


def test_the_best_is_ahead_alone_where_intervals_do_not_meet() -> None:
    assert leaders(CLEAR) == ["tutorial-png"]
    assert leaders(CLEAR, most=False) == ["lmdb/raw"]


def test_ways_whose_interval_meets_the_best_are_level_with_it(measured: Results) -> None:
    level = {**CLEAR, "packed/png": Spread.of([5.0, 5.0, 8.0, 8.0, 9.05])}
    assert leaders(level) == ["tutorial-png", "packed/png"]
    assert named(leaders(level), measured) == "PNG files, tutorial (not told apart from packed + PNG)"


def test_of_ways_measured_too_few_times_nobody_is_ahead() -> None:
    once = {way: Spread.of([spread.median]) for way, spread in CLEAR.items()}
    assert leaders(once) == ["tutorial-png", "packed/png", "lmdb/raw"]
    assert last(once) == []


def test_the_worst_is_named_only_where_it_is_told_from_the_best() -> None:
    assert last(CLEAR) == ["lmdb/raw"]
    assert last(CLEAR, most=False) == ["tutorial-png"]
    assert last({"packed/png": around(5.0), "lmdb/raw": around(5.1)}) == []
    assert last({"packed/png": around(5.0)}) == []


def test_many_level_ways_are_counted(measured: Results) -> None:
    assert named(["lmdb/raw"], measured) == "LMDB + raw"
    three = ["lmdb/raw", "packed/png", "tutorial-png"]
    assert named(three, measured) == "LMDB + raw (not told apart from packed + PNG and PNG files, tutorial)"
    assert named([*three, "a", "b"], measured) == "LMDB + raw (not told apart from packed + PNG, PNG files, tutorial and 2 more)"


def test_how_many_cells_tell_nothing_is_counted() -> None:
    cells = [Observation("order", "a", 1, {"order": str(place)}, Spread.of([1.0] * count)) for place, count in enumerate((5, 4, 1))]
    failed = Observation("order", "a", 1, {"order": "9"}, error="no")
    assert too_few([*cells, failed]) == "2 of 3 cells were measured fewer than 5 times: by those nobody is called ahead."
    assert too_few([cells[0], failed]) == ""
