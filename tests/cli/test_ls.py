"""`pixstore ls`: keys, shapes and columns, one sample per line."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import numpy as np

import pixstore as library


def test_each_line_is_key_shape_and_named_label(pixstore, photos: Path) -> None:
    done = pixstore("ls", photos)
    assert done.status == 0
    assert done.out.splitlines() == [
        "cats/a.png  9×12×3  label=0 (cats)",
        "cats/b.png  9×12×3  label=0 (cats)",
        "dogs/c.jpg  9×12×3  label=1 (dogs)",
    ]


def test_limit_says_how_many_more(pixstore, photos: Path) -> None:
    assert pixstore("ls", photos, "--limit", 2).out.splitlines()[-1] == "… 1 more; --limit 0 lists all"
    assert len(pixstore("ls", photos, "--limit", 0).out.splitlines()) == 3
    assert len(pixstore("ls", photos, "--limit", 3).out.splitlines()) == 3


def test_json_lists_samples_with_any_column(pixstore, tmp_path: Path) -> None:
    with library.Writer(tmp_path / "store") as writer:
        writer.add(np.zeros((2, 3), np.uint8), mask=np.zeros((2, 3, 1), np.uint8), score=float("nan"), note=b"\xff", parts=[1, 2])
    listed = json.loads(pixstore("ls", tmp_path / "store", "--json", "-").out)
    assert listed["rows"] == 1
    (sample,) = listed["samples"]
    assert (sample["row"], sample["key"]) == (0, "00000000")
    assert sample["shape"]["image"][:2] == [2, 3] and sample["shape"]["mask"][:2] == [2, 3]
    assert sample["columns"] == {"score": None, "note": base64.b64encode(b"\xff").decode(), "parts": [1, 2]}


def test_more_rows_than_are_read_at_once_stay_in_order(pixstore, tmp_path: Path) -> None:
    with library.Writer(tmp_path / "store") as writer:
        writer.add_batch(np.zeros((2_345, 1, 1, 1), np.uint8), label=range(2_345))
    lines = pixstore("ls", tmp_path / "store", "--limit", 0).out.splitlines()
    assert [line.partition("label=")[2] for line in lines] == [str(number) for number in range(2_345)]


def test_quiet_prints_nothing(pixstore, photos: Path) -> None:
    done = pixstore("ls", photos, "--quiet")
    assert (done.status, done.out, done.err) == (0, "", "")


def test_order_of_keys_from_one_on_or_of_a_prefix(pixstore, tmp_path: Path) -> None:
    with library.Writer(tmp_path / "store") as writer:
        writer.add_batch(np.zeros((5, 1, 1, 1), np.uint8), key=["b/2", "a/1", "b/10", "c", "b/1"])
    keys = [line.split()[0] for line in pixstore("ls", tmp_path / "store", "--from", "b/10").out.splitlines()]
    assert keys == ["b/10", "b/2", "c"]
    done = pixstore("ls", tmp_path / "store", "--prefix", "b/", "--limit", 2, "--json", "-")
    listed = json.loads(done.out)
    assert [(each["key"], each["row"]) for each in listed["samples"]] == [("b/1", 4), ("b/10", 2)] and listed["rows"] == 3
    assert pixstore("ls", tmp_path / "store", "--prefix", "x").out == ""
