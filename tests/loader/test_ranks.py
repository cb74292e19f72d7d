"""Steps: every position exactly once over all ranks, the same number of batches on each, also after going on elsewhere."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pixstore.errors import InvalidInputError
from pixstore.loader.order import FullShuffle
from pixstore.loader.ranks import Steps

COUNTS = st.integers(0, 700)
BATCHES = st.integers(1, 40)
WORLDS = st.sampled_from([1, 2, 3, 8])


def borders(steps: Steps, position: int = 0) -> list[int]:
    """Return where each step from `position` on begins, and where the last one ends."""
    found = [position]
    while taken := steps.take(found[-1]):
        found.append(found[-1] + taken)
    return found


def delivered(steps: Steps, starts: list[int]) -> np.ndarray:
    parts = [steps.positions([steps.slice(start, rank)]) for start in starts for rank in range(steps.world)]
    return np.concatenate([np.empty(0, np.int64), *parts])


@given(COUNTS, BATCHES, WORLDS)
def test_every_position_comes_once_in_batches_that_are_not_too_large(count: int, batch: int, world: int) -> None:
    steps = Steps(count, batch, world)
    found = borders(steps)
    assert delivered(steps, found[:-1]).tolist() == list(range(count))
    sizes = np.array([[len(steps.positions([steps.slice(start, rank)])) for rank in range(world)] for start in found[:-1]]).reshape(
        -1, world
    )
    assert (sizes <= batch).all()
    assert (sizes.max(axis=1, initial=0) - sizes.min(axis=1, initial=batch) <= 1).all()


@given(COUNTS, BATCHES, WORLDS, st.booleans(), st.booleans())
def test_the_number_of_steps_is_known_beforehand_and_the_same_for_every_rank(
    count: int, batch: int, world: int, drop_last: bool, pad: bool
) -> None:
    steps = Steps(count, batch, world, drop_last, pad and not drop_last)
    found = borders(steps)
    for number, border in enumerate(found):
        assert steps.count_from(border) == len(found) - 1 - number


@given(COUNTS, BATCHES, WORLDS)
def test_ranks_get_an_empty_batch_only_where_that_was_said(count: int, batch: int, world: int) -> None:
    steps = Steps(count, batch, world)
    starts = borders(steps)[:-1]
    empty = [[len(steps.positions([steps.slice(start, rank)])) == 0 for rank in range(world)] for start in starts]
    assert not np.array(empty[:-1]).any()
    assert sum(empty[-1] if empty else []) == steps.empty_ranks_from()
    if count >= 2 * world and batch > 1:
        assert steps.empty_ranks_from() == 0


@settings(max_examples=200)
@given(COUNTS, st.lists(st.tuples(BATCHES, WORLDS, st.integers(0, 20)), min_size=4, max_size=4), st.integers(0, 99))
def test_three_resumes_with_other_worlds_and_batches_still_give_every_row_once(
    count: int, runs: list[tuple[int, int, int]], seed: int
) -> None:
    order = FullShuffle(count, seed, epoch=1)
    seen, position = [np.empty(0, np.int64)], 0
    for number, (batch, world, done) in enumerate(runs):
        steps = Steps(count, batch, world)
        found = borders(steps, position)
        found = found if number == 3 else found[: done + 1]
        seen.append(order.rows(delivered(steps, found[:-1])))
        position = found[-1]
    assert position == count
    assert np.sort(np.concatenate(seen)).tolist() == list(range(count))


@given(COUNTS, BATCHES, WORLDS, st.data())
def test_going_on_at_a_border_gives_the_steps_of_the_unbroken_run(count: int, batch: int, world: int, data: st.DataObject) -> None:
    found = borders(Steps(count, batch, world))
    place = data.draw(st.integers(0, len(found) - 1))
    assert borders(Steps(count, batch, world), found[place]) == found[place:]


@given(COUNTS, BATCHES, WORLDS)
def test_drop_last_gives_full_steps_only(count: int, batch: int, world: int) -> None:
    steps = Steps(count, batch, world, drop_last=True)
    found = borders(steps)
    assert {after - before for before, after in pairwise(found)} <= {batch * world}
    assert found[-1] == count // (batch * world) * (batch * world)
    assert steps.empty_ranks_from() == 0


@given(COUNTS, BATCHES, WORLDS)
def test_pad_repeats_the_first_rows_up_to_a_multiple_of_the_world(count: int, batch: int, world: int) -> None:
    steps = Steps(count, batch, world, pad=True)
    starts = borders(steps)[:-1]
    positions = delivered(steps, starts)
    added = -count % world
    assert positions.tolist() == [*range(count), *(each % count for each in range(added))]
    for start in starts:
        assert len({len(steps.positions([steps.slice(start, rank)])) for rank in range(world)}) == 1
    assert steps.empty_ranks_from() == 0


def test_the_last_two_steps_share_a_rest_that_is_smaller_than_the_world() -> None:
    assert [after - before for before, after in pairwise(borders(Steps(26, 4, 3)))] == [12, 7, 7]
    assert [after - before for before, after in pairwise(borders(Steps(27, 4, 3)))] == [12, 12, 3]
    assert Steps(27, 4, 3).slice(12, 1) == (16, 20)
    assert Steps(26, 4, 3).slice(12, 0) == (12, 15)


def test_one_row_for_each_rank_cannot_be_halved() -> None:
    steps = Steps(7, 1, 3)
    assert borders(steps) == [0, 3, 6, 7]
    assert steps.empty_ranks_from() == 2


def test_a_count_needs_no_walk_through_the_epoch() -> None:
    steps = Steps(1 << 40, 512, 8)
    assert steps.count_from() == 1 << 28
    assert steps.empty_ranks_from() == 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"batch": 0}, "0 rows"),
        ({"batch": 1, "world": 0}, "world_size 0"),
        ({"batch": 1, "drop_last": True, "pad": True}, "drop_last and pad"),
    ],
)
def test_what_cannot_be_is_refused(options: dict[str, int], said: str) -> None:
    with pytest.raises(InvalidInputError, match=said):
        Steps(10, **options)


def test_a_position_or_rank_outside_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="position 11"):
        Steps(10, 2).take(11)
    with pytest.raises(InvalidInputError, match="rank 2"):
        Steps(10, 2, 2).slice(0, 2)
