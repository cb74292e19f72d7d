"""Every cell as a row of an Arrow table: types, units, and what is null."""

from __future__ import annotations

import json

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from pixstore.bench import Observation, Results, Spread
from pixstore.bench.cells import as_table
from pixstore.errors import InvalidInputError


@pytest.fixture
def asked(measured: Results) -> Results:
    """Return the results with two questions of the lab: one of words and numbers, one with a failed cell."""
    cost = {"p99_seconds": Spread.of([1.0, 2.0, 4.0])}
    measured.observations += [
        Observation("batch", "lmdb/raw", 100, {"batch": 64, "share": 1}, Spread.of([2.0, 1.0, 3.0]), cost, {"resident": 0.0}),
        Observation("batch", "packed/png", 100, {"batch": 256, "share": 0.5}, Spread.of([4.0] * 3)),
        Observation("transactions", "lmdb/raw", 50, {"per_commit": 100}, Spread.of([1.0])),
        Observation("transactions", "lmdb/raw", 50, {"per_commit": "all"}, error="StoreFullError: no space"),
    ]
    return measured


def rows(table: pa.Table, **where: object) -> list[dict[str, object]]:
    return [each for each in table.to_pylist() if all(each[name] == value for name, value in where.items())]


def test_every_cell_is_a_row(asked: Results) -> None:
    table = as_table(asked)
    assert table.num_rows == len(asked.cells) + 4
    assert table["suite"].to_pylist() == ["classic"] * len(asked.cells) + ["lab"] * 4
    assert len(set(table.column_names)) == table.num_columns


def test_times_come_with_interval_repeats_and_rate(asked: Results) -> None:
    (row,) = rows(as_table(asked), experiment="batch", setting_batch=64)
    assert (row["median_seconds"], row["min_seconds"], row["max_seconds"], row["repeats"]) == (2.0, 1.0, 3.0, 3)
    assert (row["low_seconds"], row["high_seconds"]) == Spread.of([2.0, 1.0, 3.0]).interval
    assert row["images_per_second"] == 50.0 and row["title"] == "LMDB + raw"


def test_measures_have_columns_of_their_own_and_proof_is_json(asked: Results) -> None:
    (row,) = rows(as_table(asked), experiment="batch", way="lmdb/raw")
    assert row["measure_p99_seconds"] == 2.0
    assert (row["measure_p99_seconds_low"], row["measure_p99_seconds_high"]) == (1.0, 4.0)
    assert json.loads(str(row["proof"])) == {"resident": 0.0}


def test_disk_use_is_that_of_the_classic_cells(asked: Results) -> None:
    (row,) = rows(as_table(asked), experiment="disk", way="packed/png", images=100)
    assert (row["apparent_bytes"], row["allocated_bytes"]) == (230_000, 409_600) and row["median_seconds"] is None


def test_failed_cell_has_words_and_no_numbers(asked: Results) -> None:
    (row,) = rows(as_table(asked), experiment="transactions", setting_per_commit="all")
    assert row["error"] == "StoreFullError: no space"
    assert row["median_seconds"] is row["images_per_second"] is row["repeats"] is None


def test_axes_are_numbers_where_all_their_places_are(asked: Results) -> None:
    schema = as_table(asked).schema
    assert schema.field("setting_batch").type == pa.int64()
    assert schema.field("setting_share").type == pa.float64()
    assert schema.field("setting_per_commit").type == pa.string()


def test_one_experiment_has_only_the_columns_it_needs(asked: Results) -> None:
    table = as_table(asked, "batch")
    assert set(table["experiment"].to_pylist()) == {"batch"} and "setting_per_commit" not in table.column_names
    assert "error" not in table.column_names and "error" in as_table(asked, "transactions").column_names


def test_unknown_experiment_lists_those_that_are_there(asked: Results) -> None:
    with pytest.raises(InvalidInputError, match=r"no cells of 'cost'.*store-one.*batch, transactions"):
        as_table(asked, "cost")


def test_run_without_any_cell_is_an_empty_table() -> None:
    assert as_table(Results({}, {}, {})).num_rows == 0


def test_columns_can_be_filtered_by_expression(asked: Results) -> None:
    found = as_table(asked).filter((pc.field("setting_batch") > 100) & (pc.field("suite") == "lab"))
    assert found["way"].to_pylist() == ["packed/png"]


def test_documented_columns_are_those_of_the_table(asked: Results) -> None:
    documented = set(as_table.__globals__["__doc__"].split("`"))
    plain = [name for name in as_table(asked).column_names if not name.startswith(("setting_", "measure_"))]
    assert set(plain) <= documented
