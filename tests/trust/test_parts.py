"""Shards cut into parts for workers: each tile and each row once, whatever the number of parts."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.trust.conftest import pixel_file

from pixstore import manifest
from pixstore.trust.parts import PART_ROWS, PartTask, check_part, tasks_of


def tasks(store: Path, parts: int, share: float = 1.0, seed: int = 0) -> list[PartTask]:
    made = manifest.load(store)
    return [PartTask(store, made.shards[0], made.schema, part, parts, share, seed) for part in range(parts)]


@pytest.mark.parametrize("parts", [1, 2, 5, 30])
def test_parts_together_check_every_row_once(plain: Path, parts: int) -> None:
    results = [check_part(task) for task in tasks(plain, parts)]
    assert sum(each.samples for each in results) == 12 and sum(len(each.hashes) for each in results) == 12
    assert not any(each.findings for each in results)
    assert sum(each.bytes for each in results) == pixel_file(plain).stat().st_size


@pytest.mark.parametrize("parts", [1, 3])
def test_the_damage_found_does_not_depend_on_the_parts(plain: Path, flip: Callable[[Path, int], None], parts: int) -> None:
    flip(pixel_file(plain), 1000)
    results = [check_part(task) for task in tasks(plain, parts)]
    assert sorted(finding.kind for each in results for finding in each.findings) == ["pixels", "record"]
    assert [row for each in results for row in each.damaged.tolist()] == [7]


def grow(path: Path, size: int) -> None:
    with open(path, "r+b") as file:
        file.truncate(size)


def test_large_shards_get_parts_for_every_worker_and_small_ones_one(plain: Path) -> None:
    made = manifest.load(plain)
    entry = made.shards[0]
    pixels = entry.pixels
    assert pixels is not None
    grow(pixel_file(plain), 1 << 30)
    table = replace(entry.table, bytes=1 << 20)
    grow(plain / "shards" / table.name, 1 << 20)
    of = {
        (size, rows, workers): len(
            tasks_of(
                plain,
                replace(entry, rows=rows, table=table, pixels=replace(pixels, bytes=size)),
                made.schema,
                share=1,
                seed=0,
                workers=workers,
            )
        )
        for size, rows, workers in [(100, 12, 8), (1 << 30, 12, 2), (1 << 30, 12, 16), (40 << 20, 12, 16), (100, PART_ROWS * 3, 1)]
    }
    assert list(of.values()) == [1, 4, 16, 3, 3]


def test_what_a_manifest_claims_beyond_its_files_is_no_work(plain: Path) -> None:
    made = manifest.load(plain)
    entry = made.shards[0]
    assert entry.pixels is not None
    claimed = replace(entry, rows=1 << 32, pixels=replace(entry.pixels, bytes=1 << 60, digests=None))
    found = tasks_of(plain, claimed, made.schema, share=1, seed=0, workers=2)
    assert len(found) == 1 and check_part(found[0]).findings


def test_a_task_travels_to_another_process(plain: Path) -> None:
    task = tasks(plain, 1)[0]
    result = check_part(pickle.loads(pickle.dumps(task)))
    assert result.samples == 12 and pickle.loads(pickle.dumps(result)).shard == task.entry.id


def test_where_the_file_is_gone_one_finding_stands_for_all_records(plain: Path) -> None:
    pixel_file(plain).unlink()
    result = check_part(tasks(plain, 1)[0])
    assert [(each.kind, each.rows) for each in result.findings] == [("missing", 12)] and len(result.damaged) == 12


def test_a_share_is_drawn_by_its_seed(plain: Path, flip: Callable[[Path, int], None]) -> None:
    flip(pixel_file(plain), 0)
    seen = [bool(check_part(tasks(plain, 1, 0.5, seed)[0]).findings) for seed in range(10)]
    assert seen == [bool(check_part(tasks(plain, 1, 0.5, seed)[0]).findings) for seed in range(10)]
    assert len(set(seen)) == 2
