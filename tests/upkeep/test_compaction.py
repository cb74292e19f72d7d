"""Compacting: fewer files, the same samples, all or nothing."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.engine_kinds import DEEP

import pixstore
from pixstore import errors
from pixstore.manifest import JobState, commit, load
from pixstore.upkeep.compaction import CompactReport, compact

from .conftest import content, every_engine, pixels, tree


def run(path: Path, *, shard_bytes: int = 1 << 20, **changes: Any) -> CompactReport:
    options = {"dry_run": False, "threads": None, "announce": None, "progress": None, **changes}
    return compact(path, shard_bytes=shard_bytes, **options)


@every_engine
def test_same_samples_in_one_shard_of_their_own(path: Path) -> None:
    before, former, engine = content(path), [content(path, number) for number in range(1, 7)], load(path).engine
    told: list[CompactReport] = []
    report = run(path, announce=told.append)
    assert content(path) == before and [content(path, number) for number in range(1, 7)] == former
    (shard,) = load(path).shards
    assert shard.engine == engine and not shard.borrows and not shard.deleted and shard.rows == 34
    assert report.version == 7 == load(path).version and (report.shards_before, report.shards_after) == (6, 1)
    (foretold,) = told
    assert abs(report.bytes_after - foretold.bytes_after) <= 0.03 * report.bytes_after + 4096 and foretold.bytes_won > 0
    assert replace(report, bytes_after=foretold.bytes_after, version=None) == foretold
    assert not run(path).is_needed and load(path).version == 7


@every_engine
def test_field_of_one_layout_keeps_it(path: Path) -> None:
    with pixstore.Writer(path, mode="a", durability="process") as writer:
        writer.delete("t1-1")
    assert load(path).schema.field("image").is_uniform
    run(path)
    made = load(path)
    assert made.schema.field("image").is_uniform and made.shards[0].formats["image"].shape == (4, 5, 3)
    batch = pixstore.open(path)[:]["image"]
    assert isinstance(batch, np.ndarray) and batch.shape == (33, 4, 5, 3)


def test_dry_run_says_and_does_nothing(path: Path) -> None:
    before = tree(path)
    report = run(path, dry_run=True)
    assert report.is_needed and report.version is None and report.deleted_rows == 12 and tree(path) == before
    assert run(path).deleted_rows == 12


def test_shards_roll_where_they_are_told_to(path: Path) -> None:
    with pixstore.Writer(path, mode="a", durability="process") as writer:
        writer.update("t1-1", pixels(1, 4, 5, 3)[0])
    before = content(path)
    assert run(path, shard_bytes=600).shards_after == 4
    assert content(path) == before and [each.rows for each in load(path).shards] == [10, 10, 10, 4]
    assert not run(path, shard_bytes=600).is_needed


def test_everything_but_the_shards_stays(path: Path) -> None:
    pixstore.open(path).split({"train": 0.5, "test": 0.5}, name="halves")
    pixstore.Store(path).tag("good", 2)
    before = load(path)
    run(path)
    made = load(path)
    assert (made.splits, made.tags, made.next_key, made.durability) == (before.splits, before.tags, before.next_key, before.durability)
    assert made.parent == before.version and made.schema == before.schema
    assert len(pixstore.open(path).split(name="halves")["train"]) == 17


def test_reader_of_the_version_before_reads_on(path: Path) -> None:
    reader = pixstore.open(path)
    before = [sample.image.tobytes() for sample in reader]
    run(path)
    assert [sample.image.tobytes() for sample in reader] == before


def test_progress_counts_copies_and_proofs(path: Path) -> None:
    told: list[tuple[int, int, int]] = []
    run(path, progress=lambda *counts: told.append(counts))
    assert told[-1][:2] == (68, 68) and told == sorted(told)


@pytest.mark.parametrize("engine", DEEP, indirect=True)
def test_any_failed_write_leaves_the_store_as_it_was(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first, second … sync fails: the store has its six versions and nothing more, until one run comes through."""
    commit(path, replace(load(path), durability="power"))
    before, files, real = content(path), tree(path), os.fsync
    for good_calls in range(60):
        calls = iter(range(1000))

        def failing(descriptor: int, calls: Any = calls, good: int = good_calls) -> None:
            if next(calls) == good:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            real(descriptor)

        monkeypatch.setattr(os, "fsync", failing)
        try:
            run(path)
        except OSError:
            monkeypatch.setattr(os, "fsync", real)
            assert content(path) == before
            if load(path).version == 7:
                break
            assert {name: data for name, data in tree(path).items() if name != "versions/00000007.json"} == files
        else:
            break
    monkeypatch.setattr(os, "fsync", real)
    assert good_calls >= 5 and load(path).version == 7, "only the sync after the manifest is replaced comes too late to undo"
    assert content(path) == before


