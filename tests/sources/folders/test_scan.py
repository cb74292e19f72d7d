"""Scan: every image once and in order, whatever the folders and names; nothing opened but folders."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixstore.sources.folders import scan as scanning
from pixstore.sources.folders.image_names import key_of
from pixstore.sources.folders.scan import is_unchanged, open_folder, scan

OPENED: list[str] = []
WATCHED: list[str] = []


def watch(event: str, arguments: tuple[object, ...]) -> None:
    # A hook stays for the life of the process: it does something while a test watches a folder.
    if WATCHED and event == "open" and str(arguments[0]).startswith(WATCHED[0]):
        OPENED.append(str(arguments[0]))


sys.addaudithook(watch)


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[list[str]]:
    """What is opened below the test's folder, as the interpreter tells of it."""
    WATCHED.append(str(tmp_path))
    yield OPENED
    WATCHED.clear()
    OPENED.clear()


def put(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"bytes")
    return root


def test_no_file_is_opened(tmp_path: Path, opened: list[str]) -> None:
    put(tmp_path, "a/1.png", "b/c/2.jpg", "b/notes.txt")
    opened.clear()
    assert scan(tmp_path).images.to_pylist() == ["a/1.png", "b/c/2.jpg"]
    assert sorted(opened) == [str(tmp_path), *(str(tmp_path / name) for name in ("a", "b", "b/c"))]


parts = st.text(alphabet="ab.%/é", min_size=1, max_size=6) | st.sampled_from(["a", "a.b", "a%E9", "caf\udce9"])


@given(st.lists(parts, max_size=12))
def test_keys_are_ascending_and_those_of_every_image(names: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        made = set()
        for name in names:
            path = "/".join(part for part in name.split("/") if part.strip("."))
            place = os.path.join(folder, path + ".png")
            try:
                os.makedirs(os.path.dirname(place), exist_ok=True)
                os.close(os.open(place, os.O_CREAT | os.O_WRONLY))
            except (FileExistsError, NotADirectoryError, IsADirectoryError):
                continue
            made.add(path + ".png")
        shown = [each for each in made if not any(part.startswith(".") for part in each.split("/"))]
        assert scan(Path(folder)).images.to_pylist() == sorted(map(key_of, shown))


def test_large_folders_come_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scanning, "ENTRIES_AT_ONCE", 7)
    monkeypatch.setattr(scanning, "KEYS_PER_CHUNK", 10)
    names = [f"{number:03}.png" for number in range(50)]
    told: list[tuple[int, int, int]] = []
    assert scan(put(tmp_path, *names), lambda *each: told.append(each)).images.to_pylist() == names
    assert [each[0] for each in told] == [7, 14, 21, 28, 35, 42, 49] and {each[1:] for each in told} == {(0, 0)}


def test_a_link_is_no_folder_to_open(tmp_path: Path) -> None:
    put(tmp_path, "inner/1.png")
    (tmp_path / "link").symlink_to("inner")
    assert scan(tmp_path).unsure.to_pylist() == ["link"]
    os.close(open_folder(tmp_path, "inner/"))
    with pytest.raises(OSError):
        open_folder(tmp_path, "link/")
    assert scan(tmp_path / "link").images.to_pylist() == ["1.png"]


def test_what_was_added_or_removed_anywhere_is_a_change(tmp_path: Path) -> None:
    put(tmp_path, "a/b/1.png", "a/2.png", "c.png")
    scanned = scan(tmp_path)
    assert is_unchanged(tmp_path, scanned)
    (tmp_path / "c.png").write_bytes(b"other bytes")
    assert is_unchanged(tmp_path, scanned)
    put(tmp_path, "a/b/3.png")
    assert not is_unchanged(tmp_path, scanned)
    scanned = scan(tmp_path)
    (tmp_path / "c.png").unlink()
    assert not is_unchanged(tmp_path, scanned)
    scanned = scan(tmp_path)
    (tmp_path / "a").rename(tmp_path / "z")
    assert not is_unchanged(tmp_path, scanned)
