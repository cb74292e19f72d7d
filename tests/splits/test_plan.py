"""Plans: sizes as they are meant, and those that cannot be refused with the reason."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pixstore.errors import InvalidInputError
from pixstore.splits.plan import Plan, checked_name


def plan(sizes: dict[str, Any]) -> Plan:
    return Plan.of_parts(sizes, stratify=None, group=None, seed=0)


@pytest.mark.parametrize(
    ("sizes", "total", "counts"),
    [
        ({"train": 0.8, "val": 0.1, "test": 0.1}, 60_000, [48_000, 6_000, 6_000]),
        ({"a": 0.7, "b": 0.2, "c": 0.1}, 10, [7, 2, 1]),
        ({"a": 1 / 3, "b": 1 / 3, "c": 1 / 3}, 9, [3, 3, 3]),
        ({"a": 50_000, "b": 10_000}, 60_000, [50_000, 10_000]),
        ({"all": 1.0}, 7, [7]),
        ({"a": np.float32(0.8), "b": np.float64(0.2)}, 10, [8, 2]),
        ({"a": np.int64(3), "b": 4}, 7, [3, 4]),
    ],
)
def test_sizes_are_what_their_decimals_say(sizes: dict[str, Any], total: int, counts: list[int]) -> None:
    assert plan(sizes).counts(total) == counts


def test_folds_differ_by_one_at_most() -> None:
    folds = Plan.of_folds(4, stratify=None, group=None, seed=0)
    assert folds.names == ("fold-0", "fold-1", "fold-2", "fold-3")
    assert sorted(folds.counts(10)) == [2, 2, 3, 3]


@pytest.mark.parametrize(
    ("sizes", "said"),
    [
        ({}, "needs parts"),
        ({"train": 0.8, "test": 0.1}, "sum to 0.9, not to 1"),
        ({"train": 8, "test": 0.1}, "partly counts"),
        ({"train": 0.0, "test": 1.0}, "'train' has the size 0.0"),
        ({"train": -1, "test": 1}, "size -1"),
        ({"train": float("nan")}, "nan"),
        ({"train": True}, "True"),
        ({"train": "0.8"}, "'0.8'"),
        ({"../up": 1.0}, "cannot name a part"),
    ],
)
def test_sizes_that_cannot_be_are_refused(sizes: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInputError, match=said):
        plan(sizes)


def test_counts_must_be_those_of_all_samples() -> None:
    with pytest.raises(InvalidInputError, match="sum to 30, but there are 31 samples"):
        plan({"a": 10, "b": 20}).counts(31)


def test_a_part_without_a_sample_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="'test' would get none of 10 samples"):
        plan({"train": 0.99, "test": 0.01}).counts(10)
    with pytest.raises(InvalidInputError, match="none of 3 samples"):
        Plan.of_folds(4, stratify=None, group=None, seed=0).counts(3)


def test_one_fold_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="1 folds"):
        Plan.of_folds(1, stratify=None, group=None, seed=0)


@pytest.mark.parametrize("name", ["", "a/b", "..", ".hidden", "a b", "x" * 101, 3])
def test_names_that_are_no_file_names_are_refused(name: Any) -> None:
    with pytest.raises(InvalidInputError, match="cannot name a split"):
        checked_name(name, "split")


@pytest.mark.parametrize("name", ["default", "fold-0", "größe_2.1"])
def test_plain_names_pass(name: str) -> None:
    assert checked_name(name, "split") == name
