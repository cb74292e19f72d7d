"""`pixstore repair`: what was saved, what was lost and why."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import pixstore as library


@pytest.fixture
def store(photos: Path, tmp_path: Path) -> Path:
    library.convert(photos, tmp_path / "a.pixstore", durability="process")
    return tmp_path / "a.pixstore"


def test_a_whole_store_ends_with_0(pixstore: Callable[..., Any], store: Path, tmp_path: Path) -> None:
    done = pixstore("repair", store, tmp_path / "b")
    assert done.status == 0 and "3 samples of version 1 saved" in done.out
    assert pixstore("compare", store, tmp_path / "b").status == 0


def test_what_is_lost_is_told_and_ends_with_1(pixstore: Callable[..., Any], store: Path, tmp_path: Path) -> None:
    path = next((store / "shards").glob("*.bin"))
    path.write_bytes(b"\0" + path.read_bytes()[1:])
    done = pixstore("repair", store, tmp_path / "b")
    assert done.status == 1 and f"lost 1 sample, listed in {tmp_path / 'b'}/lost.csv:" in done.out
    assert f"cats/a.png: shards/{path.name} at byte 0: checksum is" in done.out
    found = json.loads(pixstore("repair", store, tmp_path / "c", "--json", "-").out)
    assert found["whole"] is False and found["samples"] == 2 and [each["key"] for each in found["lost"]] == ["cats/a.png"]


def test_a_place_that_is_taken_is_status_2(pixstore: Callable[..., Any], store: Path, tmp_path: Path) -> None:
    done = pixstore("repair", store, tmp_path)
    assert done.status == 2 and "something is already there" in done.err
