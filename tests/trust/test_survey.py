"""Which versions a store keeps, whichever of its manifests are damaged, and what nothing names."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

import pixstore
from pixstore import manifest
from pixstore.errors import InvalidInputError, NotAStoreError
from pixstore.trust.survey import check_splits, survey

Flip = Callable[[Path, int], None]


@pytest.fixture
def store(plain: Path) -> Path:
    """A store of three versions, the second one tagged, with a saved split."""
    for label in (50, 60):
        with pixstore.Writer(plain, mode="a", durability="process") as writer:
            writer.update("key-00", label=label)
    kept = manifest.load(plain)
    manifest.commit(plain, replace(kept, tags={"good": 2}))
    return plain


def test_a_sound_store_has_nothing_to_say(store: Path) -> None:
    found = survey(store)
    assert sorted(found.kept) == [1, 2, 3] and found.current is not None and found.current.version == 3
    assert not found.findings and not found.leftovers and not found.notes and len(found.shards()) == 3


@pytest.mark.parametrize("place", [0, 40, -25, -2])
def test_a_damaged_manifest_is_found_and_the_newest_sound_version_read(store: Path, flip: Flip, place: int) -> None:
    flip(store / "manifest.json", place)
    found = survey(store)
    assert [(each.kind, each.file) for each in found.findings] == [("manifest", "manifest.json")]
    assert found.current is not None and found.current.version == 3
    flip(store / "versions/00000003.json", 10)
    assert survey(store).current == found.kept[2]


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_damaged_version_file_is_found_and_the_manifest_counts(store: Path, flip: Flip, number: int) -> None:
    flip(store / f"versions/0000000{number}.json", 100)
    found = survey(store)
    assert [(each.kind, each.file) for each in found.findings] == [("version", f"versions/0000000{number}.json")]
    assert found.current == manifest.load(store) and 3 in found.kept


def test_a_manifest_or_version_that_is_gone_is_found(store: Path) -> None:
    (store / "versions/00000003.json").unlink()
    assert [each.file for each in survey(store).findings] == ["versions/00000003.json"]
    (store / "manifest.json").unlink()
    found = survey(store)
    assert [each.file for each in found.findings] == ["manifest.json"] and found.current is not None and found.current.version == 2


def test_a_version_file_under_another_number_is_found(store: Path) -> None:
    shutil.copy(store / "versions/00000001.json", store / "versions/00000002.json")
    assert "says that it is version 1" in survey(store).findings[0].reason


def test_no_sound_version_at_all_leaves_nothing_to_check(store: Path) -> None:
    for path in (store / "manifest.json", *(store / "versions").iterdir()):
        path.write_bytes(b"")
    found = survey(store)
    assert found.current is None and not found.shards() and len(found.findings) == 4


def test_a_commit_cut_off_before_its_last_step_is_no_damage(store: Path) -> None:
    made = manifest.load(store)
    newer = replace(made, version=4, parent=3, shards=())
    (store / "versions/00000004.json").write_bytes(manifest.serialise(newer))
    (store / "versions/00000003.json").write_bytes(manifest.serialise(replace(made, tags={"other": 1})))
    found = survey(store)
    assert not found.findings and found.current == made
    assert [name for name, _ in found.leftovers] == ["versions/00000004.json"] and "cut off" in found.notes[0]


def test_files_that_nothing_names_are_leftovers_with_their_bytes(store: Path) -> None:
    (store / "shards/loose.partial").mkdir()
    (store / "shards/loose.partial/a.bin").write_bytes(b"12345")
    (store / "shards/loose.bin").write_bytes(b"123")
    (store / "manifest.json.77.partial").write_bytes(b"1")
    (store / "lost.csv").write_bytes(b"1")
    assert survey(store).leftovers == [("manifest.json.77.partial", 1), ("shards/loose.bin", 3), ("shards/loose.partial", 5)]


def test_where_a_version_is_damaged_nobody_knows_what_is_left_over(store: Path, flip: Flip) -> None:
    (store / "shards/loose.bin").write_bytes(b"123")
    flip(store / "versions/00000001.json", 50)
    assert survey(store).leftovers == []


def test_a_version_is_chosen_by_number_or_tag(store: Path) -> None:
    assert list(survey(store, 1).kept) == [1] and survey(store, "good").current == survey(store).kept[2]
    for unknown in (9, "bad"):
        with pytest.raises(InvalidInputError, match="those that are: 1, 2, 3, good"):
            survey(store, unknown)


def test_what_is_no_store_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(NotAStoreError, match=r"no manifest\.json here"):
        survey(tmp_path)


def test_a_damaged_split_is_found(plain: Path, flip: Flip) -> None:
    pixstore.open(plain).split({"a": 0.5, "b": 0.5}, name="halves")
    file = next((plain / "splits").iterdir())
    assert not list(check_splits(survey(plain)))
    flip(file, 300)
    assert [(each.kind, each.file) for each in check_splits(survey(plain))] == [("split", f"splits/{file.name}")]
    file.unlink()
    assert [each.kind for each in check_splits(survey(plain))] == ["missing"]


def test_a_tagged_version_that_is_gone_is_found(store: Path) -> None:
    (store / "versions/00000002.json").unlink()
    found = survey(store)
    assert [(each.kind, each.file) for each in found.findings] == [("missing", "versions/00000002.json")]
    assert "'good'" in found.findings[0].reason and not found.leftovers


def test_a_tagged_version_that_is_damaged_is_told_once(store: Path, flip: Flip) -> None:
    flip(store / "versions/00000002.json", 100)
    assert [each.kind for each in survey(store).findings] == ["version"]
