"""What of a shard can be proven, batch by batch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tests.trust.conftest import IMAGES, KEYS, pixel_file

from pixstore import manifest
from pixstore.trust import salvage as module
from pixstore.trust.salvage import Lost, salvage
from pixstore.trust.structure import open_table

Flip = Callable[[Path, int], None]


def saved(store: Path) -> tuple[list[str], list[Lost]]:
    made = manifest.load(store)
    batches = [each for entry in made.shards for each in salvage(open_table(store, entry, made.schema))]
    return [key for each in batches for key in each.keys.to_pylist()], [lost for each in batches for lost in each.lost]


def test_of_a_sound_store_everything_is_saved_and_nothing_deleted(pristine: Path) -> None:
    keys, lost = saved(pristine)
    assert sorted(keys) == sorted(set(KEYS) - {"key-03"}) and not lost


def test_batches_hold_a_bounded_number_of_bytes(plain: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BATCH_BYTES", 3 * IMAGES[0].nbytes)
    made = manifest.load(plain)
    batches = list(salvage(open_table(plain, made.shards[0], made.schema)))
    assert [len(each.keys) for each in batches] == [3, 3, 3, 3]
    assert all(bytes(each.fields["image"].slices.data) == IMAGES[3 * place : 3 * place + 3].tobytes() for place, each in enumerate(batches))


def test_a_damaged_record_is_lost_with_key_row_file_and_byte(plain: Path, flip: Flip) -> None:
    flip(pixel_file(plain), 5 * IMAGES[0].nbytes)
    keys, lost = saved(plain)
    assert keys == [*KEYS[:5], *KEYS[6:]]
    assert (lost[0].key, lost[0].row) == ("key-05", 5)
    assert lost[0].reason.startswith(f"shards/{pixel_file(plain).name} at byte {5 * IMAGES[0].nbytes}: checksum is ")


def test_a_sample_that_lost_one_of_its_images_is_lost_once(pristine: Path, tmp_path: Path) -> None:
    made = manifest.load(pristine)
    entry = next(each for each in made.shards if each.pixels is not None)
    shard = open_table(pristine, entry, made.schema)
    for field in ("image", "mask"):
        table = shard.records(field)
        assert table is not None
        table.checksum = np.zeros_like(table.checksum)
    batches = list(salvage(shard))
    rows = [lost.row for each in batches for lost in each.lost]
    assert not any(len(each.keys) for each in batches) and len(rows) == len(set(rows)) == len(shard)
