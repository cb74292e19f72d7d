from __future__ import annotations

from itertools import pairwise

from pixstore.bench.plots import rows


def test_neighbours_differ_in_mark_and_in_filling() -> None:
    marks = [rows.place_mark(number, "#000000") for number in range(len(rows.PLACE_MARKS))]
    assert len({mark for mark, _ in marks}) == len(marks)
    assert all(first[1] != second[1] for first, second in pairwise(marks))
