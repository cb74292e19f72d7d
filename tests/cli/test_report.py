from __future__ import annotations

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
