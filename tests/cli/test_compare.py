"""`pixstore compare`: equal or not, both digests, what differs and where."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import pixstore as library
from pixstore.trust.digest import dataset_digest


def test_a_folder_and_its_store_are_equal(pixstore: Callable[..., Any], photos: Path, tmp_path: Path) -> None:
    library.convert(photos, tmp_path / "a.pixstore", durability="process")
    done = pixstore("compare", photos, tmp_path / "a.pixstore")
    digest = dataset_digest(library.open(photos))
    assert done.status == 0 and done.out.startswith("equal: 3 samples\n") and done.out.count(digest) == 2


def test_differences_are_listed_and_end_with_1(pixstore: Callable[..., Any], photos: Path, tmp_path: Path) -> None:
    library.convert(photos, tmp_path / "a.pixstore", durability="process")
    Image.fromarray(np.zeros((9, 12, 3), np.uint8)).save(photos / "cats/a.png")
    (photos / "dogs/c.jpg").rename(photos / "cats/d.jpg")
    done = pixstore("compare", photos, tmp_path / "a.pixstore", "--json", tmp_path / "found.json")
    assert done.status == 1 and "DIFFERENT: 2 samples in common" in done.out
    assert "1 × only in a" in done.out and "'cats/a.png': bytes 'image'" in done.out
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["equal"] is False and found["matched"] == 2
    assert {(each["kind"], each["samples"]) for each in found["counts"]} >= {("only in a", 1), ("only in b", 1), ("bytes", 1)}


def test_pixels_look_behind_the_codec(pixstore: Callable[..., Any], photos: Path, tmp_path: Path) -> None:
    library.convert(photos, tmp_path / "a.pixstore", codec="raw", durability="process")
    done = pixstore("compare", photos, tmp_path / "a.pixstore", "--limit", 1)
    assert done.status == 1 and "    2 more differences; --limit lists more of each kind" in done.out
    assert "    where only the encoding differs, --pixels compares what is seen" in done.out
    done = pixstore("compare", photos, tmp_path / "a.pixstore", "--pixels")
    assert "--pixels" not in done.out and done.status == 0 and "3 images stored differently, with the same pixels" in done.out


def test_what_cannot_be_opened_is_status_2(pixstore: Callable[..., Any], photos: Path, tmp_path: Path) -> None:
    done = pixstore("compare", photos, tmp_path / "gone")
    assert done.status == 2 and "does not exist" in done.err


def test_labels_of_a_folder_come_from_where_they_are_said_to(pixstore: Callable[..., Any], photos: Path, tmp_path: Path) -> None:
    library.convert(photos, tmp_path / "a.pixstore", label_from=r"/(\w)\.", durability="process")
    assert pixstore("compare", photos, tmp_path / "a.pixstore").status == 1
    assert pixstore("compare", photos, tmp_path / "a.pixstore", "--label-from", r"/(\w)\.").status == 0
