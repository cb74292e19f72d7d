"""What is ours is told by name and kind; everything else outlives whatever we remove."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pixstore import belongings, registry
from pixstore.belongings import EXTENSIONS, holds_only_ours, is_our_shard_file, is_our_split, is_our_version, remove_ours
from pixstore.mode import take_store
from pixstore.writer import Writer

ID = "0123456789abcdef"


@pytest.mark.parametrize(("name", "is_ours"), [
    *((f"{ID}{extension}", True) for extension in sorted(EXTENSIONS)),
    (f"{ID}.jpg", False), ("0123.arrow", False), (f"{ID.upper()}.arrow", False), (f"{ID}.arrow.bak", False), ("photo.bin", False),
    (f"{ID}.partial\n", False), ("", False),
])  # fmt: skip
def test_shards_have_an_id_and_an_extension_of_ours(name: str, is_ours: bool) -> None:
    assert is_our_shard_file(name) == is_ours


def test_extensions_of_all_engines_are_known() -> None:
    assert {registry.engine(name).extension for name in registry.ENGINES} <= EXTENSIONS


@pytest.mark.parametrize(("name", "is_ours"), [
    ("00000001.json", True), ("123456789.json", True), ("00000001.json.77.partial", True),
    ("1.json", False), ("notes.json", False), ("00000001.json~", False), ("٠٠٠٠٠٠٠١.json", False),
])  # fmt: skip
def test_versions_have_eight_digits(name: str, is_ours: bool) -> None:
    assert is_our_version(name) == is_ours


@pytest.mark.parametrize(("name", "is_ours"), [
    (f"folds.{ID}.arrow", True), (f"my-folds.v2.{ID}.arrow", True), (f"folds.{ID}.arrow.77.partial", True),
    ("mine.arrow", False), (f"{ID}.arrow", False), ("folds.00.arrow", False), (f"folds.{ID}.csv", False),
])  # fmt: skip
def test_splits_end_with_a_digest(name: str, is_ours: bool) -> None:
    assert is_our_split(name) == is_ours


def half_made(place: Path) -> Path:
    take_store(place, durable=False).release()
    (place / "shards" / f"{ID}.partial").mkdir()
    (place / "shards" / f"{ID}.files" / "image").mkdir(parents=True)
    (place / "splits").mkdir()
    for name in ("bad.csv", "lost.csv", "manifest.json.77.partial", f"splits/a.{ID}.arrow", "versions/00000001.json"):
        (place / name).write_text("half")
    return place


@pytest.mark.parametrize("name", ["notes.txt", "shards/photo.png", "versions/notes.json", "splits/mine.arrow", "shards/sub/x.png"])
def test_anything_else_makes_a_folder_somebody_elses_and_stays(tmp_path: Path, name: str) -> None:
    place = half_made(tmp_path / "s")
    assert holds_only_ours(place)
    (place / name).parent.mkdir(exist_ok=True)
    (place / name).write_text("somebody's")
    assert not holds_only_ours(place)
    remove_ours(place)
    assert [path.relative_to(place).as_posix() for path in place.rglob("*") if path.is_file()] == [name]


@pytest.mark.parametrize("name", ["shards", "versions", "splits"])
def test_linked_folder_is_not_ours_and_what_it_leads_to_stays(tmp_path: Path, name: str) -> None:
    place = half_made(tmp_path / "s")
    (place / name).rename(tmp_path / "elsewhere")
    (place / name).symlink_to(tmp_path / "elsewhere")
    before = sorted((tmp_path / "elsewhere").iterdir())
    assert not holds_only_ours(place)
    remove_ours(place)
    assert sorted((tmp_path / "elsewhere").iterdir()) == before and [each.name for each in place.iterdir()] == [name]


@pytest.mark.parametrize("name", ["duplicates.csv", "manifest.json.78.partial"])
def test_folder_in_the_place_of_a_file_is_somebodys(tmp_path: Path, name: str) -> None:
    place = half_made(tmp_path / "s")
    (place / name).mkdir()
    assert not holds_only_ours(place)
    remove_ours(place)
    assert [each.name for each in place.iterdir()] == [name]


def test_removal_that_is_cut_off_anywhere_leaves_what_is_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place, real = half_made(tmp_path / "s"), belongings.remove

    def remove(path: Path) -> None:
        assert holds_only_ours(place)
        real(path)

    monkeypatch.setattr(belongings, "remove", remove)
    remove_ours(place)
    assert not place.exists()


def test_lists_without_a_lock_are_somebodys(tmp_path: Path) -> None:
    assert holds_only_ours(tmp_path) and not holds_only_ours(tmp_path / "none")
    (tmp_path / "shards").mkdir()
    (tmp_path / "bad.csv").write_text("somebody's")
    assert not holds_only_ours(tmp_path)


def test_nothing_of_a_store_stays(tmp_path: Path) -> None:
    remove_ours(half_made(tmp_path / "half"))
    for engine in registry.ENGINES:
        with Writer(tmp_path / engine, engine=engine, durability="process") as writer:
            writer.add(np.zeros((2, 2), np.uint8), key="a")
        remove_ours(tmp_path / engine)
    assert list(tmp_path.iterdir()) == []
