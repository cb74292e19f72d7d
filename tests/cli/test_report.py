from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pixstore import bench


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Return the folder of a small run, without plots and report."""
    bench.run(ways=["tutorial-png", "packed/raw"], cutoffs=[2], repeats=1, out=tmp_path / "run")
    return tmp_path / "run"


def test_report_draws_again_beside_the_results(pixstore: Callable[..., Any], results: Path) -> None:
    done = pixstore("report", results)
    assert done.status == 0
    assert "PNG files, tutorial" in done.out
    assert f"Report: {results / 'report.html'}" in done.out
    assert {path.name for path in results.iterdir()} == {"plots", "report.html", "results.csv", "results.json"}


def test_report_draws_into_another_folder_and_leaves_the_first_alone(pixstore: Callable[..., Any], results: Path, tmp_path: Path) -> None:
    before = sorted(results.iterdir())
    done = pixstore("report", results / "results.json", "--out", tmp_path / "drawn", "--json", "-")
    assert done.status == 0
    assert done.out.startswith("{")
    assert sorted(results.iterdir()) == before
    assert (tmp_path / "drawn" / "plots" / "disk.svg").exists()


def test_other_files_are_refused_in_one_line(pixstore: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "results.json").write_text("[]")
    for path in (tmp_path, tmp_path / "absent"):
        done = pixstore("report", path)
        assert done.status == 2
        assert done.err.count("\n") == 1
        assert str(path) in done.err


@pytest.fixture
def slower(results: Path, tmp_path: Path) -> Path:
    """Return the same run once more, in which reading with packed/raw took twice as long and a cell has failed; repeats as of five."""
    value = json.loads((results / "results.json").read_text(encoding="utf-8"))
    for cell in value["results"]:
        if cell["seconds"]:
            cell["seconds"]["runs"] *= 5
    (results / "results.json").write_text(json.dumps(value), encoding="utf-8")
    for cell in value["results"]:
        if (cell["experiment"], cell["way"], cell["images"]) == ("read-many", "packed/raw", 2):
            cell["seconds"] = {
                name: [2 * each for each in times] if name == "runs" else 2 * times for name, times in cell["seconds"].items()
            }
        if (cell["experiment"], cell["way"], cell["images"]) == ("read-shuffled", "packed/raw", 2):
            cell |= {"seconds": None, "error": "OSError: the disk is gone"}
    value["machine"]["cpus"] = 99
    (tmp_path / "slower").mkdir()
    (tmp_path / "slower" / "results.json").write_text(json.dumps(value), encoding="utf-8")
    return tmp_path / "slower"


def test_what_changed_is_printed_and_in_the_report(pixstore: Callable[..., Any], results: Path, slower: Path) -> None:
    done = pixstore("report", slower, "--against", results)
    assert done.status == 0
    assert done.out.startswith("What changed")
    assert "read-many, 2 images" in done.out and "2×" in done.out and "slower" in done.out
    assert "failed in the new run: OSError: the disk is gone" in done.out
    assert "CAUTION, the runs differ in more than what they measured: CPUs in use: " in done.out
    assert "Storing" not in done.out
    page = (slower / "report.html").read_text(encoding="utf-8")
    assert "read-many, 2 images" in page and "CAUTION, the runs differ" in page


def test_a_run_against_itself_has_not_changed(pixstore: Callable[..., Any], results: Path) -> None:
    done = pixstore("report", results, "--against", results / "results.json")
    assert done.status == 0
    assert "What changed" not in done.out and "CAUTION" not in done.out
    assert "The machine itself is as fast as before" in done.out


def test_what_changed_is_in_the_json_beside_the_results(pixstore: Callable[..., Any], results: Path, slower: Path) -> None:
    value = json.loads(pixstore("report", slower, "--against", results, "--json", "-").out)
    assert value["format"] == 1
    assert value["against"]["verdicts"]["slower"] == 1
    assert [each["ratio"] for each in value["against"]["cells"] if each["verdict"] == "slower"] == [2.0]


def test_old_results_that_are_none_are_refused_in_one_line(pixstore: Callable[..., Any], results: Path, tmp_path: Path) -> None:
    before = sorted(results.iterdir())
    done = pixstore("report", results, "--against", tmp_path / "absent")
    assert (done.status, done.err.count("\n")) == (2, 1)
    assert str(tmp_path / "absent") in done.err
    assert sorted(results.iterdir()) == before
