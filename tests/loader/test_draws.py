"""Random numbers: what they depend on and what not, that they are uniform and independent, and that they never change."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from pixstore.loader.draws import Draws

ROWS = np.arange(20_000)


def test_numbers_stay_what_they_were() -> None:
    found = Draws(7, 3, np.array([0, 1, 123_456_789_012])).uniforms([0, 1, 500])
    golden = [
        [0.8717780989373425, 0.49005494090406176, 0.8110514128946729],
        [0.8664823805889262, 0.12322835786093389, 0.7971160108563258],
        [0.3628025995092349, 0.8235113547563682, 0.9336254673597187],
    ]
    assert found.tolist() == golden


def splitmix(state: int, number: int) -> int:
    """Return the number-th output of SplitMix64, as its paper has it, in plain integers."""
    z = (state + (number + 1) * 0x9E3779B97F4A7C15) % 2**64
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB % 2**64
    return z ^ (z >> 31)


def test_a_known_generator_gives_its_published_first_number() -> None:
    assert splitmix(0, 0) == 0xE220A8397B1DCDAF


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**32), st.integers(0, 2**40), st.integers(0, 1000))
def test_numbers_are_those_of_the_formula(seed: int, epoch: int, row: int, stream: int) -> None:
    start = splitmix(splitmix(seed, 0), epoch - 1)
    expected = (splitmix(splitmix(start, row - 1), stream) >> 11) / 2**53
    assert Draws(seed, epoch, np.array([row])).uniform(stream)[0] == expected


@given(st.lists(st.integers(0, 1 << 40), min_size=1, max_size=20), st.lists(st.integers(0, 99), min_size=1, max_size=5))
def test_a_number_does_not_depend_on_the_rows_and_streams_beside_it(rows: list[int], streams: list[int]) -> None:
    together = Draws(1, 2, np.array(rows)).uniforms(streams)
    alone = [[Draws(1, 2, np.array([row])).uniform(stream)[0] for row in rows] for stream in streams]
    assert together.tolist() == alone


def test_any_whole_numbers_are_seeds_and_epochs() -> None:
    assert Draws(-1, 0, ROWS[:3]).uniform(0).tolist() == Draws(2**64 - 1, 0, ROWS[:3]).uniform(0).tolist()
    assert Draws(2**64 - 1, 2**70, ROWS[:3]).uniform(0).max() < 1


def test_no_rows_and_no_streams_give_no_numbers() -> None:
    assert Draws(0, 0, np.empty(0, np.int64)).uniforms([1, 2]).shape == (2, 0)
    assert Draws(0, 0, ROWS[:4]).uniforms([]).shape == (0, 4)
    assert len(Draws(0, 0, ROWS[:4])) == 4


def test_numbers_are_uniform_from_0_to_1() -> None:
    found = Draws(0, 0, ROWS).uniforms(range(10)).reshape(-1)
    assert 0 <= found.min() < 1e-4
    assert 1 - 1e-4 < found.max() < 1
    counts = np.bincount((found * 100).astype(int), minlength=100)
    expected = len(found) / 100
    chi_square = float(((counts - expected) ** 2 / expected).sum())
    # 99 degrees of freedom: mean 99, deviation 14.
    assert 50 < chi_square < 170


@pytest.mark.parametrize(
    "neighbour",
    [Draws(1, 0, ROWS).uniform(0), Draws(0, 1, ROWS).uniform(0), Draws(0, 0, ROWS + 1).uniform(0), Draws(0, 0, ROWS).uniform(1)],
    ids=["seed", "epoch", "row", "stream"],
)
def test_neighbours_are_independent(neighbour: NDArray[np.float64]) -> None:
    one, other = Draws(0, 0, ROWS).uniform(0), neighbour
    assert not (one == other).any()
    assert abs(np.corrcoef(one, other)[0, 1]) < 4 / math.sqrt(len(ROWS))
    cells = np.bincount((one * 8).astype(int) * 8 + (other * 8).astype(int), minlength=64)
    expected = len(ROWS) / 64
    # 63 degrees of freedom: mean 63, deviation 11.
    assert float(((cells - expected) ** 2 / expected).sum()) < 120


def test_seed_and_epoch_are_not_interchangeable() -> None:
    seeds_and_epochs = [(seed, epoch) for seed in range(30) for epoch in range(30)]
    firsts = {float(Draws(seed, epoch, ROWS[:1]).uniform(0)[0]) for seed, epoch in seeds_and_epochs}
    assert len(firsts) == len(seeds_and_epochs)
