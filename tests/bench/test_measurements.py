from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from pixstore.bench import Results, Spread, load
from pixstore.errors import IncompatibleStoreError, InvalidInputError, PathNotFoundError


def test_saved_results_come_back_the_same(measured: Results, tmp_path: Path) -> None:
    measured.save(tmp_path / "made")
    again = load(tmp_path / "made")
    assert again == measured
    assert load(tmp_path / "made" / "results.json") == measured
    assert sorted(path.name for path in (tmp_path / "made").iterdir()) == ["results.csv", "results.json"]


def test_json_has_the_keys_of_format_one(measured: Results, tmp_path: Path) -> None:
    measured.save(tmp_path)
    value = json.loads((tmp_path / "results.json").read_text())
    assert value["format"] == 1
    assert {"machine", "source", "results"} <= value.keys()
    stored = next(each for each in value["results"] if each["experiment"] == "store-one")
    assert stored.keys() == {"experiment", "way", "images", "seconds", "bytes", "error"}
    assert stored["seconds"].keys() == {"median", "min", "max", "runs"}
    assert stored["bytes"].keys() == {"apparent", "allocated"}


def test_csv_has_one_row_per_cell(measured: Results, tmp_path: Path) -> None:
    measured.save(tmp_path)
    with open(tmp_path / "results.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(measured.cells)
    assert rows[0]["title"] == "PNG files, tutorial"
    assert float(rows[0]["min_s"]) < float(rows[0]["median_s"]) < float(rows[0]["max_s"])
    assert any(row["error"].startswith("StoreFullError") for row in rows)


def test_seconds_tell_median_and_spread() -> None:
    assert Spread.of([3.0, 1.0, 2.0]) == Spread(2.0, 1.0, 3.0, (3.0, 1.0, 2.0))


def test_lookups(measured: Results) -> None:
    assert measured.cutoffs("store-many") == [1, 10, 100, 1000]
    assert measured.median("read-many", "nobody", 1) is None
    assert measured.title("nobody") == "nobody"
    assert {cell.way for cell in measured.failures()} == {"lmdb/raw"}
    assert measured.differences == []


def test_nothing_is_created_where_there_are_no_results(tmp_path: Path) -> None:
    with pytest.raises(PathNotFoundError, match=r"no results\.json"):
        load(tmp_path / "absent")
    assert list(tmp_path.iterdir()) == []


def changed(value: dict[str, Any], path: list[Any], to: Any) -> dict[str, Any]:
    place: Any = value
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = to
    return value


@pytest.mark.parametrize(
    ("path", "to"),
    [
        (["results"], 3),
        (["results", 0], "cell"),
        (["results", 0, "seconds", "median"], "fast"),
        (["results", 0, "seconds", "median"], -1),
        (["results", 0, "seconds", "runs"], [float("nan")]),
        (["results", 0, "images"], None),
        (["machine"], []),
        (["run", "repeats"], "five"),
        (["run", "ways"], {"packed/png": "title"}),
        (["run", "limits"], {"copy": []}),
        (["source", "largest"], "big"),
        (["results", 0, "images"], -5),
        (["results", 0, "images"], 10**400),
        (["results", 0, "images"], float("inf")),
        (["run", "seconds"], float("nan")),
        (["run", "budget_seconds"], float("inf")),
        (["lab", 0, "images"], 10**400),
        (["lab", 0, "images"], -5),
        (["lab", 0, "setting", "order"], float("nan")),
        (["lab", 0, "setting", "order"], float("inf")),
        (["lab", 0, "setting", "order"], 10**400),
    ],
)
def test_results_that_cannot_be_drawn_are_refused_with_the_file(asked: Results, tmp_path: Path, path: list[Any], to: Any) -> None:
    file = tmp_path / "results.json"
    file.write_text(json.dumps(changed(asked.to_json(), path, to)))
    with pytest.raises(InvalidInputError, match=r"results\.json"):
        load(file)


@pytest.mark.parametrize("text", ["", "[", "[]", "{}", '"results"', "[" * 100_000, "\udcff", "9" * 5000])
def test_other_files_are_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "other.json"
    file.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(InvalidInputError, match=r"other\.json"):
        load(file)


def test_results_of_another_format_are_refused_by_number(measured: Results, tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    file.write_text(json.dumps({**measured.to_json(), "format": 2}))
    with pytest.raises(IncompatibleStoreError, match="format 2"):
        load(file)
