"""What is an image below a folder, and what is left out and why."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pixstore.sources.folders.listing import has_image, list_images


def images(root: Path) -> list[str]:
    return list_images(root).names()


def reasons(root: Path) -> dict[str, str]:
    return {each.path: each.reason for each in list_images(root).skipped}


def test_images_are_found_at_every_depth_and_sorted(tmp_path: Path) -> None:
    for name in ("b.JPG", "a/z.png", "a/b/c/d.webp", "a.tiff", "Z.jpeg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert images(tmp_path) == ["Z.jpeg", "a.tiff", "a/b/c/d.webp", "a/z.png", "b.JPG"]


def test_junk_is_counted_with_its_reason(tmp_path: Path) -> None:
    for name in (".DS_Store", "Thumbs.db", "notes.txt", "png", ".png", ".hidden.jpg", "photo.heic"):
        (tmp_path / name).touch()
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "a.png").touch()
    assert images(tmp_path) == []
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
    assert images(root) == ["good.png", "inner/a.png"]
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
    assert images(tmp_path) == []
    assert reasons(tmp_path) == {
        "fifo.png": "not a regular file but a FIFO",
        "to-fifo.png": "a link to something that is no regular file",
    }


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_what_may_not_be_read_is_counted(tmp_path: Path) -> None:
    (tmp_path / "a.png").touch(0)
    (tmp_path / "closed").mkdir(0)
    assert images(tmp_path) == []
    assert reasons(tmp_path) == {"a.png": "cannot be read: permission denied", "closed/": "folder cannot be listed: Permission denied"}


def test_a_name_that_is_not_utf8_has_a_key_of_valid_text(tmp_path: Path) -> None:
    name = b"caf\xe9.png"
    (tmp_path / os.fsdecode(name)).touch()
    found = list_images(tmp_path)
    assert found.keys.to_pylist() == ["caf%E9.png"]
    assert [os.fsencode(each) for each in found.names()] == [name]


def test_an_image_is_found_in_depth_and_none_where_there_is_none(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "notes.txt").touch()
    assert not has_image(tmp_path)
    (tmp_path / "a" / "b" / "c.png").touch()
    assert has_image(tmp_path)
    assert not has_image(tmp_path, max_entries=2)
