"""`pixstore gc`: what goes and what stays."""

from __future__ import annotations

import json
from pathlib import Path

import pixstore as library


def test_dry_run_first_then_for_good(pixstore, store: Path) -> None:
    (store / "shards" / "00000000deadbeef.partial").mkdir()
    (store / "shards" / "00000000deadbeef.partial" / "00000000deadbeef.bin").write_bytes(b"12345")
    dry = pixstore("gc", store, "--dry-run")
    assert dry.status == 0 and "1 file, 5 B would be removed" in dry.out and "2 versions: 1, 2" in dry.out
    assert (store / "shards" / "00000000deadbeef.partial").exists()
    assert "1 file, 5 B removed" in pixstore("gc", store).out and not (store / "shards" / "00000000deadbeef.partial").exists()


def test_versions_are_forgotten_on_request(pixstore, store: Path) -> None:
    found = json.loads(pixstore("gc", store, "--keep", 1, "--json", "-").out)
    assert found["forgotten"] == [1] and found["kept"] == [2] and found["names"] == ["versions/00000001.json"]
    assert pixstore("gc", store, "--keep", 0).status == 2


def test_store_in_use_is_left_alone(pixstore, store: Path) -> None:
    with library.Writer(store, mode="a"):
        done = pixstore("gc", store)
    assert done.status == 2 and "has it" in done.err