def test_interrupt_leaves_the_store_as_it_was(path: Path) -> None:
    before = tree(path)

    def interrupt(*counts: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(path, progress=interrupt)
    assert tree(path) == before


def test_damaged_sample_stops_it_by_name(path: Path) -> None:
    shard = load(path).shards[0]
    assert shard.pixels is not None
    file = path / "shards" / shard.pixels.name
    data = bytearray(file.read_bytes())
    data[60 + 5] ^= 1
    file.write_bytes(data)
    before = tree(path)
    with pytest.raises(errors.CorruptRecordError, match="'00000001'"):
        run(path)
    assert tree(path) == before


def test_disk_that_will_be_full_is_told_before_anything_is_written(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda place: type("Usage", (), {"free": 100})())
    before = tree(path)
    with pytest.raises(errors.StoreFullError, match=r"no space left, [\d,]+ bytes needed, 100 bytes free"):
        run(path)
    assert tree(path) == before


def test_it_is_refused_beside_a_writer_and_over_an_unfinished_conversion(path: Path) -> None:
    with pixstore.Writer(path, mode="a"), pytest.raises(errors.StoreBusyError):
        run(path)
    made = load(path)
    commit(path, replace(made, job=JobState({}, rows=99, ranges=((0, 99, len(made.shards)),))))
    for dry_run in (True, False):
        with pytest.raises(errors.InvalidInputError, match="not finished"):
            run(path, dry_run=dry_run)
    with pytest.raises(errors.InvalidInputError, match="shard_bytes 0"):
        run(path, shard_bytes=0)


def test_column_changed_a_hundred_times_stays_readable_and_small(tmp_path: Path) -> None:
    """Each change is a table that points into the first shard's pixels, however many came before it."""
    path = tmp_path / "s"
    with pixstore.Writer(path, durability="process") as writer:
        writer.add_batch(pixels(20, 6, 6, 3), label=[0] * 20)
        writer.commit()
        for turn in range(100):
            for row in range(turn % 3, 20, 3):
                writer.update(f"{row:08}", label=turn)
            writer.commit()
    made = load(path)
    (pixel_file,) = (path / "shards").glob("*.bin")
    assert {name for shard in made.shards for name in shard.borrows} == {pixel_file.name} and len(made.shards) == 3
    before = content(path)
    assert np.array_equal(np.stack(sorted(map(np.ravel, pixstore.open(path)[:]["image"]), key=bytes)),
                          np.stack(sorted(map(np.ravel, pixels(20, 6, 6, 3)), key=bytes)))  # fmt: skip
    run(path)
    assert content(path) == before and not load(path).shards[0].borrows
    removed = pixstore.Store(path).gc(keep=1)
    assert content(path) == before and removed.files > 20 and len(list((path / "shards").iterdir())) == 3


def test_shards_of_several_engines_keep_theirs(tmp_path: Path) -> None:
    for number, engine in enumerate(["packed", "packed", "lmdb", "lmdb", "packed"]):
        with pixstore.Writer(tmp_path / "s", engine=engine, mode="a", durability="process") as writer:
            writer.add_batch(pixels(3, 4, 4, seed=number))
    before = content(tmp_path / "s")
    run(tmp_path / "s")
    assert content(tmp_path / "s") == before and [each.engine for each in load(tmp_path / "s").shards] == ["packed", "lmdb", "packed"]


def test_others_read_the_version_before_or_the_one_after(path: Path) -> None:
    """Readers of other processes see the version before or the one after, whole."""
    script = """
        import sys, time
        import pixstore
        end = time.monotonic() + 20
        seen = set()
        while len(seen) < 2 and time.monotonic() < end:
            ds = pixstore.open(sys.argv[1])
            assert len(ds[:]["label"]) == 34
            if not seen:
                print("reading", flush=True)
            seen.add(ds.store_manifest.version)
        print(sorted(seen))
    """
    command = [sys.executable, "-c", textwrap.dedent(script), str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as reader:
        assert reader.stdout is not None and reader.stdout.readline() == "reading\n"
        run(path)
        assert reader.communicate()[0] == "[6, 7]\n"
