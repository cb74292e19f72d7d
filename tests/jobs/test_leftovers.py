"""Leftovers: everything goes that no version names, and nothing that one does."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import pixstore
from pixstore.jobs.leftovers import remove_leftovers


def names(store: Path) -> set[str]:
    return {str(each.relative_to(store)) for each in store.rglob("*")}


def test_what_a_dead_attempt_left_goes_and_every_kept_version_stays(tmp_path: Path) -> None:
    store = tmp_path / "s"
    with pixstore.Writer(store, engine="files", durability="process") as writer:
        writer.add_batch(np.zeros((3, 2, 2), np.uint8), key=list("abc"), label=[1, 2, 3])
        writer.commit()
        writer.update("a", label=4)
        writer.commit()
    with pixstore.Writer(store, mode="w", durability="process") as writer:
        writer.add(np.ones((2, 2), np.uint8), key="z", label=1)
    before = names(store)
    for place in ("shards/aaaaaaaaaaaaaaaa.partial/x.bin", "shards/bbbbbbbbbbbbbbbb.files/image/00000/x.png"):
        (store / place).parent.mkdir(parents=True)
        (store / place).write_bytes(b"x")
    for place in (
        "shards/cccccccccccccccc.arrow",
        "shards/cccccccccccccccc.bin",
        "manifest.json.99.partial",
        "versions/00000009.json.99.partial",
    ):
        (store / place).write_bytes(b"x")
    remove_leftovers(store)
    assert names(store) == before
    assert [pixstore.open(store, version=version).table.num_rows for version in (1, 2, 3)] == [3, 3, 1]
    assert pixstore.open(store, version=2)[:]["label"].tolist() == [2, 3, 4]


def test_where_nothing_was_committed_nothing_stays(tmp_path: Path) -> None:
    (tmp_path / "shards" / "aaaaaaaaaaaaaaaa.partial").mkdir(parents=True)
    (tmp_path / "versions").mkdir()
    remove_leftovers(tmp_path)
    assert names(tmp_path) == {"shards", "versions"}


def test_what_is_not_ours_stays(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    for place in ("photos.partial", "shards/photo.png", "shards/0123.arrow", "elsewhere/00000001.json.7.partial"):
        (tmp_path / place).parent.mkdir(exist_ok=True)
        (tmp_path / place).write_bytes(b"somebody's")
    (tmp_path / "versions").symlink_to("elsewhere")
    before = names(tmp_path)
    remove_leftovers(tmp_path)
    assert names(tmp_path) == before
