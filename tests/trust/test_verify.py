"""Every fault of every file of a store is found; nothing that is no damage is called so."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.engine_kinds import DEEP, seeded
from tests.trust.conftest import IMAGES, KEYS, pixel_file

import pixstore
from pixstore import manifest
from pixstore.codec import hash_bytes
from pixstore.trust.findings import VerifyReport

FAULTS = 15


def check(path: Path) -> VerifyReport:
    """Verify without the child, whose start would take most of the time."""
    return pixstore.verify(path, library=False)


def files_of(store: Path) -> list[Path]:
    return sorted(each for each in store.rglob("*") if each.is_file() and each.name != ".lock" and each.stat().st_size)


def chosen(store: Path) -> list[Path]:
    """Return every file of a store whose engine is tested in depth, else one of each suffix in each of the store's folders."""
    files = files_of(store)
    if pixstore.open(store).store_manifest.engine in DEEP:  # type: ignore[union-attr]
        return files
    return sorted({(each.relative_to(store).parts[0], each.suffix): each for each in files}.values())


def test_a_sound_store_is_proven(pristine: Path) -> None:
    report = pixstore.verify(pristine, library=True)
    assert report.ok and report.damaged == 0 and report.durability == "process"
    assert report.versions == (1, 2, 3) and report.version == 3 and report.samples == 14
    assert not report.leftovers and not report.notes and report.bytes > 12 * IMAGES[0].nbytes


