"""Tiles and records read once, each compared with what is known of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.engine_kinds import LOCATING
from tests.trust.conftest import IMAGES, KEYS, pixel_file

import pixstore
from pixstore import manifest
from pixstore.trust.contents import MOST_LISTED, check_records, check_tiles, no_records, records_of_tiles
from pixstore.trust.structure import open_table

Flip = Callable[[Path, int], None]
TILE = 16 << 20


def opened(store: Path) -> tuple[Any, Any]:
    made = manifest.load(store)
    return made.shards[0], open_table(store, made.shards[0], made.schema)


def test_a_wrong_byte_in_a_record_is_found_in_tile_and_record(plain: Path, flip: Flip) -> None:
    entry, shard = opened(plain)
    flip(pixel_file(plain), 3 * IMAGES[0].nbytes)
    found = check_tiles(plain, entry, entry.pixels, range(1), records_of_tiles(shard, range(1), 1), shard)
    assert [each.kind for each in found.findings] == ["pixels", "record"] and found.damaged.tolist() == [3]
    assert check_records(shard, "image", np.arange(12)).damaged.tolist() == [3]


def test_a_wrong_byte_between_records_is_found_in_the_tile_alone(plain: Path, flip: Flip) -> None:
    entry, shard = opened(plain)
    flip(pixel_file(plain), -1)
    found = check_tiles(plain, entry, entry.pixels, range(1), records_of_tiles(shard, range(1), 1), shard)
    assert [(each.kind, each.offset) for each in found.findings] == [("pixels", 0)] and not len(found.damaged)


def test_without_a_table_tiles_are_checked_all_the_same(plain: Path, flip: Flip) -> None:
    entry, _ = opened(plain)
    assert not check_tiles(plain, entry, entry.pixels, range(1), no_records(), None).findings
    flip(pixel_file(plain), 0)
    assert len(check_tiles(plain, entry, entry.pixels, range(1), no_records(), None).findings) == 1


@pytest.mark.parametrize("engine", ["packed", "lmdb", "hdf5"])
def test_every_record_belongs_to_one_part_of_the_tiles(tmp_path: Path, engine: str) -> None:
    with pixstore.Writer(tmp_path / "s", engine=engine, durability="process") as writer:
        images = np.zeros((40, 1000, 333, 3), np.uint8)
        writer.add_batch(images, mask=images[:, ::4, ::4, 0])
    entry, shard = opened(tmp_path / "s")
    count = len(entry.pixels.digests)
    assert count == 3
    parts = [records_of_tiles(shard, each, count) for each in (range(1), range(1, 2), range(2, 3))]
    rows = np.concatenate([each.row for each in parts])
    assert len(rows) == 80 and np.bincount(rows).tolist() == [2] * 40
    assert all(0 < len(each.row) < 80 and (each.offset // TILE == number).all() for number, each in enumerate(parts))


def test_records_without_end_are_listed_up_to_a_limit_and_all_counted(tmp_path: Path) -> None:
    count = MOST_LISTED + 500
    with pixstore.Writer(tmp_path / "s", durability="process") as writer:
        writer.add_batch(np.ones((count, 1, 1, 3), np.uint8))
    _, shard = opened(tmp_path / "s")
    path = pixel_file(tmp_path / "s")
    path.write_bytes(bytes(3 * count) + path.read_bytes()[3 * count :])
    found = check_records(shard, "image", np.arange(count))
    assert len(found.damaged) == count and len(found.findings) == MOST_LISTED + 1
    assert found.findings[-1].rows == 500 and "500 more samples" in found.findings[-1].reason


def test_rows_without_the_field_are_left_out(pristine: Path) -> None:
    made = manifest.load(pristine)
    entry = replace(made.shards[0], deleted=())
    shard = open_table(pristine, entry, made.schema)
    found = check_records(shard, "mask", np.arange(entry.rows))
    has = sum(key in KEYS[::2] for key in shard.whole["key"].to_pylist())
    read = has * IMAGES[0, ..., 0].nbytes if made.engine in LOCATING else 0
    assert not found.findings and 0 < has < entry.rows and found.bytes == read
