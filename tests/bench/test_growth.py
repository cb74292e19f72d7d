"""The line of growth finds planted costs, counts small and large numbers alike, and is not claimed where there is none."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixstore.bench import Cell, Results, Spread, growth

CUTOFFS = [1, 10, 100, 1000, 10_000, 100_000]
costs = st.floats(1e-6, 1e-1)


@given(fixed=costs, each=costs)
def test_planted_costs_are_found(fixed: float, each: float) -> None:
    found = growth.fit("way", CUTOFFS, [fixed + each * number for number in CUTOFFS])
    assert found.worst_relative_error < 1e-6
    assert found.seconds(1000) == pytest.approx(fixed + each * 1000)
    # A cost that is lost in the other's digits cannot be found; one that shows at some cutoff is.
    if fixed > 1e-3 * each:
        assert found.fixed_seconds == pytest.approx(fixed, rel=1e-3)
    if each * CUTOFFS[-1] > 1e-3 * fixed:
        assert found.seconds_per_image == pytest.approx(each, rel=1e-3)


def test_small_numbers_count_as_much_as_large_ones() -> None:
    times = [2e-3 + 1e-5 * number for number in CUTOFFS]
    times[-1] *= 1.1
    found = growth.fit("way", CUTOFFS, times)
    assert found.fixed_seconds == pytest.approx(2e-3, rel=0.02)
    assert found.holds


def test_line_is_the_best_among_its_neighbours() -> None:
    random = np.random.default_rng(0)
    numbers = np.array(CUTOFFS, np.float64)
    times = (1e-3 + 2e-5 * numbers) * random.uniform(0.8, 1.25, len(CUTOFFS))
    found = growth.fit("way", CUTOFFS, times.tolist())

    def error(fixed: float, each: float) -> float:
        return float((((fixed + each * numbers - times) / times) ** 2).sum())

    best = error(found.fixed_seconds, found.seconds_per_image)
    for down in (0.98, 1.02):
        assert best < error(found.fixed_seconds * down, found.seconds_per_image)
        assert best < error(found.fixed_seconds, found.seconds_per_image * down)


@pytest.mark.parametrize("times", [[1e-6 * number**1.2 for number in CUTOFFS], [1 / number for number in CUTOFFS]])
def test_no_cost_is_below_zero(times: list[float]) -> None:
    found = growth.fit("way", CUTOFFS, times)
    assert found.fixed_seconds >= 0
    assert found.seconds_per_image >= 0


def test_what_bends_is_not_called_straight(measured: Results) -> None:
    times = {1: 1e-3, 10: 2e-3, 100: 9e-3, 1000: 0.9}
    measured.cells = [
        *(cell for cell in measured.cells if cell.way != "packed/png"),
        *(Cell("read-shuffled", "packed/png", images, Spread.of([seconds])) for images, seconds in times.items()),
    ]
    bent = {each.way: each.holds for each in growth.fits(measured, "read-shuffled")}
    assert bent == {"tutorial-png": True, "tutorial-lmdb": True, "lmdb/raw": True, "packed/png": False}
    said = growth.sentences(measured)[1]
    assert "3 of 4 ways" in said
    assert "no straight line: packed + PNG (off by up to" in said


def test_sentences_name_fixed_and_per_image_cost_of_cheapest_and_dearest(measured: Results) -> None:
    stored, read = growth.sentences(measured)
    assert stored == (
        "Storing 1 to 1,000 images costs a fixed time and a time per image with 4 of 4 ways (a straight line within 15%): "
        "1 ms + 5 µs per image with LMDB + raw up to 1 ms + 300 µs per image with PNG files, tutorial."
    )
    assert read.startswith("Reading in random order 1 to 1,000 images")


def test_failed_cells_are_left_out_and_two_points_are_no_line(measured: Results) -> None:
    stored = {each.way: each.points for each in growth.fits(measured, "store-many")}
    assert stored["lmdb/raw"] == (1, 10, 100)
    assert stored["packed/png"] == (1, 10, 100, 1000)
    measured.cells = [cell for cell in measured.cells if cell.images <= 10]
    assert growth.fits(measured, "store-many") == []
    assert growth.sentences(measured) == []


def test_nothing_straight_is_said(measured: Results) -> None:
    measured.cells = [Cell("read-shuffled", "packed/png", images, Spread.of([1 / images])) for images in (1, 10, 100)]
    (said,) = growth.sentences(measured)
    assert "a straight line with none of 1 way" in said
