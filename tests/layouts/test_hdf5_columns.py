"""Which columns and attributes HDF5 holds, and how they are written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pyarrow as pa
import pytest

import pixstore
from pixstore.dataset import Dataset
from pixstore.layouts.hdf5_columns import _as_hdf5, attributes_lost, column_values, kept_columns
from pixstore.sources.hdf5.attributes import Attributes


def dataset_of(path: Path, **columns: Any) -> Dataset:
    with pixstore.Writer(path, durability="process") as writer:
        count = len(next(iter(columns.values())))
        writer.add_batch(np.zeros((count, 3, 4, 3), np.uint8), **columns)
    return pixstore.open(path)


def test_columns_without_gaps_and_of_one_width_are_kept(tmp_path: Path) -> None:
    dataset = dataset_of(
        tmp_path / "s",
        number=[1, 2], truth=[True, False], text=["a", ""], pair=[[1.5, 2.0], [3.0, 4.0]],
        ragged=[[1], [2, 3]], single=[[1], [2]], texts=[["a"], ["b"]], gap=[1, None], zero=["a\0b", "c"], data=[b"a", b"b"],
    )  # fmt: skip
    assert kept_columns(dataset) == ["number", "truth", "text", "pair"]


def test_values_are_those_of_the_rows_asked_for() -> None:
    rows = np.array([2, 0])
    numbers = column_values(pa.chunked_array([[1, 2], [3]], pa.int16()), rows)
    assert isinstance(numbers, np.ndarray) and (numbers.tolist(), numbers.dtype) == ([3, 1], np.dtype("int16"))
    pairs = column_values(pa.chunked_array([[[1, 2], [3, 4], [5, 6]]]), rows)
    assert isinstance(pairs, np.ndarray) and pairs.tolist() == [[5, 6], [1, 2]]
    assert column_values(pa.chunked_array([["a", "b", "c"]]), rows) == ["c", "a"]


@pytest.mark.parametrize("value", ["text", 7, 0.25, True, ["a", "b"], [1, 2], [[1, 2], [3, 4]], [0.5]])
def test_what_hdf5_has_a_type_for_comes_back_as_it_was(tmp_path: Path, value: Any) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.attrs["it"] = _as_hdf5(value)
        assert Attributes().of(file.id)[0] == {"it": value}


@pytest.mark.parametrize("value", [None, {"a": 1}, [1, "a"], [[1], [2, 3]], 1 << 70, "a\0b", [], [{"a": None}]])
def test_everything_else_is_json_text(tmp_path: Path, value: Any) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.attrs["it"] = _as_hdf5(value)
        assert json.loads(file.attrs["it"]) == value


def test_an_attribute_beyond_what_hdf5_holds_is_a_loss(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w", libver="latest") as file:
        file["x"] = np.zeros((2, 4, 5, 3), np.uint8)
        file.attrs["small"] = "a"
        file.attrs["large"] = ["word " * 20] * 700
    (loss,) = attributes_lost(pixstore.open(tmp_path / "a.h5"))
    assert loss.name == "columns" and loss.words.endswith(": large")
