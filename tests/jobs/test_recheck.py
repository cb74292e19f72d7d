"""Rechecking: what was committed and damaged since is found, and nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import pixstore
from pixstore import manifest
from pixstore.jobs.recheck import damaged_shards
from pixstore.registry import ENGINES


def made(path: Path, engine: str, durability: str) -> manifest.Manifest:
    with pixstore.Writer(path, engine=engine, durability=durability, shard_bytes=300) as writer:
        for number in range(4):
            writer.add(np.full((10, 10, 3), number, np.uint8), key=str(number))
    return manifest.load(path)


def damaged(path: Path, found: manifest.Manifest) -> set[str]:
    return damaged_shards(path, found, on="threads", workers=2)


@pytest.mark.parametrize("durability", ["power", "process"])
def test_what_is_gone_cut_or_changed_is_found(tmp_path: Path, durability: str) -> None:
    found = made(tmp_path / "s", "packed", durability)
    assert damaged(tmp_path / "s", found) == set()
    first, second, third, _ = found.shards
    (tmp_path / "s" / "shards" / first.table.name).write_bytes(b"")
    data = bytearray((tmp_path / "s" / "shards" / second.table.name).read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / "s" / "shards" / second.table.name).write_bytes(data)
    assert third.pixels is not None
    (tmp_path / "s" / "shards" / third.pixels.name).unlink()
    assert damaged(tmp_path / "s", found) == {first.id, second.id, third.id}


@pytest.mark.parametrize("engine", ENGINES)
def test_pixels_are_read_where_the_system_may_have_lost_them(tmp_path: Path, engine: str) -> None:
    found = made(tmp_path / "s", engine, "process")
    assert damaged(tmp_path / "s", found) == set()
    last = found.shards[-1]
    assert last.pixels is not None
    place = tmp_path / "s" / "shards" / last.pixels.name
    file = place if place.is_file() else max(place.rglob("*"), key=lambda each: each.is_file() and each.stat().st_size)
    file.write_bytes(bytes(file.stat().st_size))
    assert damaged(tmp_path / "s", found) == {last.id}
