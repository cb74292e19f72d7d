"""Versions, tags and going back: what is kept reads as it did, and history goes forward."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.engine_kinds import LOCATING

import pixstore
from pixstore import errors
from pixstore.manifest import JobState, commit, load, version_path
from pixstore.mode import kept_numbers
from pixstore.upkeep import garbage, history

from .conftest import content, every_engine, pixels, tree


@every_engine
def test_versions_say_what_each_brought(path: Path) -> None:
    found = history.facts_of_versions(path)
    assert [each.number for each in found] == [1, 2, 3, 4, 5, 6]
    assert [each.rows for each in found] == [30, 33, 36, 39, 39, 34]
    assert [each.is_current for each in found] == [False] * 5 + [True]
    assert {each.engine for each in found} == {load(path).engine} and {each.durability for each in found} == {"process"}
    sizes = [each.new_bytes for each in found]
    shards = sum(each.stat().st_size for each in (path / "shards").rglob("*") if each.is_file())
    assert sum(sizes) == shards and min(sizes) > 0
    if load(path).engine in LOCATING:
        table = next(each.table.bytes for each in load(path, 5).shards if each.pixels is None)
        assert sizes[4] < 2 * (table or 0), "new labels copy no pixels"


def test_commit_that_was_cut_off_is_no_version(path: Path) -> None:
    version_path(path, 7).write_bytes(version_path(path, 6).read_bytes())
    assert [each.number for each in history.facts_of_versions(path)] == [1, 2, 3, 4, 5, 6]
    with pytest.raises(errors.InvalidInputError, match=r"those that are: 1, 2, 3, 4, 5, 6$"):
        history.rollback(path, 7)


def test_rollback_takes_the_number_of_a_commit_that_was_cut_off(path: Path) -> None:
    version_path(path, 7).write_bytes(version_path(path, 6).read_bytes())
    assert history.rollback(path, 2) == 7
    assert [each.number for each in history.facts_of_versions(path)] == [1, 2, 3, 4, 5, 6, 7]


@every_engine
def test_rollback_is_a_new_version_that_reads_as_the_former_did(path: Path) -> None:
    before, files = content(path, 2), tree(path)
    assert history.rollback(path, 2) == 7
    assert content(path) == before == content(path, 7) and load(path).parent == 6
    assert {name: data for name, data in tree(path).items() if name in files and name != "manifest.json"} == {
        name: data for name, data in files.items() if name != "manifest.json"
    }
    with pixstore.Writer(path, mode="a") as writer:
        writer.add(pixels(1, 4, 5, 3)[0], label=1)
    assert pixstore.open(path).keys[-1].as_py() == "00000030", "a key that was given out is not given again"


def test_tag_keeps_its_version_and_names_it(path: Path) -> None:
    before = content(path, 3)
    assert history.tag(path, "good", 3, replacing=False) == 3 and load(path).version == 6
    with pixstore.Writer(path, mode="a", durability="process") as writer:
        for turn in range(12):
            writer.add(pixels(1, 4, 5, 3, seed=turn)[0], label=1)
            writer.commit()
    assert 3 in kept_numbers(path) and 4 not in kept_numbers(path)
    assert content(path, "good") == before
    facts = {each.number: each.tags for each in history.facts_of_versions(path)}
    assert facts[3] == ("good",) and facts[18] == ()
    history.rollback(path, "good")
    assert content(path) == before and load(path).tags == {"good": 3}


def test_tag_is_never_taken_away_by_accident(path: Path) -> None:
    history.tag(path, "good", None, replacing=False)
    assert history.tag(path, "good", 6, replacing=False) == 6
    with pytest.raises(errors.DestinationExistsError, match="version 6 is tagged 'good' already"):
        history.tag(path, "good", 2, replacing=False)
    assert history.tag(path, "good", 2, replacing=True) == 2 == load(path).tags["good"]
    assert history.tag(path, "also", "good", replacing=False) == 2
    assert history.untag(path, "good") == 2 and load(path).tags == {"also": 2}
    with pytest.raises(errors.InvalidInputError, match="no version is tagged 'good'; tags here: also"):
        history.untag(path, "good")


@pytest.mark.parametrize("name", ["", "7", "a/b", "-x", "a b", "x" * 101])
def test_name_that_could_mean_something_else_is_no_tag(path: Path, name: str) -> None:
    with pytest.raises(errors.InvalidInputError):
        history.tag(path, name, None, replacing=False)
    assert load(path).tags == {}


@pytest.mark.parametrize("version", [9, "9", "unknown"])
def test_version_that_is_not_kept_is_refused_with_those_that_are(path: Path, version: int | str) -> None:
    history.tag(path, "good", 3, replacing=False)
    before = tree(path)
    for call in (lambda: history.rollback(path, version), lambda: history.tag(path, "x", version, replacing=False)):
        with pytest.raises(errors.InvalidInputError, match=r"not kept; those that are: 1, 2, 3, 4, 5, 6; tags: good"):
            call()
    assert tree(path) == before


def test_version_whose_files_are_gone_is_no_version_to_go_back_to(path: Path) -> None:
    shard = load(path, 2).shards[-1]
    history.rollback(path, 1)
    (path / "shards" / shard.table.name).unlink()
    before = tree(path)
    with pytest.raises(errors.CorruptStoreError, match=shard.table.name):
        history.rollback(path, 2)
    assert tree(path) == before and len(pixstore.open(path)) == 30


def test_going_back_mends_a_damaged_manifest(path: Path) -> None:
    before = content(path, 5)
    (path / "manifest.json").write_bytes(b'{"pixstore":1,"version"')
    with pytest.raises(errors.CorruptStoreError, match="an older one may lie in"):
        pixstore.open(path)
    assert [each.is_current for each in history.facts_of_versions(path)] == [False] * 6
    assert history.rollback(path, 5) == 7 and content(path) == before
    (path / "manifest.json").write_bytes(b'{"pixstore":1')
    version_path(path, 7).write_bytes(b"damaged too")
    assert [each.number for each in history.facts_of_versions(path) if each.damage] == [7]
    assert history.rollback(path, 5) == 8 and content(path) == before


def test_going_back_mends_a_store_whose_manifest_is_gone(path: Path) -> None:
    before = content(path, 6)
    (path / "manifest.json").unlink()
    for mode in ("x", "a", "w"):
        with pytest.raises(errors.CorruptStoreError, match=r"manifest is gone, its versions are not.*pixstore rollback"):
            pixstore.Writer(path, mode=mode)
    with pytest.raises(errors.NotAStoreError):
        garbage.gc(path, keep=1, dry_run=False)
    assert [each.number for each in history.facts_of_versions(path)] == [1, 2, 3, 4, 5, 6]
    assert history.rollback(path, 6) == 7 and content(path) == before


def test_nothing_is_changed_beside_a_writer_or_an_unfinished_conversion(path: Path) -> None:
    calls = (lambda: history.rollback(path, 1), lambda: history.tag(path, "x", None, replacing=False), lambda: history.untag(path, "x"))
    with pixstore.Writer(path, mode="a"):
        for call in calls:
            with pytest.raises(errors.StoreBusyError):
                call()
    made = load(path)
    commit(path, replace(made, job=JobState({}, rows=99, ranges=((0, 99, len(made.shards)),))))
    for call in calls:
        with pytest.raises(errors.InvalidInputError, match="not finished"):
            call()


def test_reader_keeps_what_it_opened_while_others_write(path: Path) -> None:
    reader, images = pixstore.open(path), pixstore.open(path)[:30]["image"]
    with pixstore.Writer(path, mode="a", durability="process") as writer:
        writer.delete("00000001")
        writer.add(pixels(1, 4, 5, 3)[0], key="more", label=1)
    assert "00000001" in reader and "more" not in reader and len(reader) == 34
    assert all(np.array_equal(one, other) for one, other in zip(reader[:30]["image"], images, strict=True))


def test_where_no_store_is_nothing_is_made(tmp_path: Path) -> None:
    with pytest.raises(errors.PathNotFoundError, match="does not exist; nothing was created"):
        history.rollback(tmp_path / "none", 1)
    with pytest.raises(errors.NotAStoreError):
        history.facts_of_versions(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_replacing_all_is_a_version_too_and_gives_no_key_again(path: Path) -> None:
    before = content(path)
    with pixstore.Writer(path, mode="w", durability="process") as writer:
        writer.add(pixels(1, 4, 5, 3)[0], label=1)
    assert pixstore.open(path).keys.to_pylist() == ["00000030"] and content(path, 6) == before
    history.rollback(path, 6)
    assert content(path) == before and load(path).next_key == 31
