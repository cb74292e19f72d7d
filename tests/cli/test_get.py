"""`pixstore get`: the stored bytes of one sample, untouched."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import pixstore as library


def test_bytes_go_to_the_file_and_it_says_what_they_are(pixstore, photos: Path, tmp_path: Path) -> None:
    done = pixstore("get", photos, "dogs/c.jpg", "-o", tmp_path / "c")
    assert done.status == 0
    assert (tmp_path / "c").read_bytes() == (photos / "dogs/c.jpg").read_bytes()
    assert "jpeg, 9 × 12 × 3 uint8, key dogs/c.jpg, row 2" in done.out


@pytest.mark.parametrize(("row", "key"), [("0", "cats/a.png"), ("2", "dogs/c.jpg")])
def test_row_number_stands_for_a_sample(row: str, key: str, pixstore, photos: Path, tmp_path: Path) -> None:
    assert pixstore("get", photos, row, "-o", tmp_path / "out").status == 0
    assert (tmp_path / "out").read_bytes() == (photos / key).read_bytes()


def test_negative_row_counts_from_the_end(pixstore, photos: Path, tmp_path: Path) -> None:
    assert pixstore("get", "-o", tmp_path / "out", "--", photos, "-1").status == 0
    assert (tmp_path / "out").read_bytes() == (photos / "dogs/c.jpg").read_bytes()


def test_key_that_looks_like_a_row_is_a_key(pixstore, tmp_path: Path) -> None:
    with library.Writer(tmp_path / "store", codec="raw") as writer:
        writer.add(np.full((1, 1, 1), 7, np.uint8), key="1")
        writer.add(np.full((1, 1, 1), 8, np.uint8), key="0")
    assert pixstore("get", tmp_path / "store", "1", "-o", tmp_path / "out").status == 0
    assert (tmp_path / "out").read_bytes() == b"\x07"


def test_another_field_is_got_by_name(pixstore, tmp_path: Path) -> None:
    with library.Writer(tmp_path / "store", codec="raw") as writer:
        writer.add(np.full((1, 1, 1), 7, np.uint8), mask=np.full((1, 2, 1), 9, np.uint8))
    assert pixstore("get", tmp_path / "store", "0", "--field", "mask", "-o", tmp_path / "out").status == 0
    assert (tmp_path / "out").read_bytes() == b"\x09\x09"


def test_bytes_alone_go_to_a_redirected_stdout(photos: Path) -> None:
    program = [sys.executable, "-c", "import sys; from pixstore.cli.main import main; sys.exit(main())"]
    done = subprocess.run([*program, "get", str(photos), "cats/a.png"], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == (photos / "cats/a.png").read_bytes()


def test_json_describes_what_was_written(pixstore, photos: Path, tmp_path: Path) -> None:
    done = pixstore("get", photos, "cats/b.png", "-o", tmp_path / "b", "--json", "-")
    written = json.loads(done.out)
    assert written["bytes"] == (photos / "cats/b.png").stat().st_size
    assert (written["key"], written["row"], written["codec"], written["shape"]) == ("cats/b.png", 1, "png", [9, 12, 3])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["cats/x.png", "-o", "out"], "cats/x.png"),
        (["3", "-o", "out"], "row 3"),
        (["--field", "mask", "0", "-o", "out"], "mask"),
        (["0", "--json", "-"], "-o FILE"),
    ],
)
def test_wrong_request_is_one_line(
    arguments: list[str], said: str, pixstore, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = pixstore("get", photos, *arguments)
    assert (done.status, done.out, done.err.count("\n")) == (2, "", 1)
    assert said in done.err
    assert not (tmp_path / "out").exists()


def test_terminal_is_not_filled_with_bytes(pixstore, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    done = pixstore("get", photos, "0")
    assert done.status == 2
    assert "-o FILE" in done.err


def test_file_that_is_there_stays_as_it_is(pixstore, photos: Path, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")
    done = pixstore("get", photos, "0", "-o", tmp_path / "out")
    assert done.status == 2
    assert (tmp_path / "out").read_text() == "mine"
