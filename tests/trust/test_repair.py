"""A new store of all that can be proven; the damaged one is only read."""

from __future__ import annotations

import csv
import os
import random
import shutil
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.engine_kinds import seeded
from tests.trust.conftest import IMAGES, KEYS, pixel_file

import pixstore
import pixstore.trust.repair as repairing
from pixstore import manifest
from pixstore.errors import CorruptStoreError, DestinationExistsError, NotAStoreError
from pixstore.lock import WriterLock
from pixstore.trust.digest import dataset_digest

Flip = Callable[[Path, int], None]


def content(store: Path) -> dict[str, bytes]:
    return {str(each.relative_to(store)): each.read_bytes() for each in store.rglob("*") if each.is_file()}


def test_a_sound_store_comes_out_whole(pristine: Path, tmp_path: Path) -> None:
    before = content(pristine)
    report = pixstore.repair(pristine, tmp_path / "out")
    assert report.is_whole and report.samples == 11 and report.version == 3 and not (tmp_path / "out/lost.csv").exists()
    assert pixstore.verify(tmp_path / "out").ok and content(pristine) == before
    with pixstore.open(pristine) as ours, pixstore.open(tmp_path / "out") as theirs:
        assert dataset_digest(ours) == dataset_digest(theirs)
        assert ours.store_manifest is not None and theirs.store_manifest is not None
        assert ours.store_manifest.engine == theirs.store_manifest.engine
        assert {name: part.keys.to_pylist() for name, part in theirs.split(name="halves").items()} == {
            name: part.keys.to_pylist() for name, part in ours.split(name="halves").items()
        }


