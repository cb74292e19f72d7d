"""Shards opened together: what is checked, and that each is as it would be by itself."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

import pixstore
from pixstore import manifest
from pixstore.errors import CorruptStoreError, StoreTruncatedError
from pixstore.shard import Shard
from pixstore.shards import SMALL_BYTES, open_keys, open_shards

ENGINES = ["packed", "files", "lmdb", "hdf5"]


@pytest.fixture
def store(tmp_path: Path) -> Path:
    path = tmp_path / "s.pixstore"
    with pixstore.Writer(path, durability="process") as writer:
        for part in range(5):
            images = np.full((3, 4, 4, 3), part, np.uint8)
            writer.add_batch(images, key=[f"{part}-{row}" for row in range(3)], text=["x" * part * 40_000] * 3)
            writer.commit()
    return path


def opened(path: Path) -> list[Shard]:
    current = manifest.load(path)
    return open_shards(path, current.shards, current.schema)


def test_shards_opened_together_are_those_opened_alone(store: Path) -> None:
    current = manifest.load(store)
    sizes = [entry.table.bytes or 0 for entry in current.shards]
    assert min(sizes) < SMALL_BYTES < max(sizes), "small and large tables are tried"
    for together, entry in zip(opened(store), current.shards, strict=True):
        alone = Shard(store, entry, current.schema)
        assert together.whole.equals(alone.whole)
        assert len(together) == len(alone) == 3


def test_key_indices_read_together_are_those_read_alone(store: Path) -> None:
    together, alone = opened(store), opened(store)
    open_keys(together)
    assert all("keys" in shard.__dict__ for shard in together)
    for one, other in zip(together, alone, strict=True):
        np.testing.assert_array_equal(one.keys.hashes, other.keys.hashes)


@pytest.mark.parametrize("number", [0, 2, 4])
@pytest.mark.parametrize("suffix", [".arrow", ".keys"])
def test_a_flipped_bit_in_any_table_or_index_is_named(store: Path, number: int, suffix: str) -> None:
    file = store / "shards" / f"{manifest.load(store).shards[number].id}{suffix}"
    damaged = bytearray(file.read_bytes())
    damaged[len(damaged) // 2] ^= 16
    file.write_bytes(damaged)
    with pytest.raises(CorruptStoreError, match=file.name):
        open_keys(opened(store))


@pytest.mark.parametrize("suffix", [".arrow", ".keys", ".bin"])
def test_files_of_another_size_are_named(store: Path, suffix: str) -> None:
    file = store / "shards" / f"{manifest.load(store).shards[3].id}{suffix}"
    size = file.stat().st_size
    os.truncate(file, size - 1)
    with pytest.raises(StoreTruncatedError, match=f"{file.name}: needs {size:,} bytes, has {size - 1:,}"):
        opened(store)
    os.truncate(file, size + 1)
    with pytest.raises(CorruptStoreError, match=f"{file.name}: has {size + 1:,}"):
        opened(store)
    file.unlink()
    with pytest.raises(CorruptStoreError, match=f"{file.name}: missing"):
        opened(store)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_pixel_file_or_folder_that_is_gone_is_named(engine: str, tmp_path: Path) -> None:
    path = tmp_path / "s.pixstore"
    with pixstore.Writer(path, engine=engine, durability="process") as writer:
        writer.add_batch(np.zeros((3, 4, 4, 3), np.uint8))
    pixels = manifest.load(path).shards[0].pixels
    assert pixels is not None
    (path / "shards" / pixels.name).rename(tmp_path / "elsewhere")
    with pytest.raises(CorruptStoreError, match=f"{pixels.name}: missing"):
        opened(path)


def test_no_shards_are_opened_in_an_empty_store(tmp_path: Path) -> None:
    current = manifest.Manifest(1, None, "", "packed", "process", pixstore.Schema((pixstore.Field(),)), 0)
    assert open_shards(tmp_path, current.shards, current.schema) == []


def test_files_stay_closed(store: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    shards = opened(store)
    open_keys(shards)
    assert len(os.listdir("/proc/self/fd")) == before
