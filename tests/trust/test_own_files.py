"""Where each record is a file: what stands before an array, and the lists of names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tests.trust.conftest import fill

import pixstore
from pixstore import manifest
from pixstore.shard import Shard
from pixstore.trust.contents import check_records
from pixstore.trust.own_files import check_names, has_own_files
from pixstore.trust.structure import open_table

Flip = Callable[[Path, int], None]


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return fill(tmp_path / "store", "files")


def opened(store: Path) -> list[Shard]:
    made = manifest.load(store)
    return [open_table(store, entry, made.schema) for entry in made.shards]


def test_a_sound_shard_has_no_findings(store: Path) -> None:
    shards = opened(store)
    assert [has_own_files(each) for each in shards].count(False) == 1, "the changed label is in a shard without pixels"
    assert not [finding for shard in shards for finding in check_names(shard)]


def test_a_name_that_the_table_does_not_say_is_found(store: Path, flip: Flip) -> None:
    path = sorted(store.rglob("image.names"))[0]
    before = path.read_bytes()
    for changed in (before.replace(b"key", b"kez", 1), before[:-1], before + b"\n", b""):
        path.write_bytes(changed)
        found = [finding for shard in opened(store) for finding in check_names(shard)]
        assert [(each.kind, each.file) for each in found] == [("names", str(path.relative_to(store)))]
    path.unlink()
    assert [each.kind for shard in opened(store) for each in check_names(shard)] == ["missing"]


@pytest.mark.parametrize("place", [0, 7, 60, 127])
def test_a_wrong_byte_before_the_array_is_found(store: Path, flip: Flip, place: int) -> None:
    path = next(store.rglob("key-00.npy"))
    flip(path, place)
    found = [each for shard in opened(store) for each in check_records(shard, "image", np.arange(shard.entry.rows)).findings]
    assert [(each.kind, each.keys) for each in found] == [("names", ("key-00",))]


def test_a_file_that_goes_on_after_its_record_is_found(store: Path) -> None:
    path = next(store.rglob("key-00.npy"))
    path.write_bytes(path.read_bytes() + b"\0")
    assert [each.keys for each in pixstore.verify(store).findings] == [("key-00",)]
