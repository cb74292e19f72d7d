"""gc: what no kept version names goes, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import pixstore
from pixstore import errors
from pixstore.manifest import load, version_path
from pixstore.upkeep import garbage
from pixstore.upkeep.garbage import gc

from .conftest import content, every_engine, pixels, tree

OURS = (
    "shards/0123456789abcdef.partial/0123456789abcdef.bin",
    "shards/00000000deadbeef.files/image/00000/a.png",
    "splits/none.0000000000000000.arrow",
    "versions/00000003.json.77.partial",
)
OTHERS = (
    "shards/notes.txt",
    "shards/0123.partial/kept.bin",
    "splits/mine.csv",
    "splits/mine.arrow",
    "versions/x.tmp",
    "versions/7.txt",
    "bad.csv",
)


def litter(path: Path) -> set[str]:
    """Leave what killed writers leave, and files of others beside it; return the names of what is ours."""
    for name in (*OURS, *OTHERS):
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(b"12345")
    version_path(path, 7).write_bytes(b"of a commit that was cut off")
    (path / "manifest.json.77.partial").write_bytes(b"half")
    return {"/".join(name.split("/")[:2]) for name in OURS} | {"versions/00000007.json", "manifest.json.77.partial"}


@every_engine
def test_rubbish_goes_and_every_version_stays(path: Path) -> None:
    pixstore.open(path).split({"train": 0.5, "test": 0.5}, name="halves")
    before = tree(path)
    litter(path)
    (path / "versions" / "00000007.json").write_bytes(before["versions/00000007.json"])
    version_path(path, 8).write_bytes(b"of a commit that was cut off")
    report = gc(path, keep=None, dry_run=False)
    assert tree(path) == {**before, **dict.fromkeys(OTHERS, b"12345")}
    assert report.kept == (1, 2, 3, 4, 5, 6, 7) and report.forgotten == (8,)


def test_dry_run_tells_what_would_go_and_removes_nothing(path: Path) -> None:
    names = litter(path)
    before = tree(path)
    report = gc(path, keep=None, dry_run=True)
    assert set(report.names) == names and report.files == 6 and tree(path) == before
    assert report.bytes == 4 * 5 + len(b"of a commit that was cut off") + 4
    assert gc(path, keep=None, dry_run=False) == report
    assert gc(path, keep=None, dry_run=False).files == 0


def test_versions_beyond_those_to_keep_are_forgotten_with_their_files(path: Path) -> None:
    pixstore.Store(path).tag("good", 2)
    last, good = content(path), content(path, 2)
    table = next(each.table.name for each in load(path, 5).shards if each.pixels is None)
    report = gc(path, keep=1, dry_run=False)
    assert report.kept == (2, 6) and report.forgotten == (1, 3, 4, 5)
    assert content(path) == last and content(path, "good") == good
    assert (path / "shards" / table).exists(), "the current version has that table too"
    with pytest.raises(errors.InvalidInputError, match="version 3 is not kept"):
        pixstore.open(path, version=3)
    assert pixstore.Store(path).untag("good") == 2 and gc(path, keep=1, dry_run=False).forgotten == (2,)
    assert content(path) == last


def test_pixels_stay_for_as_long_as_a_table_points_into_them(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with pixstore.Writer(path, durability="process") as writer:
        writer.add_batch(pixels(3, 4, 4), label=[0, 0, 0])
        writer.commit()
        for row in range(3):
            writer.update(f"{row:08}", label=1)
    before = content(path)
    gc(path, keep=1, dry_run=False)
    assert content(path) == before and [each.pixels for each in load(path).shards] == [None]


def test_large_lists_of_shards_are_kept_in_fewer_versions(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    size = version_path(path, 6).stat().st_size
    monkeypatch.setattr(garbage, "MOST_VERSION_BYTES", size)
    report = gc(path, keep=None, dry_run=True)
    assert report.kept in {(4, 5, 6), (5, 6)}
    monkeypatch.setattr(garbage, "MOST_VERSION_BYTES", 0)
    assert gc(path, keep=None, dry_run=True).kept == (5, 6)
    assert gc(path, keep=6, dry_run=True).kept == (1, 2, 3, 4, 5, 6), "what was asked for is kept"


def test_living_writer_loses_nothing(path: Path) -> None:
    with pixstore.Writer(path, mode="a", durability="process", shard_bytes=100) as writer:
        writer.add_batch(pixels(9, 4, 5, 3), label=[5] * 9)
        for dry_run in (True, False):
            with pytest.raises(errors.StoreBusyError, match="this very process"):
                gc(path, keep=1, dry_run=dry_run)
    assert len(pixstore.open(path)[:]["label"]) == 43


def test_version_that_cannot_say_what_it_needs_stops_it(path: Path) -> None:
    version_path(path, 4).write_bytes(b"damaged")
    litter(path)
    before = tree(path)
    with pytest.raises(errors.CorruptStoreError, match=r"00000004\.json.*nothing was removed.*version 4 needs.*--keep"):
        gc(path, keep=None, dry_run=False)
    assert tree(path) == before
    assert gc(path, keep=2, dry_run=False).kept == (5, 6)
    with pytest.raises(errors.InvalidInputError, match="keep 0"):
        gc(path, keep=0, dry_run=False)


def test_no_moment_leaves_a_version_without_its_files(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ended after the first, second … removal: every version that is still listed reads as it did, and the next run does the rest."""
    pixstore.Store(path).compact()
    former, real = {number: content(path, number) for number in range(1, 8)}, garbage.remove
    for most in range(60):
        done: list[Path] = []

        def ending(target: Path, done: list[Path] = done, most: int = most) -> None:
            if len(done) == most:
                raise KeyboardInterrupt
            done.append(target)
            real(target)

        monkeypatch.setattr(garbage, "remove", ending)
        try:
            gc(path, keep=1, dry_run=False)
            break
        except KeyboardInterrupt:
            assert all(content(path, each.number) == former[each.number] for each in pixstore.Store(path).versions())
    assert most >= 6 and content(path) == former[7] and len(list((path / "shards").iterdir())) == 3


