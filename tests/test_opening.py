"""A path is opened as what lies there, and nothing is ever created."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import textwrap
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import pixstore
from pixstore import errors, manifest, shards
from pixstore.manifest import JobState, commit, load


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with pixstore.Writer(tmp_path / "s.pixstore", codec="raw") as writer:
        writer.add_batch(np.zeros((3, 2, 2, 3), np.uint8))
    return tmp_path / "s.pixstore"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "photos").mkdir()
    Image.new("RGB", (3, 2)).save(tmp_path / "photos" / "one.png")
    return tmp_path / "photos"


def test_unusable_options_are_refused(path: Path, folder: Path) -> None:
    with pytest.raises(errors.InvalidInputError, match="io 'fast'"):
        pixstore.open(path, io="fast")  # type: ignore[arg-type]
    with pytest.raises(errors.InvalidInputError, match="label_from is for folders"):
        pixstore.open(path, label_from="folder")
    with pytest.raises(errors.InvalidInputError, match="always RGB"):
        pixstore.open(path, channel_order="bgr")
    with pytest.raises(errors.InvalidInputError, match="lacks nothing"):
        pixstore.open(path, unmatched="skip")
    with pytest.raises(errors.InvalidInputError, match="leave '::images' away"):
        pixstore.open(f"{path}::images")
    with pytest.raises(errors.InvalidInputError, match="no versions"):
        pixstore.open(folder, version=1)


def test_version_that_was_opened_stays_open_in_a_pickle(path: Path) -> None:
    ds = pixstore.open(path)
    with pixstore.Writer(path, mode="a") as writer:
        writer.add(np.zeros((2, 2, 3), np.uint8))
    assert len(pixstore.open(path)) == 4 and len(pickle.loads(pickle.dumps(ds))) == 3 and len(pixstore.open(path, version=1)) == 3


def test_version_that_has_other_rows_now_is_not_taken_for_the_one_that_was_pickled(tmp_path: Path) -> None:
    """All commits of a conversion are one version, whose shards may come in any order."""
    with pixstore.Writer(tmp_path / "s", shard_bytes=100) as writer:
        for _ in range(2):
            writer.add_batch(np.zeros((3, 2, 2, 3), np.uint8))
            writer.add_batch(np.zeros((3, 4, 4, 3), np.uint8))
    whole = load(tmp_path / "s")
    half = replace(whole, shards=whole.shards[2:], job=JobState({}, rows=12, ranges=((6, 12, len(whole.shards) - 2),), samples=6))
    commit(tmp_path / "s", half)
    with pytest.warns(UserWarning, match="not finished"):
        ds = pixstore.open(tmp_path / "s")
    sent = pickle.dumps(ds)
    commit(tmp_path / "s", replace(half, tags={"now": 1}))
    assert pickle.loads(sent).keys == ds.keys
    commit(tmp_path / "s", whole)
    with pytest.raises(errors.InvalidInputError, match="version 1 has other rows than when it was opened; open it anew"):
        pickle.loads(sent)


def test_nothing_is_created_where_nothing_is(tmp_path: Path) -> None:
    with pytest.raises(errors.PathNotFoundError, match=r"nope\.pixstore"):
        pixstore.open(tmp_path / "nope.pixstore")
    assert list(tmp_path.iterdir()) == []


def test_listing_a_folder_tells_its_progress(folder: Path) -> None:
    told: list[tuple[int, int, int]] = []
    assert len(pixstore.open(folder, progress=lambda *counts: told.append(counts))) == 1
    assert all(counts[1:] == (0, 0) for counts in told)


def test_version_is_named_by_number_or_tag(path: Path) -> None:
    with pixstore.Writer(path, mode="a") as writer:
        writer.add(np.zeros((2, 2, 3), np.uint8))
    commit(path, replace(load(path), tags={"first": 1}))
    assert [len(pixstore.open(path, version=each)) for each in (1, "1", "first", 2, None)] == [3, 3, 3, 4, 4]
    with pytest.raises(errors.InvalidInputError, match="no version is tagged 'last'; tags here: first"):
        pixstore.open(path, version="last")
    for wrong in (1.0, True, b"first"):
        with pytest.raises(errors.InvalidInputError, match="neither a number nor a tag"):
            pixstore.open(path, version=wrong)  # type: ignore[arg-type]
    commit(path, replace(load(path), tags={}))
    with pytest.raises(errors.InvalidInputError, match="no version is tagged"):
        pixstore.open(path, version="first")


def test_conversion_that_is_not_finished_is_told_in_one_line(path: Path) -> None:
    commit(path, replace(load(path), job=JobState({}, rows=12_000, ranges=((0, 3, 1),), samples=3)))
    with pytest.warns(UserWarning, match=r"not finished \(3 of 12,000 samples\); run the same"):
        assert len(pixstore.open(path)) == 3


def test_version_that_is_forgotten_while_it_is_opened_is_no_damage(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process compacts and collects between this one's look at the manifest and its opening of the files."""
    real, turns = manifest.load, iter(range(5))

    def overtaken(store: Path, version: int | None = None) -> manifest.Manifest:
        made = real(store, version)
        if next(turns) == 0:
            with monkeypatch.context() as undone:
                undone.setattr(manifest, "load", real)
                with pixstore.Writer(store, mode="a") as writer:
                    writer.delete("00000001")
                pixstore.Store(store).compact()
                pixstore.Store(store).gc(keep=1)
        return made

    monkeypatch.setattr(manifest, "load", overtaken)
    assert pixstore.open(path).keys.to_pylist() == ["00000000", "00000002"]
    for each in (path / "shards").glob("*.arrow"):
        each.unlink()
    with pytest.raises(errors.CorruptStoreError, match="missing"):
        pixstore.open(path)


