"""Columns: values keep their kind, numbers lose nothing, and what does not fit is told with the column and the value."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import pixstore
from pixstore.columns import column_array, joint_type, python_values, settle_type
from pixstore.errors import SchemaError
from pixstore.schema import SIMPLE_TYPES, Schema
from pixstore.writer import Writer


def of_type(kind: pa.DataType) -> Schema:
    return Schema(columns=pa.schema([("c", kind)]))


OPEN = of_type(pa.null())


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1, 2], pa.int64()),
        ([1, None], pa.int64()),
        (np.array([1, 2], np.uint8), pa.int64()),
        (np.array([1, 2], np.uint64), pa.uint64()),
        ([1, 2.5], pa.float64()),
        (np.array([1, 2], np.float16), pa.float64()),
        ([True, None], pa.bool_()),
        (["a", None], pa.string()),
        (np.array(["a", "bc"]), pa.string()),
        (pa.array(["a"], pa.large_string()), pa.string()),
        (pa.array(["a", "b", "a"]).dictionary_encode(), pa.string()),
        (pa.chunked_array([["a"], ["b"]]), pa.string()),
        ([b"a", b""], pa.binary()),
        ([None, None], pa.null()),
        ([], pa.null()),
        ([[1, 2], [], None], pa.list_(pa.int64())),
        ([np.array([1, 2], np.int8), np.array([], np.int8)], pa.list_(pa.int64())),
        (np.ones((3, 2), np.float32), pa.list_(pa.float64())),
        ([[[1.5]], []], pa.list_(pa.list_(pa.float64()))),
        ([["a"], [None]], pa.list_(pa.string())),
        ([[]], pa.list_(pa.null())),
        (range(3), pa.int64()),
        ((1, 2), pa.int64()),
    ],
)
def test_values_get_a_type_that_lasts(values: Any, kind: pa.DataType) -> None:
    array = column_array("c", values, OPEN)
    assert array.type == kind and len(array) == len(values)


@pytest.mark.parametrize(
    ("settled", "values", "expected"),
    [
        (pa.int64(), [3.0], [3]),
        (pa.float64(), [3], [3.0]),
        (pa.float64(), np.array([1, 2], np.int8), [1.0, 2.0]),
        (pa.uint64(), [3], [3]),
        (pa.int32(), [3], [3]),
        (pa.large_string(), ["a"], ["a"]),
        (pa.list_(pa.int64()), [[3.0], []], [[3], []]),
        (pa.list_(pa.null()), [[3]], [[3]]),
        (pa.string(), [None], [None]),
    ],
)
def test_values_of_the_same_kind_become_the_settled_type(settled: pa.DataType, values: Any, expected: list[Any]) -> None:
    assert column_array("c", values, of_type(settled)).to_pylist() == expected


@pytest.mark.parametrize(
    ("settled", "values"),
    [
        (pa.int64(), ["7"]),
        (pa.int64(), [1.5]),
        (pa.int64(), [True]),
        (pa.int64(), [float("nan")]),
        (pa.uint64(), [-1]),
        (pa.int32(), [1 << 40]),
        (pa.float64(), [(1 << 53) + 1]),
        (pa.string(), [7]),
        (pa.string(), [b"a"]),
        (pa.binary(), ["a"]),
        (pa.bool_(), [5]),
        (pa.list_(pa.int64()), [3]),
        (pa.list_(pa.int64()), [["a"]]),
        (pa.int64(), [[3]]),
        (pa.null(), ["a", 3]),
        (pa.null(), [{"a": 3}]),
        (pa.null(), [object()]),
        (pa.null(), ["\udcff"]),
        (pa.null(), np.array(["2020-01-01"], "M8[D]")),
        (pa.null(), [1 << 70]),
    ],
)
def test_what_does_not_fit_is_told_with_column_and_value(settled: pa.DataType, values: Any) -> None:
    with pytest.raises(SchemaError, match=r"'c'|columns of type"):
        column_array("c", values, of_type(settled))


def test_long_values_are_cut_in_messages() -> None:
    with pytest.raises(SchemaError) as caught:
        column_array("c", ["x" * 10_000], of_type(pa.int64()))
    assert len(str(caught.value)) < 300


def test_unknown_column_is_named_with_those_there_are() -> None:
    for call in (lambda: column_array("d", [1], OPEN), lambda: settle_type(OPEN, "d", pa.int64())):
        with pytest.raises(SchemaError, match="unknown column 'd'; columns of this dataset: c"):
            call()


def test_type_settles_once_and_keeps_the_rest_of_the_schema() -> None:
    schema = Schema(columns=pa.schema([("c", pa.null()), ("d", pa.string())]), classes={"c": ("a", "b")})
    settled = settle_type(schema, "c", pa.int64())
    assert settled.columns == pa.schema([("c", pa.int64()), ("d", pa.string())]) and settled.classes == schema.classes
    assert settle_type(settled, "c", pa.null()) is settled
    with pytest.raises(SchemaError, match="'c' is int64, not string"):
        settle_type(settled, "c", pa.string())


@given(st.sampled_from(list(SIMPLE_TYPES.values())), st.sampled_from(list(SIMPLE_TYPES.values())))
def test_joint_type_settles_null_and_changes_nothing_else(settled: pa.DataType, found: pa.DataType) -> None:
    joint = joint_type(settled, found)
    if settled == pa.null():
        assert joint == found
    elif joint is not None:
        assert joint == settled
    outer = joint_type(pa.list_(settled), pa.list_(found))
    assert outer == (None if joint is None else pa.list_(joint))


@pytest.mark.parametrize("values", [[1, 2], [1.5, 2.0], [True, False]])
def test_whole_columns_of_numbers_are_arrays(values: list[Any]) -> None:
    found = python_values(pa.chunked_array([values[:1], values[1:]]))
    assert isinstance(found, np.ndarray) and found.tolist() == values


@pytest.mark.parametrize("values", [[1, None], ["a", "b"], [[1], []], [b"x", None]])
def test_other_columns_are_lists(values: list[Any]) -> None:
    assert python_values(pa.chunked_array([values])) == values


def test_every_kind_of_column_comes_back_from_a_store(tmp_path: Path) -> None:
    rows = [
        {"i": 1, "u": 1 << 63, "f": 0.5, "b": True, "t": "ü", "x": b"\0\xff", "l": [1, 2], "n": None},
        {"i": None, "u": None, "f": None, "b": None, "t": None, "x": None, "l": None, "n": None},
        {"i": -(1 << 63), "u": 0, "f": float("inf"), "b": False, "t": "", "x": b"", "l": [], "n": None},
    ]
    with Writer(tmp_path / "s", durability="process") as writer:
        for row in rows:
            writer.add(np.zeros((1, 1), np.uint8), **row)
        writer.commit()
        writer.add(np.zeros((1, 1), np.uint8))
    found = pixstore.open(tmp_path / "s")
    assert [{name: each[name] for name in rows[0]} for each in found] == [*rows, dict.fromkeys(rows[0])]
    assert found.table.schema.types == [pa.string(), pa.int64(), pa.uint64(), pa.float64(), pa.bool_(), pa.string(), pa.binary(),
                                        pa.list_(pa.int64()), pa.null()]  # fmt: skip
