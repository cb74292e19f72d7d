"""Options reach the store, which is read back as ever, and tell one store from another."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pixstore.bench import check, disk, naming
from pixstore.bench.lab.stores import VariedStore
from pixstore.bench.ways.base import Work
from pixstore.bench.ways.ours import STORE, parse


@pytest.mark.parametrize("name", ["packed/raw", "hdf5/raw", "lmdb/png", "files/png"])
def test_shards_end_at_the_size_asked_for(name: str, work: Work, tmp_path: Path) -> None:
    way = VariedStore(parse(name, 2), shard_bytes=200)
    way.store_many(tmp_path, work)
    assert len(list((tmp_path / STORE / "shards").glob("*.arrow"))) > 1
    assert check.difference(way.read_shuffled(tmp_path, work), work, work.order) is None


def test_levels_and_qualities_change_the_bytes(tmp_path: Path) -> None:
    ramp = np.cumsum(np.random.default_rng(0).integers(0, 3, (4, 64, 64, 3)), axis=2).astype(np.uint8)
    png, jpeg = parse("packed/png", 2), parse("packed/jpeg", 2)
    sizes = []
    for way in (VariedStore(png, level=1), VariedStore(png, level=9), VariedStore(jpeg, quality=95), VariedStore(jpeg, quality=60)):
        folder = tmp_path / str(len(sizes))
        folder.mkdir()
        way.store_many(folder, Work(ramp, np.arange(4)))
        sizes.append(disk.usage(folder).apparent)
    assert sizes[1] < sizes[0]
    assert sizes[3] < sizes[2]


def test_names_differ_and_still_tell_the_codec() -> None:
    jpeg = parse("packed/jpeg", 2)
    names = {VariedStore(jpeg, quality=quality).name for quality in (75, 90)}
    assert len(names) == 2
    assert all(naming.is_lossy(name) for name in names)