def test_tables_that_vanish_between_the_look_at_their_sizes_and_reading_them_are_no_damage(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process replaces and collects while this one opens the files."""
    real, turns = shards._check_sizes, iter(range(5))

    def overtaken(folder: Path, files: Sequence[manifest.ShardFile]) -> None:
        real(folder, files)
        if next(turns) == 0:
            with monkeypatch.context() as undone:
                undone.setattr(shards, "_check_sizes", real)
                with pixstore.Writer(path, mode="w") as writer:
                    writer.add(np.zeros((2, 2, 3), np.uint8), key="new")
                pixstore.Store(path).gc(keep=1)

    monkeypatch.setattr(shards, "_check_sizes", overtaken)
    assert pixstore.open(path).keys.to_pylist() == ["new"]


POWERLESS = """
    import ctypes, struct, sys
    # Root gives up every capability, so that permissions hold for it too.
    assert ctypes.CDLL(None).capset(struct.pack("Ii", 0x20080522, 0), bytes(24)) == 0
    import pixstore
    print(len(pixstore.open(sys.argv[1])[:]))
    try:
        pixstore.Writer(sys.argv[1], mode="a")
    except pixstore.errors.ReadOnlyError as error:
        print(error)
"""


def test_reader_needs_no_permission_to_write_and_a_writer_is_told_of_it(path: Path) -> None:
    for each in (path, *path.rglob("*")):
        each.chmod(0o555 if each.is_dir() else 0o444)
    before = sorted(os.listdir(path))
    script = textwrap.dedent(POWERLESS)
    done = subprocess.run([sys.executable, "-c", script, path], capture_output=True, text=True, check=True)
    for folder in (path, path / "shards", path / "versions"):
        folder.chmod(0o755)
    assert sorted(os.listdir(path)) == before
    count, refusal = done.stdout.splitlines()
    assert count == "3" and f"{path}: cannot be written (Permission denied)" in refusal


def test_a_store_that_lost_its_manifest_does_not_pass_for_a_folder_of_images(tmp_path: Path) -> None:
    with pixstore.Writer(tmp_path / "store", engine="files", codec="png") as writer:
        writer.add(np.zeros((4, 4, 3), np.uint8), key="a")
    (tmp_path / "store" / "manifest.json").unlink()
    with pytest.raises(errors.CorruptStoreError, match=r"manifest.json is gone.*pixstore rollback"):
        pixstore.open(tmp_path / "store")
    pixstore.Store(tmp_path / "store").rollback(1)
    assert pixstore.open(tmp_path / "store").keys.to_pylist() == ["a"]
