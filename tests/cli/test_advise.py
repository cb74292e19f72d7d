"""`pixstore advise`: the recommendation first, then reasons, candidates and the command."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def test_recommendation_comes_first_then_reasons_candidates_and_how_to_read(pixstore, photos: Path, here: Path) -> None:
    done = pixstore("advise", photos, "--budget", "3s")
    assert (done.status, done.err) == (0, "")
    lines = done.out.splitlines()
    assert lines[0].startswith("Leave them as they are (confidence ")
    assert lines[1].startswith("  • opening and reading all 3 images takes ")
    for way in ("source", "packed/keep", "files/keep", "lmdb/keep", "hdf5/keep", "packed/raw"):
        assert f" {way} " in done.out
    assert lines[-1].startswith("  pixstore.open(") and "nothing was left there" in done.out
    assert os.listdir(here) == []


def test_the_command_is_printed_where_there_is_something_to_do(pixstore, photos: Path) -> None:
    done = pixstore("advise", photos, "--budget", "2s", "--demand", "1e9", "--medium", "network", "--dest", "out.pixstore")
    assert done.status == 0
    assert f"  pixstore convert {photos} out.pixstore --engine " in done.out and "--order shuffle:0" in done.out
    assert "are not reached with these CPUs" in done.out


def test_json_stands_alone(pixstore, photos: Path) -> None:
    done = pixstore("advise", photos, "--budget", "2s", "--use", "archive", "--json", "-")
    read = json.loads(done.out)
    assert read["situation"]["use"] == "archive" and read["headline"] and len(read["ways"]) == 5


def test_quiet_prints_nothing(pixstore, photos: Path) -> None:
    done = pixstore("advise", photos, "--budget", "1s", "--quiet")
    assert (done.status, done.out, done.err) == (0, "", "")


@pytest.mark.parametrize("options", [["--use", "fast"], ["--demand", "0"], ["--budget", "soon"], ["--use", "browse", "--demand", "5"]])
def test_what_cannot_be_is_refused_in_one_line(options: list[str], pixstore, photos: Path) -> None:
    done = pixstore("advise", photos, *options)
    assert (done.status, done.out) == (2, "") and len(done.err.splitlines()) == 1


def test_a_source_that_is_not_there_is_refused(pixstore, tmp_path: Path) -> None:
    done = pixstore("advise", tmp_path / "nothing")
    assert done.status == 2 and "does not exist" in done.err
