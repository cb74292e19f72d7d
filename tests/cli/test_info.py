"""`pixstore info`: what is at a path, of sources and of stores."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import pixstore as library


@pytest.fixture
def store(tmp_path: Path) -> Path:
    path = tmp_path / "store"
    with library.Writer(path, engine="lmdb", codec="raw", durability="process") as writer:
        writer.add_batch(np.zeros((4, 6, 7, 3), np.uint8), label=[0, 1, 2, 3])
    with library.Writer(path, mode="a", durability="process") as writer:
        writer.delete("00000001")
    return path


def test_source_is_named_and_unchecked(pixstore, photos: Path) -> None:
    done = pixstore("info", photos)
    assert (done.status, done.err) == (0, "")
    assert "image folder, 3 samples" in done.out
    assert "image: png, 9 × 12 × 3 uint8, the first row" in done.out
    assert "label: cats, dogs" in done.out
    assert "unchecked" in done.out
    assert "notes.txt" in done.out


def test_store_tells_version_engine_durability_and_checks(pixstore, store: Path) -> None:
    done = pixstore("info", store)
    assert done.status == 0
    for words in (
        "3 samples",
        "raw, 6 × 7 × 3 uint8, every row",
        "version   2",
        "engine    lmdb",
        "end of the process only",
        "by checksum",
    ):
        assert words in done.out


def test_json_has_the_facts_alone_on_stdout(pixstore, store: Path) -> None:
    facts = json.loads(pixstore("info", store, "--json", "-").out)
    assert facts["rows"] == 3
    assert facts["fields"] == [{"name": "image", "codec": "raw", "shape": [6, 7, 3], "dtype": "uint8", "uniform": True}]
    assert facts["columns"] == [{"name": "label", "type": "int64"}]
    assert facts["checked"] is True
    assert facts["store"]["deleted_rows"] == 1
    assert facts["bytes"]["apparent"] >= 4 * 6 * 7 * 3


def test_broken_first_image_does_not_hide_the_rest(pixstore, photos: Path) -> None:
    (photos / "cats" / "a.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    done = pixstore("info", photos)
    assert done.status == 0
    assert "9 × 12 × 3" in done.out


def test_name_that_would_steer_the_terminal_is_escaped(pixstore, photos: Path) -> None:
    (photos / "cats").rename(photos / "cats\x1b[2J")
    done = pixstore("info", photos)
    assert done.status == 0
    assert "\x1b" not in done.out and "cats\\x1b[2J" in done.out


def test_path_that_is_not_there_is_one_line(pixstore, tmp_path: Path) -> None:
    done = pixstore("info", tmp_path / "nowhere")
    assert (done.status, done.out, done.err.count("\n")) == (2, "", 1)
    assert list(tmp_path.iterdir()) == []


def test_folder_of_which_nothing_can_be_read_is_one_line(pixstore, tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    done = pixstore("info", tmp_path)
    assert (done.status, done.out, done.err.count("\n")) == (2, "", 1)
    assert "a.png" in done.err


def test_empty_store_has_no_format_yet(pixstore, tmp_path: Path) -> None:
    with library.Writer(tmp_path / "store") as writer:
        writer.add(np.zeros((2, 2, 3), np.uint8), key="a")
        writer.commit()
        writer.delete("a")
    done = pixstore("info", tmp_path / "store")
    assert done.status == 0
    assert "0 samples" in done.out
