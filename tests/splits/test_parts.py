"""Who is in which part: everybody in one, classes spread evenly, groups whole, whatever the order of rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pixstore.errors import InvalidInputError, SchemaError
from pixstore.splits.parts import Assignment, assign
from pixstore.splits.plan import Plan

SIZES = st.lists(st.integers(1, 9), min_size=1, max_size=5)
SEEDS = st.integers(0, 2**64)


def table(labels: Any, groups: Any = None) -> pa.Table:
    count = len(labels)
    return pa.table({"key": [f"k{row}" for row in range(count)], "label": labels, "patient": range(count) if groups is None else groups})


def plan(weights: list[int], stratify: str | None = None, group: str | None = None, seed: int = 0) -> Plan:
    sizes = {f"part-{number}": weight / sum(weights) for number, weight in enumerate(weights)}
    return Plan.of_parts(sizes, stratify=stratify, group=group, seed=seed)


def folds(count: int, stratify: str | None = None, group: str | None = None, seed: int = 0) -> Plan:
    return Plan.of_folds(count, stratify=stratify, group=group, seed=seed)


def class_counts(assignment: Assignment, labels: list[int]) -> np.ndarray:
    found = np.zeros((max(labels) + 1, len(assignment.names)), int)
    np.add.at(found, (labels, assignment.part), 1)
    return found


@given(SIZES, st.integers(50, 400), SEEDS)
def test_parts_have_exactly_the_sizes_that_were_asked_for(weights: list[int], count: int, seed: int) -> None:
    asked = plan(weights, seed=seed)
    assert np.bincount(assign(table([0] * count), asked).part, minlength=len(weights)).tolist() == asked.counts(count)


@settings(max_examples=150)
@given(st.lists(st.integers(0, 6), min_size=50, max_size=300), SIZES, SEEDS)
def test_each_class_is_spread_as_evenly_as_whole_samples_can_be(labels: list[int], weights: list[int], seed: int) -> None:
    asked = plan(weights, "label", seed=seed)
    found = class_counts(assign(table(labels), asked), labels)
    sizes = np.array(asked.counts(len(labels)))
    assert found.sum(axis=0).tolist() == sizes.tolist()
    assert (abs(found - np.outer(found.sum(axis=1), sizes) / len(labels)) < 1).all()


@settings(max_examples=150)
@given(st.lists(st.integers(0, 6), min_size=12, max_size=300), st.integers(2, 12), SEEDS)
def test_folds_and_what_they_have_of_each_class_differ_by_one_at_most(labels: list[int], count: int, seed: int) -> None:
    found = class_counts(assign(table(labels), folds(count, "label", seed=seed)), labels)
    assert np.ptp(found, axis=1).max() <= 1
    assert np.ptp(found.sum(axis=0)) <= 1


@settings(max_examples=100)
@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 30)), min_size=60, max_size=300),
    st.integers(2, 5),
    st.sampled_from([None, "label"]),
    SEEDS,
)
def test_no_group_is_on_both_sides_and_no_part_is_empty(rows: list[tuple[int, int]], count: int, stratify: str | None, seed: int) -> None:
    labels, groups = [each for each, _ in rows], [each for _, each in rows]
    if len(set(groups)) < count:
        return
    for asked in (folds(count, stratify, "patient", seed), plan(list(range(1, count + 1)), stratify, "patient", seed)):
        part = assign(table(labels, groups), asked).part
        assert set(part.tolist()) == set(range(count))
        assert all(len(set(part[np.array(groups) == each].tolist())) == 1 for each in set(groups))


def test_many_groups_meet_the_sizes_nearly() -> None:
    rng = np.random.default_rng(0)
    groups = rng.integers(0, 400, 5000)
    labels = (groups + rng.integers(0, 2, 5000)) % 5
    found = class_counts(assign(table(labels, groups), plan([8, 1, 1], "label", "patient")), labels.tolist())
    assert found.sum(axis=0) == pytest.approx([4000, 500, 500], abs=15)
    assert found == pytest.approx(np.outer(found.sum(axis=1), [0.8, 0.1, 0.1]), abs=15)
    assert np.bincount(assign(table(labels, groups), plan([8, 1, 1], None, "patient")).part) == pytest.approx([4000, 500, 500], abs=2)


def test_what_groups_make_impossible_is_said() -> None:
    groups = [0] * 90 + list(range(1, 11))
    assignment = assign(table([0] * 100, groups), plan([1, 1], None, "patient"))
    assert sorted(np.bincount(assignment.part).tolist()) == [10, 90]
    assert "kept whole" in assignment.notes[0] and "90 instead of 50" in assignment.notes[0]


def test_classes_with_fewer_samples_than_folds_are_named() -> None:
    (note,) = assign(table(["cat"] * 20 + ["newt"] * 2), folds(5, "label")).notes
    assert "'newt' (2)" in note and "cat" not in note
    assert assign(table(["cat"] * 20), folds(5, "label")).notes == ()


@pytest.mark.parametrize("asked", [plan([7, 2, 1]), folds(3, "label"), plan([7, 2, 1], "label", "patient"), folds(4, None, "patient")])
def test_the_order_of_rows_says_nothing(asked: Plan) -> None:
    rng = np.random.default_rng(1)
    whole = table(rng.integers(0, 4, 200), rng.integers(0, 40, 200))
    shuffled = rng.permutation(200)
    assert assign(whole.take(shuffled), asked).part.tolist() == assign(whole, asked).part[shuffled].tolist()


def test_another_seed_is_another_split() -> None:
    parts = {tuple(assign(table([0, 1] * 50), plan([1, 1], "label", seed=seed)).part.tolist()) for seed in range(10)}
    assert len(parts) == 10


def test_each_sample_is_in_a_part_as_often_as_its_size_says() -> None:
    labels = [0, 1, 2] * 17
    in_test = [assign(table(labels), plan([4, 1], "label", seed=seed)).part == 1 for seed in range(600)]
    assert np.mean(in_test, axis=0) == pytest.approx(10 / 51, abs=0.07)


def test_splits_never_change_silently() -> None:
    assert assign(table([0, 1] * 6), plan([2, 1, 1], "label", seed=3)).part.tolist() == [2, 0, 1, 0, 0, 0, 0, 1, 1, 2, 0, 2]
    assert assign(table([0, 1] * 6, [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5]), folds(3, "label", "patient")).part.tolist() == [
        0,
        0,
        1,
        1,
        2,
        2,
        2,
        2,
        0,
        0,
        1,
        1,
    ]


@pytest.mark.parametrize("values", [["b", "a", "ü"] * 4, [True, False, True] * 4, [0.5, float("nan"), 2] * 4, [b"x", b"y", b"z"] * 4])
def test_columns_of_any_plain_type_have_classes_and_groups(values: list[Any]) -> None:
    for asked in (folds(2, "label"), folds(2, None, "label")):
        assert np.bincount(assign(table(values), asked).part).sum() == 12


@pytest.mark.parametrize(
    ("labels", "asked", "error", "said"),
    [
        ([1, 2], folds(2, "breed"), SchemaError, "no column 'breed'; columns here: key, label, patient"),
        ([1, 2], folds(2, None, "breed"), SchemaError, "no column 'breed'"),
        ([[1], [2]], folds(2, "label"), SchemaError, "which has no classes"),
        ([1, None, None], folds(2, "label"), InvalidInputError, "2 samples have no 'label', the first is 'k1'"),
        ([1, 1, 1], folds(2, None, "label"), InvalidInputError, "1 distinct values, too few to fill 2 parts"),
        ([], folds(2), InvalidInputError, "none of 0 samples"),
    ],
)
def test_what_cannot_be_split_is_refused(labels: list[Any], asked: Plan, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        assign(table(labels), asked)


def test_a_key_that_stands_twice_is_refused_unless_kept_together() -> None:
    twice = pa.table({"key": ["a", "b", "a", "c"]})
    with pytest.raises(InvalidInputError, match="key 'a' stands twice"):
        assign(twice, folds(2))
    part = assign(twice, folds(2, None, "key")).part
    assert part[0] == part[2]
