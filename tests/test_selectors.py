"""What stands between brackets becomes row numbers, or is refused with the value."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixstore.errors import InvalidInputError, RowNotFoundError
from pixstore.selectors import row_numbers


@given(st.integers(1, 50).flatmap(lambda count: st.tuples(st.just(count), st.lists(st.integers(-count, count - 1)))))
def test_rows_are_those_that_a_list_would_give(case: tuple[int, list[int]]) -> None:
    count, asked = case
    assert row_numbers(asked, count).tolist() == [list(range(count))[each] for each in asked]
    assert row_numbers(np.array(asked, np.int32), count).dtype == np.int64


@given(st.lists(st.booleans(), min_size=1))
def test_mask_gives_the_rows_that_are_true(mask: list[bool]) -> None:
    assert row_numbers(mask, len(mask)).tolist() == [row for row, taken in enumerate(mask) if taken]


@pytest.mark.parametrize("row", [5, -6, 2**40])
def test_row_outside_is_named(row: int) -> None:
    with pytest.raises(RowNotFoundError, match=f"row {row} is outside this dataset of 5 samples"):
        row_numbers([0, row], 5)


@pytest.mark.parametrize("rows", [1.5, [1.5], [[1, 2]], [True], object(), b"cat"])
def test_anything_else_is_refused(rows: Any) -> None:
    with pytest.raises(InvalidInputError):
        row_numbers(rows, 5)
