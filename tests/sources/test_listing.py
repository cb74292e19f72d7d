"""What is an image below a folder, what is left out and why, and keys that no two files share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixstore.sources.listing import has_image, is_image_name, key_of, list_images, name_of


def reasons(root: Path) -> dict[str, str]:
    return {each.path: each.reason for each in list_images(root).skipped}


def test_images_are_found_at_every_depth_and_sorted(tmp_path: Path) -> None:
    for name in ("b.JPG", "a/z.png", "a/b/c/d.webp", "a.tiff", "Z.jpeg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert list_images(tmp_path).images == ["Z.jpeg", "a.tiff", "a/b/c/d.webp", "a/z.png", "b.JPG"]


def test_junk_is_counted_with_its_reason(tmp_path: Path) -> None:
    for name in (".DS_Store", "Thumbs.db", "notes.txt", "png", ".png", ".hidden.jpg", "photo.heic"):
        (tmp_path / name).touch()
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "a.png").touch()
    assert list_images(tmp_path).images == []
    assert reasons(tmp_path) == {
        ".DS_Store": "hidden or system file",
        ".git/": "hidden or system folder",
        ".hidden.jpg": "hidden or system file",
        ".png": "hidden or system file",
        "Thumbs.db": "hidden or system file",
        "notes.txt": "no image suffix",
        "photo.heic": "images of type .heic are not decoded",
        "png": "no image suffix",
    }


def test_links_are_followed_inside_the_folder_only(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "inner").mkdir(parents=True)
    (root / "inner" / "a.png").touch()
    (tmp_path / "outside.png").touch()
    (tmp_path / "root-too").mkdir()
    (tmp_path / "root-too" / "b.png").touch()
    targets = {
        "good.png": "inner/a.png",
        "out.png": "../outside.png",
        "near.png": "../root-too/b.png",
        "passwd.png": "/etc/passwd",
        "gone.png": "inner/gone.png",
        "loop.png": "loop.png",
        "folder": "inner",
        "up": "..",
    }
    for name, target in targets.items():
        (root / name).symlink_to(target)
    assert list_images(root).images == ["good.png", "inner/a.png"]
    leaves = "a link that leaves the folder; links outside are not followed"
    assert reasons(root) == {
        "out.png": leaves,
        "near.png": leaves,
        "passwd.png": leaves,
        "up": leaves,
        "gone.png": "a link to nothing",
        "loop.png": "a link to nothing",
        "folder": "a link to a folder; its images are taken where they lie",
    }


def test_special_files_are_left_out_without_being_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo.png")
    (tmp_path / "to-fifo.png").symlink_to("fifo.png")
    (tmp_path / "folder.png").mkdir()
    assert list_images(tmp_path).images == []
    assert reasons(tmp_path) == {
        "fifo.png": "not a regular file but a FIFO",
        "to-fifo.png": "a link to something that is no regular file",
    }


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_what_may_not_be_read_is_counted(tmp_path: Path) -> None:
    (tmp_path / "a.png").touch(0)
    (tmp_path / "closed").mkdir(0)
    assert list_images(tmp_path).images == []
    assert reasons(tmp_path) == {"a.png": "cannot be read: permission denied", "closed/": "folder cannot be listed: Permission denied"}


def test_a_name_that_is_not_utf8_has_a_key_of_valid_text(tmp_path: Path) -> None:
    name = b"caf\xe9.png"
    (tmp_path / os.fsdecode(name)).touch()
    found = list_images(tmp_path).images
    assert [key_of(each) for each in found] == ["caf%E9.png"]
    assert os.fsencode(name_of("caf%E9.png")) == name


@pytest.mark.parametrize(
    ("name", "key"), [("100%.png", "100%.png"), ("a%20b.png", "a%20b.png"), ("a%E9.png", "a%25E9.png"), ("é\n.png", "é\n.png")]
)
def test_a_name_of_text_is_its_own_key_unless_it_looks_like_an_escape(name: str, key: str) -> None:
    assert key_of(name) == key


@given(st.binary(max_size=30) | st.text(alphabet="%25EFabé\n", max_size=20).map(str.encode))
def test_keys_are_valid_text_and_lead_back_to_their_name(name: bytes) -> None:
    key = key_of(os.fsdecode(name))
    key.encode("utf-8")
    assert os.fsencode(name_of(key)) == name


def test_the_suffix_decides_what_is_an_image() -> None:
    names = ("a.png", "a.PNG", "a.b.jpeg", "png", ".png", "a.txt", "a.")
    assert [is_image_name(name) for name in names] == [True, True, True, False, False, False, False]


def test_an_image_is_found_in_depth_and_none_where_there_is_none(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "notes.txt").touch()
    assert not has_image(tmp_path)
    (tmp_path / "a" / "b" / "c.png").touch()
    assert has_image(tmp_path)
    assert not has_image(tmp_path, max_entries=2)