def test_damaged_manifest_stops_it(path: Path) -> None:
    value = json.loads((path / "manifest.json").read_bytes())
    (path / "manifest.json").write_text(json.dumps({**value, "shards": []}))
    before = tree(path)
    with pytest.raises(errors.CorruptStoreError):
        gc(path, keep=1, dry_run=False)
    assert tree(path) == before


def test_link_of_our_name_goes_and_what_it_leads_to_stays(path: Path, tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "file").write_text("words")
    for name in ("link", "0123456789abcdef.files"):
        (path / "shards" / name).symlink_to(tmp_path / "precious")
    assert gc(path, keep=None, dry_run=False).names == ("shards/0123456789abcdef.files",)
    assert (tmp_path / "precious" / "file").read_text() == "words" and (path / "shards" / "link").is_symlink()


def test_split_that_a_user_saved_as_a_file_among_the_splits_stays(path: Path) -> None:
    pixstore.open(path).split({"train": 0.5, "test": 0.5}, name="halves")
    files = [path / "splits" / name for name in ("mine.csv", "mine.arrow")]
    for file in files:
        pixstore.open(path).split({"train": 0.5, "test": 0.5}, name=file)
    gc(path, keep=1, dry_run=False)
    assert all(file.exists() for file in files)


def test_reader_of_a_forgotten_version_reads_what_it_has_open_or_is_told(path: Path) -> None:
    reader = pixstore.open(path, version=1)
    images = reader[:]["image"]
    pixstore.Store(path).compact()
    gc(path, keep=1, dry_run=False)
    late = pixstore.open(path)
    assert len(late[:]["label"]) == 34
    try:
        assert np.array_equal(reader[:]["image"], images)
    except errors.PixstoreError as error:
        assert isinstance(error, errors.MissingRecordError)
    assert reader.table["label"].to_pylist() == list(range(30)), "tables are mapped when a version is opened"


@pytest.mark.parametrize("shard_bytes", [1 << 20, 100])
def test_key_index_that_is_gone_before_anyone_asked_for_a_key_is_a_missing_record(tmp_path: Path, shard_bytes: int) -> None:
    with pixstore.Writer(tmp_path / "s", shard_bytes=shard_bytes) as writer:
        for key in ("a", "b"):
            writer.add(pixels(1, 9, 9, 3)[0], key=key)
    reader = pixstore.open(tmp_path / "s")
    with pixstore.Writer(tmp_path / "s", mode="w") as writer:
        writer.add(pixels(1, 4, 5, 3)[0], key="c")
    gc(tmp_path / "s", keep=1, dry_run=False)
    for ask in (reader.row_of, reader.get, reader.__contains__):
        with pytest.raises(errors.MissingRecordError, match=r"\.keys: missing"):
            ask("a")
