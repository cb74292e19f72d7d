"""`pixstore verify`: the verdict first, status 1 for damage, JSON alone on stdout."""

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


def damage(store: Path) -> str:
    path = next((store / "shards").glob("*.bin"))
    data = bytearray(path.read_bytes())
    data[10] ^= 1
    path.write_bytes(data)
    return path.name


def test_a_sound_store_ends_with_0(pixstore: Callable[..., Any], store: Path) -> None:
    done = pixstore("verify", store)
    assert done.status == 0 and not done.err
    assert done.out.startswith(f"{store}: 3 samples proven, version 1; everything is as it was written\n")
    assert "a power cut soon after a commit" in done.out


def test_damage_is_named_and_ends_with_1(pixstore: Callable[..., Any], store: Path) -> None:
    name = damage(store)
    done = pixstore("verify", store)
    assert done.status == 1
    assert "DAMAGED: 2 findings, 1 sample of version 1 cannot be trusted" in done.out
    assert f"shards/{name} at byte 0: " in done.out and "('cats/a.png')" in done.out


def test_json_has_all_of_the_report(pixstore: Callable[..., Any], store: Path) -> None:
    name = damage(store)
    (store / "shards/loose.bin").write_bytes(b"123")
    done = pixstore("verify", store, "--json", "-")
    found = json.loads(done.out)
    assert done.status == 1 and found["ok"] is False and found["damaged"] == 1
    assert found["leftovers"] == [{"file": "shards/loose.bin", "bytes": 3}]
    assert {each["kind"] for each in found["findings"]} == {"pixels", "record"} and found["findings"][0]["file"] == f"shards/{name}"


def test_a_sample_says_its_seed(pixstore: Callable[..., Any], store: Path) -> None:
    done = pixstore("verify", store, "--sample", "50%", "--seed", "7")
    assert done.status == 0 and "a random 0.5 of the records was read (--seed 7)" in done.out
    assert pixstore("verify", store, "--sample", "many").status == 2


def test_leftovers_are_told(pixstore: Callable[..., Any], store: Path) -> None:
    (store / "shards/loose.bin").write_bytes(b"123")
    assert "1 file of no version (3 B), left by interrupted writing; `pixstore gc` removes them" in pixstore("verify", store).out


def test_a_version_is_a_number_or_a_tag(pixstore: Callable[..., Any], store: Path) -> None:
    assert pixstore("verify", store, "--version", "1").status == 0
    done = pixstore("verify", store, "--version", "best")
    assert done.status == 2 and "version 'best' is not kept" in done.err


def test_what_is_no_store_is_status_2(pixstore: Callable[..., Any], photos: Path) -> None:
    done = pixstore("verify", photos)
    assert done.status == 2 and "is not a pixstore store" in done.err


def test_nothing_readable_is_damage_too(pixstore: Callable[..., Any], store: Path) -> None:
    for path in (store / "manifest.json", store / "versions/00000001.json"):
        path.write_bytes(b"\x1b[31m")
    done = pixstore("verify", store)
    assert done.status == 1 and "DAMAGED: no version can be read" in done.out and "\x1b" not in done.out