@pytest.mark.parametrize(("pristine", "seed"), seeded(12), indirect=["pristine"])
def test_whatever_is_damaged_nothing_wrong_is_saved_and_all_else_is_listed(pristine: Path, tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    store = Path(shutil.copytree(pristine, tmp_path / "store"))
    for path in chance.sample(sorted(each for each in (store / "shards").rglob("*") if each.is_file() and each.stat().st_size), 2):
        data = bytearray(path.read_bytes())
        data[chance.randrange(len(data))] ^= 0xFF
        path.write_bytes(data[: chance.choice([len(data), len(data) // 2])])
    report = pixstore.repair(store, tmp_path / "out")
    found = pixstore.compare(pristine, tmp_path / "out")
    assert set(found.counts) <= {("only in a", "")} and pixstore.verify(tmp_path / "out", library=False).ok
    assert found.counts.get(("only in a", ""), 0) == len(report.lost) == 11 - report.samples


def test_what_is_lost_is_listed_with_key_and_reason(plain: Path, tmp_path: Path, flip: Flip) -> None:
    flip(pixel_file(plain), 0)
    flip(pixel_file(plain), 11 * IMAGES[0].nbytes)
    report = pixstore.repair(plain, tmp_path / "out")
    with open(tmp_path / "out/lost.csv", newline="") as file:
        listed = list(csv.DictReader(file))
    assert [each["key"] for each in listed] == ["key-00", "key-11"] == [each.key for each in report.lost]
    assert [each["row"] for each in listed] == ["0", "11"] and "checksum is" in listed[0]["reason"]
    assert pixstore.open(tmp_path / "out").keys.to_pylist() == KEYS[1:11]


def test_a_damaged_manifest_leaves_its_newest_sound_version(plain: Path, tmp_path: Path, flip: Flip) -> None:
    with pixstore.Writer(plain, mode="a", durability="process") as writer:
        writer.delete("key-00")
    flip(plain / "manifest.json", 30)
    assert pixstore.repair(plain, tmp_path / "two").samples == 11
    flip(plain / "versions/00000002.json", 30)
    report = pixstore.repair(plain, tmp_path / "one")
    assert (report.version, report.samples) == (1, 12)


def test_default_keys_go_on_where_they_were(tmp_path: Path) -> None:
    with pixstore.Writer(tmp_path / "s", durability="process") as writer:
        writer.add_batch(IMAGES)
    pixstore.repair(tmp_path / "s", tmp_path / "out")
    with pixstore.Writer(tmp_path / "out", mode="a", durability="process") as writer:
        writer.add(IMAGES[0])
    assert pixstore.open(tmp_path / "out").keys.to_pylist()[-1] == "00000012"


def test_a_damaged_split_is_left_behind_and_told(plain: Path, tmp_path: Path, flip: Flip) -> None:
    pixstore.open(plain).split({"a": 0.5, "b": 0.5}, name="halves")
    flip(next((plain / "splits").iterdir()), 300)
    report = pixstore.repair(plain, tmp_path / "out")
    assert "'halves' is damaged" in report.notes[0] and pixstore.open(tmp_path / "out").splits == {}


@pytest.mark.parametrize("out", ["store", "taken", "store/inside", "file"])
def test_nothing_is_written_over_or_into_the_store(plain: Path, tmp_path: Path, out: str) -> None:
    plain.rename(tmp_path / "store")
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken/notes.txt").touch()
    (tmp_path / "file").touch()
    before = content(tmp_path)
    with pytest.raises(DestinationExistsError):
        pixstore.repair(tmp_path / "store", tmp_path / out)
    assert content(tmp_path) == before


def test_an_interrupted_repair_leaves_nothing(plain: Path, tmp_path: Path) -> None:
    def interrupt(*_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pixstore.repair(plain, tmp_path / "out", progress=interrupt)
    assert not (tmp_path / "out").exists()


def test_a_killed_repair_is_begun_anew_by_the_same_call(plain: Path, tmp_path: Path, flip: Flip) -> None:
    flip(pixel_file(plain), 0)
    child = os.fork()
    if child == 0:
        pixstore.repair(plain, tmp_path / "out", progress=lambda *_: os.kill(os.getpid(), signal.SIGKILL))
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    assert any((tmp_path / "out/shards").iterdir())
    report = pixstore.repair(plain, tmp_path / "out")
    assert [each.key for each in report.lost] == ["key-00"] and pixstore.verify(tmp_path / "out").ok
    assert not list((tmp_path / "out").rglob("*.partial"))


def test_where_nothing_can_be_saved_nothing_is_made(plain: Path, tmp_path: Path) -> None:
    path = pixel_file(plain)
    path.write_bytes(bytes(path.stat().st_size))
    with pytest.raises(CorruptStoreError, match="not one of 12 samples can be proven"):
        pixstore.repair(plain, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    for each in (plain / "manifest.json", plain / "versions/00000001.json"):
        each.write_bytes(b"{")
    with pytest.raises(CorruptStoreError, match="no version of it can be read"):
        pixstore.repair(plain, tmp_path / "out")
    with pytest.raises(NotAStoreError):
        pixstore.repair(tmp_path, tmp_path / "out")


def lay(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"mine")
    return path


@pytest.mark.parametrize("name", ["shards/photo.jpg", "versions/notes.json", "splits/train.arrow", "shards/raw/1.png"])
def test_a_folder_with_files_of_others_is_refused_whatever_its_folders_are_called(plain: Path, tmp_path: Path, name: str) -> None:
    mine = lay(tmp_path / "out" / name)
    (tmp_path / "out/shards").mkdir(exist_ok=True)
    with pytest.raises(DestinationExistsError):
        pixstore.repair(plain, tmp_path / "out")
    assert mine.read_bytes() == b"mine"


def test_a_linked_folder_of_shards_is_refused_and_not_followed(plain: Path, tmp_path: Path) -> None:
    mine = lay(tmp_path / "elsewhere/0123456789abcdef.bin")
    (tmp_path / "out").mkdir()
    (tmp_path / "out/shards").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(DestinationExistsError):
        pixstore.repair(plain, tmp_path / "out")
    assert mine.read_bytes() == b"mine"


def test_an_interrupted_repair_leaves_what_others_put_there_meanwhile(plain: Path, tmp_path: Path) -> None:
    def interrupt(*_: int) -> None:
        lay(tmp_path / "out/notes.txt")
        lay(tmp_path / "out/shards/notes.txt")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pixstore.repair(plain, tmp_path / "out", progress=interrupt)
    assert sorted(content(tmp_path / "out")) == ["notes.txt", "shards/notes.txt"]


def test_a_store_finished_before_the_lock_was_ours_is_kept(plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = repairing.take_store

    def late(place: Path, *, durable: bool) -> WriterLock:
        with pixstore.Writer(place, durability="process") as writer:
            writer.add(IMAGES[0], key="other")
        return taken(place, durable=durable)

    monkeypatch.setattr(repairing, "take_store", late)
    with pytest.raises(DestinationExistsError, match="already there"):
        pixstore.repair(plain, tmp_path / "out")
    assert pixstore.open(tmp_path / "out").keys.to_pylist() == ["other"] and pixstore.verify(tmp_path / "out").ok


def test_what_a_conversion_had_yet_to_write_is_told(plain: Path, tmp_path: Path) -> None:
    made = manifest.load(plain)
    job = manifest.JobState({"source": "photos"}, 20, ((0, 12, 1),), samples=12)
    manifest.commit(plain, replace(made, job=job))
    report = pixstore.repair(plain, tmp_path / "out")
    assert report.samples == 12 and not report.lost and not report.is_whole
    assert "not finished: 12 of 20 samples" in report.notes[0]
