"""Columns made of features: single values and lists, text and bytes, nothing where a record lacks one."""

from __future__ import annotations

from typing import Any

import pytest

import foreign_tables as foreign
from pixstore.errors import CorruptStoreError, LimitExceededError
from pixstore.sources.examples import columns as tf_columns
from pixstore.sources.examples.columns import FeatureColumns
from pixstore.sources.examples.example import ExampleReader


def columns(*rows: dict[str, Any], skipped: tuple[str, ...] = ()) -> dict[str, list[Any]]:
    collected, reader = FeatureColumns(frozenset(skipped)), ExampleReader()
    for number, row in enumerate(rows):
        record = foreign.example(row)
        collected.add(reader.read(record, "x"), record, f"x, record {number}")
    return {name: array.to_pylist() for name, array in collected.arrays().items()}


def test_values_stay_with_their_records() -> None:
    assert columns({"a": 1}, {"b": "x"}, {"a": 2, "c": [0.5, 1.5]}, {"c": [2.0]}, {}) == {
        "a": [1, None, 2, None, None],
        "b": [None, "x", None, None, None],
        "c": [None, None, [0.5, 1.5], [2.0], None],
    }


def test_bytes_are_text_where_all_are() -> None:
    assert columns({"a": "ä", "b": b"\xff"}, {"a": ["x", "y"], "b": b"y"}) == {"a": [["ä"], ["x", "y"]], "b": [b"\xff", b"y"]}


def test_what_is_skipped_is_no_column() -> None:
    assert columns({"a": 1, "image": b"x"}, skipped=("image",)) == {"a": [1]}


def test_values_of_another_kind_are_refused() -> None:
    with pytest.raises(CorruptStoreError, match="record 1: feature 'a' has float values, int values before"):
        columns({"a": 1}, {"a": 1.5})


def test_columns_above_the_limit_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tf_columns, "MAX_COLUMN_BYTES", 10)
    with pytest.raises(LimitExceededError, match="leave out 'a'"):
        columns({"a": bytes(6)}, {"a": bytes(6)})
