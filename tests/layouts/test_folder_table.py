"""Metadata files: CSV where every reader gets the same values back from it, JSON lines else."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pandas
import pyarrow as pa
import pytest

from pixstore.layouts.folder_table import fits_csv, holds, write_table
from pixstore.sources.folders.metadata import read_metadata

FIT: list[list[Any]] = [[1, -5], [0.1, 1e300], [1.5, float("nan")], [True, False], ['a, "b"', "line\nline"], ["12", "b"]]
UNFIT: list[list[Any]] = [
    [1, None],
    ["007", "12"],
    ["", "a"],
    ["NA", "b"],
    ["true", "False"],
    ["a", None],
    [[1], [2, 3]],
    [10**18, 1],
    ["1e5", "2"],
]


@pytest.mark.parametrize("values", FIT, ids=repr)
def test_values_that_csv_keeps_come_back_from_pandas_and_from_here(tmp_path: Path, values: list[Any]) -> None:
    column = pa.chunked_array([pa.array(values)])
    assert fits_csv(column) and holds(column, as_csv=True)
    write_table(tmp_path, ["a.png", "b.png"], pa.table({"x": column}), as_csv=True)
    ours = read_metadata(tmp_path, ["metadata.csv"], ["a.png", "b.png"], [])
    assert ours["x"].equals(
        pa.array(values),
    ) or str(ours["x"].to_pylist()) == str(values)
    assert str(pandas.read_csv(tmp_path / "metadata.csv")["x"].tolist()) == str(values)


@pytest.mark.parametrize("values", UNFIT, ids=repr)
def test_values_that_csv_would_change_come_back_from_json_lines(tmp_path: Path, values: list[Any]) -> None:
    column = pa.chunked_array([pa.array(values)])
    assert not fits_csv(column) and holds(column, as_csv=False)
    write_table(tmp_path, ["a.png", "b.png"], pa.table({"x": column}), as_csv=False)
    assert read_metadata(tmp_path, ["metadata.jsonl"], ["a.png", "b.png"], [])["x"].to_pylist() == values
    assert [json.loads(line)["x"] for line in (tmp_path / "metadata.jsonl").read_text().splitlines()] == values


def test_bytes_and_infinite_numbers_are_held_by_neither_and_nan_by_csv_alone() -> None:
    for values in ([b"a"], [[b"a"]], [float("inf")], [[1.0, float("-inf")]]):
        assert not any(holds(pa.chunked_array([pa.array(values)]), as_csv=each) for each in (True, False))
    nan = pa.chunked_array([pa.array([float("nan")])])
    assert holds(nan, as_csv=True) and not holds(nan, as_csv=False)


def test_a_table_without_columns_has_the_file_names(tmp_path: Path) -> None:
    write_table(tmp_path, ["a,b.png", "c.png"], pa.table({}), as_csv=True)
    with open(tmp_path / "metadata.csv", newline="") as file:
        assert list(csv.reader(file)) == [["file_name"], ["a,b.png"], ["c.png"]]
