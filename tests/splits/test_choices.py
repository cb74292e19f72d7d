"""Choices: each chooses the same rows again after it was pickled."""

from __future__ import annotations

import pickle

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixstore.errors import InvalidInputError, KeyInvalidError, SchemaError
from pixstore.splits.choices import Choice, KeyOrder, Matching, PartRows, RowRange, TheseRows, matching_rows
from pixstore.splits.plan import Plan

TABLE = pa.table({"key": [f"k{row}" for row in range(100)], "label": np.arange(100) % 7, "name": [None, "a", "b", "c"] * 25})
PLAN = Plan.of_parts({"train": 0.75, "test": 0.25}, stratify="label", group=None, seed=1)
LABEL, NAME = pc.field("label"), pc.field("name")


def again(choice: Choice) -> list[int]:
    """Return what is chosen after a journey through a pickle of less than 700 bytes."""
    data = pickle.dumps(choice)
    assert len(data) < 700
    return pickle.loads(data).rows(TABLE).tolist()


@pytest.mark.parametrize("rows", [slice(None), slice(10, 50, 3), slice(None, None, -1), slice(-5, None), slice(90, 200), slice(5, 5)])
def test_a_range_is_what_the_slice_says(rows: slice) -> None:
    assert again(RowRange(*rows.indices(100))) == list(range(100))[rows]


def test_a_part_is_drawn_again_and_the_others_are_the_rest() -> None:
    train, test, others = again(PartRows(PLAN, 0)), again(PartRows(PLAN, 1)), again(PartRows(PLAN, 0, others=True))
    assert others == test and sorted(train + test) == list(range(100))
    assert len(train) == 75


@pytest.mark.parametrize(
    "expression",
    [
        LABEL == 3,
        (LABEL > 2) & ~(NAME == "a"),
        NAME.isin(["a", "c"]),
        NAME.is_null(),
        pc.starts_with(pc.field("key"), "k1") | (LABEL < 1),
        (LABEL * 2 + 1) >= 9,
    ],
)
def test_an_expression_finds_the_same_rows_after_its_journey(expression: pc.Expression) -> None:
    choice = Matching.of(expression, TABLE)
    assert choice is not None
    assert again(choice) == matching_rows(expression, TABLE).tolist()
    assert 0 < len(again(choice)) < 100


def test_an_expression_that_does_not_fit_names_the_columns() -> None:
    with pytest.raises(SchemaError, match="columns here: key, label, name"):
        matching_rows(pc.field("breed") == 1, TABLE)


def test_rows_chosen_one_by_one_are_kept_as_they_are() -> None:
    assert again(TheseRows(np.array([5, 1, 5]))) == [5, 1, 5]


@given(
    st.lists(st.text("ab\u00fc\U0001f600", min_size=1, max_size=4), unique=True, max_size=40),
    st.none() | st.text("ab\u00fc", max_size=3),
    st.text("ab", max_size=2),
    st.none() | st.integers(0, 12),
)
def test_order_of_keys_is_that_of_their_bytes(keys: list[str], start: str | None, prefix: str, limit: int | None) -> None:
    found = KeyOrder(start, prefix, limit).rows(
        pa.table({"key": pa.chunked_array([pa.array(keys[:7], pa.string()), pa.array(keys[7:], pa.string())])})
    )
    expected = sorted((key for key in keys if key.startswith(prefix) and key.encode() >= (start or "").encode()), key=str.encode)
    assert [keys[row] for row in found.tolist()] == expected[:limit]


def test_order_of_keys_pickles_small_whatever_it_chooses() -> None:
    assert again(KeyOrder("k5", "k", 7)) == [5, *range(50, 56)] and len(again(KeyOrder())) == 100


def test_order_of_keys_refuses_what_no_key_can_be() -> None:
    with pytest.raises(InvalidInputError, match="limit -1"):
        KeyOrder(limit=-1)
    for wrong in ({"start": "\udcff"}, {"prefix": "\ud800"}, {"prefix": 3}):
        with pytest.raises(KeyInvalidError):
            KeyOrder(**wrong)  # type: ignore[arg-type]
