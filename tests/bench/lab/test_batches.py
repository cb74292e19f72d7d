from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixstore.bench.images import built_in
from pixstore.bench.lab.batches import check_batches, read_in_batches, reads_in_parts
from pixstore.bench.lab.lab import DifferenceError, Lab
from pixstore.bench.ways import catalog, hand_memmap
from pixstore.bench.ways.base import Found, Reader


class Echo(Reader):
    """Gives the rows back as labels."""

    def read(self, rows: np.ndarray) -> Found:
        return Found([], rows)


@given(st.integers(0, 50), st.integers(1, 60))
def test_batches_are_all_rows_in_their_order(count: int, batch: int) -> None:
    rows = np.random.default_rng(count).permutation(count)
    found = read_in_batches(Echo(), rows, batch)
    assert [int(row) for each in found for row in each.labels] == rows.tolist()
    assert all(len(each.labels) == batch for each in found[:-1])


def test_a_batch_in_a_wrong_place_is_a_difference(tmp_path: Path) -> None:
    way = hand_memmap.WAY
    lab = Lab(built_in(16), [way], tmp_path / "lab", 1)
    work = lab.work(16)
    reader = way.reader(lab.stored(way, work), work)
    found = read_in_batches(reader, work.order, 5)
    reader.close()
    check_batches(lab, way, found, work, work.order, 5)
    with pytest.raises(DifferenceError):
        check_batches(lab, way, [found[1], found[0], *found[2:]], work, work.order, 5)


def test_only_the_tutorials_hdf5_holds_everything_in_memory() -> None:
    ways = [*catalog.TUTORIAL.values(), *catalog.BY_HAND.values()]
    assert [way.name for way in ways if not reads_in_parts(way)] == ["tutorial-hdf5"]
