"""Names of files and folders: no two alike, none that leaves its folder, keys as they are where they are safe."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixstore.layouts.folder_names import SUFFIXES, folder_name, stems, suffix

TEXT = st.text(st.one_of(st.sampled_from("ab./\\%~ :\x00é"), st.characters(codec="utf-8")), min_size=1, max_size=40)
HOSTILE = ["../../etc/passwd", "/etc/passwd", "a/../../b", ".", "..", "a//b", "C:\\x", "nul\0", "~", "%2F", "a/./b", "x" * 5000, "é" * 300]


@given(keys=st.lists(TEXT, unique=True, max_size=8), data=st.data())
def test_different_keys_get_different_files_inside_their_folder(keys: list[str], data: st.DataObject) -> None:
    folders = [data.draw(st.sampled_from(["", "cat", "train/cat"])) for _ in keys]
    found = stems(keys, folders)
    assert len(set(found)) == len(keys)
    for stem, folder in zip(found, folders, strict=True):
        parts = PurePosixPath(stem + ".png").parts
        assert "/".join(parts[:-1]).startswith(folder) and not {"..", "/", "."} & set(parts) and "\\" not in stem and "\0" not in stem
        assert all(not part.startswith(".") and len(part.encode()) <= 255 for part in parts)
    files = {stem + suffix(key, codec) for key, stem in zip(keys, found, strict=True) for codec in SUFFIXES}
    assert not any(str(above) in files for stem in found for above in PurePosixPath(stem).parents)


@pytest.mark.parametrize("key", HOSTILE)
def test_hostile_keys_stay_inside(key: str) -> None:
    (found,) = stems([key], ["cat"])
    assert found.startswith("cat/") and ".." not in PurePosixPath(found).parts and len(found) <= 1100


@pytest.mark.parametrize(
    ("key", "folder", "stem"),
    [
        ("00000001", "cat", "cat/00000001"),
        ("cat/1.png", "cat", "cat/1"),
        ("train/cat/1.JPG", "train/cat", "train/cat/1"),
        ("cat/1.png", "train/cat", "train/cat/1"),
        ("a/b.c/photo v1.2", "", "a/b.c/photo v1.2"),
        ("Grüße.jpeg", "", "Grüße"),
    ],
)
def test_safe_keys_are_their_names_and_folders_that_they_name_come_once(key: str, folder: str, stem: str) -> None:
    assert stems([key], [folder]) == [stem]


def test_what_would_be_called_alike_is_told_apart_by_a_hash() -> None:
    found = stems(["a.jpg", "a.png", "b", "b.png/c"], [""] * 4)
    assert found[3] == "b.png/c" and all("~" in stem for stem in found[:3])
    assert "~" in stems(["b.JPEG", "b.JPEG/c"], ["", ""])[0]


@given(first=st.one_of(TEXT, TEXT.map(lambda text: text * 40)), second=TEXT)
def test_folders_of_different_classes_differ_and_are_one_level(first: str, second: str) -> None:
    assert (folder_name(first) == folder_name(second)) == (first == second)
    assert len(PurePosixPath(folder_name(first)).parts) == 1 and folder_name(first) not in (".", "..")
    assert len(folder_name(first).encode()) <= 255


def test_a_file_keeps_the_suffix_that_says_what_it_is() -> None:
    assert suffix("a.JPEG", "jpeg") == ".JPEG" and suffix("a.png", "jpeg") == ".jpg" and suffix("a", "png") == ".png"
    assert all(each.startswith(".") for found in SUFFIXES.values() for each in found)