@pytest.mark.parametrize(("pristine", "seed"), seeded(FAULTS), indirect=["pristine"])
def test_any_fault_of_any_file_is_found(pristine: Path, tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    store = Path(shutil.copytree(pristine, tmp_path / "store"))
    path = chance.choice(files_of(store))
    data = bytearray(path.read_bytes())
    if chance.random() < 0.15:
        del data[chance.randrange(len(data)) :]
    else:
        start = chance.randrange(len(data))
        for place in range(start, min(len(data), start + chance.randint(1, 8))):
            data[place] ^= chance.randint(1, 255)
    path.write_bytes(data)
    report = check(store)
    named = {finding.file for finding in report.findings}
    assert not report.ok and str(path.relative_to(store)) in named, f"seed {seed}: {path}, found {report.findings}"


def test_any_file_that_is_gone_is_found(pristine: Path, tmp_path: Path) -> None:
    store = Path(shutil.copytree(pristine, tmp_path / "store"))
    # An older version whose file is gone is one that is kept no longer.
    for path in (each for each in chosen(store) if each.name not in ("00000001.json", "00000002.json")):
        data = path.read_bytes()
        path.unlink()
        named = {finding.file for finding in check(store).findings}
        assert str(path.relative_to(store)) in named
        path.write_bytes(data)
    assert check(store).ok


def test_a_file_that_grew_is_found(pristine: Path, tmp_path: Path) -> None:
    store = Path(shutil.copytree(pristine, tmp_path / "store"))
    for path in chosen(store):
        data = path.read_bytes()
        path.write_bytes(data + b"\0")
        assert not check(store).ok, path
        path.write_bytes(data)


def test_a_damaged_record_is_named_with_key_file_and_byte(plain: Path, flip: Callable[[Path, int], None]) -> None:
    flip(pixel_file(plain), 2 * IMAGES[0].nbytes + 5)
    report = check(plain)
    found = next(each for each in report.findings if each.kind == "record")
    assert (found.keys, found.rows, found.offset) == (("key-02",), 1, 2 * IMAGES[0].nbytes)
    assert found.file == f"shards/{pixel_file(plain).name}" and report.damaged == 1


def test_a_damaged_table_costs_its_shard_alone(pristine: Path, tmp_path: Path, flip: Callable[[Path, int], None]) -> None:
    store = Path(shutil.copytree(pristine, tmp_path / "store"))
    table = store / "shards" / pixstore.open(store).store_manifest.shards[0].table.name  # type: ignore[union-attr]
    flip(table, 1000)
    report = check(store)
    assert [each.kind for each in report.findings] == ["table"] and 0 < report.damaged < 11


def test_two_records_that_changed_places_are_found(plain: Path) -> None:
    path, size = pixel_file(plain), IMAGES[0].nbytes
    data = path.read_bytes()
    path.write_bytes(data[size : 2 * size] + data[:size] + data[2 * size :])
    keys = [each.keys for each in check(plain).findings if each.kind == "record"]
    assert keys == [("key-00",), ("key-01",)]


def test_a_sample_reads_a_share_by_its_seed_and_all_metadata(plain: Path, flip: Callable[[Path, int], None]) -> None:
    found = {seed: pixstore.verify(plain, sample="25%", seed=seed) for seed in range(12)}
    assert all(each.ok and each.samples == 3 and each.share == 0.25 and each.seed == seed for seed, each in found.items())
    flip(pixel_file(plain), 0)
    noticed: list[bool] = []
    # Which share a seed draws depends on the shard's name too, which is another in each run: three of four miss the damaged record.
    while len(set(noticed)) < 2 and len(noticed) < 100:
        noticed.append(not pixstore.verify(plain, sample="25%", seed=len(noticed)).ok)
    assert len(set(noticed)) == 2, "some shares hold the damaged record, others do not"
    assert all(noticed[seed] == (not pixstore.verify(plain, sample=0.25, seed=seed).ok) for seed in range(2))
    assert pixstore.verify(plain, sample="25%").seed is not None
    flip(next((plain / "shards").glob("*.arrow")), 500)
    assert not pixstore.verify(plain, sample="1%").ok


def test_one_version_is_checked_alone(plain: Path) -> None:
    with pixstore.Writer(plain, mode="a", durability="process") as writer:
        writer.add(IMAGES[0], key="new", label=0)
    newest = pixstore.open(plain).store_manifest.shards[-1]  # type: ignore[union-attr]
    (plain / "shards" / newest.table.name).unlink()
    assert not check(plain).ok
    assert pixstore.verify(plain, version=1, library=False).ok


def test_processes_find_what_threads_find(plain: Path, flip: Callable[[Path, int], None]) -> None:
    flip(pixel_file(plain), 7)
    assert pixstore.verify(plain, on="processes", library=False).findings == check(plain).findings


def test_leftovers_are_told_and_are_no_damage(plain: Path) -> None:
    (plain / "shards" / "loose.bin").write_bytes(b"123")
    report = check(plain)
    assert report.ok and report.leftovers == (("shards/loose.bin", 3),)


def test_progress_comes_to_all_samples(plain: Path) -> None:
    told: list[tuple[int, int, int]] = []
    pixstore.verify(plain, progress=lambda *each: told.append(each))
    assert told[-1][:2] == (12, 12) and told[-1][2] > 0


def test_a_store_without_samples_is_sound(tmp_path: Path) -> None:
    with pixstore.Writer(tmp_path / "empty", durability="process"):
        pass
    report = pixstore.verify(tmp_path / "empty")
    assert report.ok and report.samples == 0


def test_a_shard_of_many_tiles_is_checked_in_parts(tmp_path: Path, flip: Callable[[Path, int], None]) -> None:
    images = np.random.default_rng(0).integers(0, 256, (50, 1000, 333, 3), np.uint8)
    with pixstore.Writer(tmp_path / "s", durability="process") as writer:
        writer.add_batch(images)
    assert pixstore.verify(tmp_path / "s", workers=3).ok
    flip(pixel_file(tmp_path / "s"), 17 * 999_000 - 1)
    report = pixstore.verify(tmp_path / "s", workers=3)
    assert [(each.kind, each.offset, each.keys) for each in report.findings] == [
        ("record", 16 * 999_000, ("00000016",)), ("pixels", 16 << 20, ()),
    ]  # fmt: skip


def sign(store: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change the manifest, with a digest that fits, as whoever makes a hostile store makes it."""
    value = json.loads((store / "manifest.json").read_bytes())
    del value["digest"]
    change(value)
    text = json.dumps(value, separators=(",", ":"))[:-1].encode()
    for path in (store / "manifest.json", store / "versions/00000001.json"):
        path.write_bytes(text + f'{manifest.DIGEST}{hash_bytes(text):016x}"}}\n'.encode())


def test_a_manifest_that_leaves_pixels_unproven_is_found(plain: Path) -> None:
    sign(plain, lambda value: value["shards"][0]["pixels"].update(digests=[]))
    report = check(plain)
    assert not report.ok and "0 digests" in report.findings[0].reason


def test_bytes_that_are_claimed_and_not_there_are_found_at_once(plain: Path) -> None:
    sign(plain, lambda value: value["shards"][0]["pixels"].update(bytes=1 << 60, digests=None))
    assert "size" in {each.kind for each in check(plain).findings}


def test_a_file_of_which_others_borrow_is_told_not_to_be_proven_as_a_whole(plain: Path) -> None:
    name = pixel_file(plain).name
    with pixstore.Writer(plain, mode="a", durability="process") as writer:
        for key in KEYS:
            writer.update(key, label=100)
    assert not check(plain).notes
    pixstore.Store(plain).gc(keep=1)
    report = check(plain)
    assert report.ok and report.notes == (
        f"shards/{name} holds records of other shards alone: these are proven, the bytes between records are not",
    )
