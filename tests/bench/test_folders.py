"""Fresh folders for stores."""

from __future__ import annotations

from pathlib import Path

from pixstore.bench.folders import StoreFolders


def test_every_store_gets_an_empty_folder_of_a_new_name(tmp_path: Path) -> None:
    folders = StoreFolders(tmp_path)
    names = set()
    for _ in range(3):
        place = folders.fresh("packed/raw")
        assert list(place.iterdir()) == []
        (place / "file").write_bytes(b"x")
        names.add(place.name)
    assert len(names) == 3
    assert folders.current("packed/raw") == place


def test_the_store_before_is_removed_and_those_of_other_ways_stay(tmp_path: Path) -> None:
    folders = StoreFolders(tmp_path)
    first, other = folders.fresh("packed/raw"), folders.fresh("lmdb/raw")
    folders.fresh("packed/raw")
    assert not first.exists()
    assert other.exists()


def test_a_removed_store_is_nowhere(tmp_path: Path) -> None:
    folders = StoreFolders(tmp_path)
    folders.fresh("packed/raw")
    folders.remove("packed/raw")
    assert not folders.current("packed/raw").exists()
    assert list(tmp_path.iterdir()) == []
