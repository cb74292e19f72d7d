"""Copies are byte for byte, in batches, and a copy that differs is found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import pixstore
from pixstore import errors
from pixstore.store import StoreRows
from pixstore.upkeep import copying
from pixstore.upkeep.copying import Copier, batches
from pixstore.upkeep.plan import Part, plan_of

from .conftest import content, every_engine, pixels


def copied(path: Path) -> tuple[Copier, Part, list[tuple[int, int]]]:
    rows = StoreRows(path)
    (part,) = plan_of(rows, 1 << 20).parts
    told: list[tuple[int, int]] = []
    return Copier(rows, False, 1 << 20, None, lambda *counts: told.append(counts)), part, told


@every_engine
def test_copy_holds_the_same_rows(path: Path) -> None:
    copier, part, told = copied(path)
    entry = copier.copy(part, 0, 34)
    copier.prove(entry, part, 0)
    assert entry.rows == 34 and entry.engine == part.engine and sum(rows for rows, _ in told) == 68
    made = StoreRows(path, replace(copier.rows.manifest, shards=(entry,)))
    assert made.table.select(["key", "label"]).equals(copier.rows.table.select(["key", "label"]))


def test_batches_are_bounded_by_bytes_and_rows(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, part, _ = copied(path)
    sizes = np.concatenate([each.sizes for each in part.pieces])
    monkeypatch.setattr(copying, "BATCH_BYTES", 130)
    monkeypatch.setattr(copying, "BATCH_ROWS", 2)
    found = list(batches(part.pieces, 3, 34))
    assert [row for first, last, _ in found for row in range(first, last)] == list(range(3, 34))
    assert all(last - first <= 2 and size == sizes[first:last].sum() for first, last, size in found)
    monkeypatch.setattr(copying, "BATCH_BYTES", 1)
    assert len(list(batches(part.pieces, 0, 34))) == 34


def rename(writer: pixstore.Writer) -> None:
    writer.delete("00000003")
    writer.add(pixels(1, 4, 5, 3)[0], key="renamed", label=3)


def test_engine_that_keeps_no_plain_bytes_is_copied_through_its_library(tmp_path: Path) -> None:
    with pixstore.Writer(tmp_path / "s", engine="sqlite", durability="process") as writer:
        for turn in range(3):
            writer.add_batch(pixels(4, 3, 3, seed=turn), label=[turn] * 4)
            writer.commit()
        writer.delete("00000002")
    before = content(tmp_path / "s")
    report = pixstore.Store(tmp_path / "s").compact()
    assert (report.shards_before, report.shards_after) == (3, 1) and content(tmp_path / "s") == before


CHANGES: dict[str, Callable[[pixstore.Writer], None]] = {
    "another image": lambda writer: writer.update("00000003", pixels(1, 4, 5, 3, seed=9)[0]),
    "another label": lambda writer: writer.update("00000003", label=99),
    "another order": lambda writer: writer.update("00000003", pixels(34, 4, 5, 3)[3]),
    "an image more": lambda writer: writer.update("00000003", mask=pixels(1, 2, 2)[0]),
    "another key": rename,
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_copy_that_differs_is_found(path: Path, change: Callable[[pixstore.Writer], None]) -> None:
    copier, part, _ = copied(path)
    entry = copier.copy(part, 0, 34)
    with pixstore.Writer(path, mode="a", durability="process") as writer:
        change(writer)
    other = Copier(StoreRows(path), False, 1 << 20, None, copier.progress)
    (changed,) = plan_of(other.rows, 1 << 20).parts
    with pytest.raises(errors.CorruptStoreError, match="differ from what was copied; nothing was changed"):
        other.prove(entry, changed, 0)


def test_byte_that_turned_on_its_way_to_the_disk_is_found(path: Path) -> None:
    copier, part, _ = copied(path)
    entry = copier.copy(part, 0, 34)
    assert entry.pixels is not None
    file = path / "shards" / entry.pixels.name
    data = bytearray(file.read_bytes())
    data[100] ^= 1
    file.write_bytes(data)
    with pytest.raises(errors.CorruptRecordError):
        copier.prove(entry, part, 0)
