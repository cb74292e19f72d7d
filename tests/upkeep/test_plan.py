"""What compacting would do: sound shards stay, neighbours are joined, what it will win is right."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import pixstore
from pixstore.manifest import ShardEntry, ShardFile
from pixstore.schema import Format
from pixstore.store import StoreRows
from pixstore.upkeep.plan import Piece, _ranges, _runs, plan_of

from .conftest import pixels

RAW = [Format("raw", (each, 1), "uint8") for each in range(3)]


def piece(number: int, sizes: list[int], *, clean: bool = True, engine: str = "packed", form: int = 0) -> Piece:
    file = ShardFile("x", 1)
    entry = ShardEntry(str(number), engine, len(sizes), file, None, file if clean else None, {"image": RAW[form]})
    return Piece(entry, engine, 0, {"image": np.array(sizes, np.int64)}, {})


PIECES = st.tuples(
    st.lists(st.integers(0, 120), min_size=1, max_size=5), st.booleans(), st.sampled_from(["packed", "lmdb"]), st.integers(0, 2)
)


@given(st.lists(PIECES, max_size=12))
def test_runs_keep_order_and_leave_sound_shards_alone(found: list[tuple[list[int], bool, str, int]]) -> None:
    pieces = [piece(number, sizes, clean=clean, engine=engine, form=form) for number, (sizes, clean, engine, form) in enumerate(found)]
    runs = _runs(pieces, 100)
    assert [each.entry.id for run in runs for each in run] == [each.entry.id for each in pieces]
    for run in runs:
        assert len({each.engine for each in run}) == 1
        assert len(run) == 1 or not any(each.is_clean and each.bytes >= 50 for each in run)
        large = [each.entry.formats for each in run if each.bytes >= 50]
        assert not large or all(each.entry.formats == large[0] for each in run), "a large shard of one format is not joined with another's"


@given(st.lists(st.lists(st.integers(0, 150), min_size=1, max_size=9), min_size=1, max_size=5), st.integers(1, 200))
def test_ranges_hold_every_row_once_and_as_many_as_fit(sizes: list[list[int]], most: int) -> None:
    ranges = _ranges([piece(number, each) for number, each in enumerate(sizes)], most)
    flat = [each for those in sizes for each in those]
    assert [row for start, stop in ranges for row in range(start, stop)] == list(range(len(flat)))
    for number, (start, stop) in enumerate(ranges):
        assert sum(flat[start:stop]) <= most or stop == start + 1
        if number + 1 < len(ranges):
            assert sum(flat[start : stop + 1]) > most


def test_what_it_will_win_is_what_is_there(path: Path) -> None:
    plan = plan_of(StoreRows(path), 1 << 20)
    assert (plan.shards_before, plan.shards_after) == (6, 1) and plan.rows_copied == 34
    assert plan.borrowed_rows == 6 and plan.borrowed_bytes == 6 * 60
    assert plan.deleted_rows == 6 + 5 + 1
    assert plan.bytes_before == sum(each.stat().st_size for each in (path / "shards").glob("*.bin"))
    assert 0 < plan.bytes_after < plan.bytes_before


def test_store_of_full_shards_has_nothing_to_win(tmp_path: Path) -> None:
    with pixstore.Writer(tmp_path / "s", durability="process", shard_bytes=600) as writer:
        writer.add_batch(pixels(25, 4, 5, 3))
    plan = plan_of(StoreRows(tmp_path / "s"), 600)
    assert plan.parts == [] and plan.shards_before == plan.shards_after == 3 and plan.bytes_before == 0


def test_empty_store_has_nothing_to_win(tmp_path: Path) -> None:
    pixstore.Writer(tmp_path / "s", durability="process").close()
    assert plan_of(StoreRows(tmp_path / "s"), 100).parts == []


@pytest.mark.parametrize("count", [2, 7])
def test_small_shards_of_several_formats_become_one(tmp_path: Path, count: int) -> None:
    with pixstore.Writer(tmp_path / "s", durability="process") as writer:
        for side in range(1, count + 1):
            writer.add(pixels(1, side, 3)[0])
            writer.commit()
    (part,) = plan_of(StoreRows(tmp_path / "s"), 1 << 20).parts
    assert len(part.ranges) == 1 and part.formats == {} and len(part.pieces) == count
