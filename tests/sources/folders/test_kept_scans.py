"""Kept scans: used again while the folders are what they were, and never believed otherwise."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from pixstore.errors import InvalidInputError
from pixstore.sources.folders import kept_scans
from pixstore.sources.folders.kept_scans import keep, recall
from pixstore.sources.folders.listing import list_images
from pixstore.sources.folders.scan import Scan, scan

KEYS = ["a.png", "cat/1.png", "cat/2.png", "cat/deep/3.png"]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder in which scans of any size are kept, however young."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("PIXSTORE_LISTINGS", raising=False)
    monkeypatch.setattr(kept_scans, "FEWEST_IMAGES", 0)
    monkeypatch.setattr(kept_scans, "SETTLED_NS", 0)
    return tmp_path / "cache" / "pixstore" / "listings"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for key in [*KEYS, "cat/notes.txt"]:
        (tmp_path / "data" / key).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "data" / key).write_bytes(b"bytes")
    (tmp_path / "data" / "link.png").symlink_to("cat/1.png")
    (tmp_path / "data" / os.fsdecode(b"caf\xe9.png")).touch()
    return tmp_path / "data"


def kept(root: Path) -> Scan:
    scanned = scan(root)
    keep(root, scanned, time.time_ns())
    return scanned


def same(left: Scan, right: Scan) -> bool:
    texts = all(getattr(left, name).equals(getattr(right, name)) for name in kept_scans.TEXTS)
    return texts and np.array_equal(left.marks, right.marks)


def test_a_scan_comes_back_as_it_was(cache: Path, root: Path) -> None:
    assert recall(root) is None
    scanned = kept(root)
    found = recall(root)
    assert found is not None and same(found, scanned)
    assert cache.stat().st_mode & 0o077 == 0


CHANGES: dict[str, Callable[[Path], object]] = {
    "a file more": lambda root: (root / "cat" / "deep" / "4.png").touch(),
    "a file less": lambda root: (root / "cat" / "1.png").unlink(),
    "another name": lambda root: (root / "a.png").rename(root / "b.png"),
    "a folder more": lambda root: (root / "cat" / "empty").mkdir(),
    "a link in a file's place": lambda root: ((root / "a.png").unlink(), (root / "a.png").symlink_to("/etc/passwd")),
    "a link in a folder's place": lambda root: ((root / "cat").rename(root / "dog"), (root / "cat").symlink_to("dog")),
    "other permissions of a folder": lambda root: (root / "cat").chmod(0o755 if (root / "cat").stat().st_mode & 0o777 == 0o700 else 0o700),
    "times set back": lambda root: ((root / "cat" / "9.png").touch(), os.utime(root / "cat", ns=(0, 0))),
    "no folder": lambda root: root.rename(root.parent / "elsewhere"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
@pytest.mark.usefixtures("cache")
def test_a_changed_folder_is_scanned_again(root: Path, change: Callable[[Path], object]) -> None:
    kept(root)
    time.sleep(0.01)
    change(root)
    assert recall(root) is None


@pytest.mark.usefixtures("cache")
def test_changed_contents_are_no_reason_to_scan_again(root: Path) -> None:
    kept(root)
    (root / "a.png").write_bytes(b"more bytes than before")
    assert recall(root) is not None


def test_a_damaged_file_is_as_none(cache: Path, root: Path) -> None:
    kept(root)
    file = next(cache.iterdir())
    data = file.read_bytes()
    for place in range(0, len(data), 97):
        file.write_bytes(data[:place] + bytes([data[place] ^ 0x10]) + data[place + 1 :])
        assert recall(root) is None
    for length in (0, 7, 16, len(data) // 2, len(data) - 1):
        file.write_bytes(data[:length])
        assert recall(root) is None
    file.write_bytes(data)
    assert recall(root) is not None


def test_what_others_could_have_written_is_as_none(cache: Path, root: Path, tmp_path: Path) -> None:
    kept(root)
    file = next(cache.iterdir())
    file.chmod(0o620)
    assert recall(root) is None
    file.chmod(0o600)
    assert recall(root) is not None
    file.rename(tmp_path / "moved")
    file.symlink_to(tmp_path / "moved")
    assert recall(root) is None
    file.unlink()
    os.mkfifo(file)
    assert recall(root) is None


HOSTILE = ("../secret.png", "/etc/passwd.png", "cat/../../secret.png", "cat/..", "..", ".", "cat//1.png", "a\0b.png")


@pytest.mark.parametrize("key", HOSTILE)
@pytest.mark.parametrize("column", ["images", "unsure", "metadata", "folders"])
@pytest.mark.usefixtures("cache")
def test_a_name_that_leads_out_of_the_folder_is_refused(root: Path, key: str, column: str) -> None:
    scanned = scan(root)
    keys = getattr(scanned, column).to_pylist()
    hostile = replace(scanned, **{column: pa.array([*keys[:-1], key], pa.string())})
    keep(root, hostile, time.time_ns())
    assert recall(root) is None


@pytest.mark.usefixtures("cache")
def test_columns_that_do_not_fit_each_other_are_refused(root: Path) -> None:
    scanned = scan(root)
    for wrong in (replace(scanned, reasons=scanned.reasons[:0]), replace(scanned, marks=scanned.marks[:-1])):
        keep(root, wrong, time.time_ns())
        assert recall(root) is None


def test_a_scan_of_another_folder_is_not_taken(cache: Path, root: Path) -> None:
    kept(root)
    file = next(cache.iterdir())
    other = root.parent / "other"
    root.rename(other)
    kept(other)
    (theirs,) = set(cache.iterdir()) - {file}
    theirs.write_bytes(file.read_bytes())
    assert recall(other) is None


@pytest.mark.parametrize("switch", ["off", "on", ""])
def test_the_switch_decides(cache: Path, root: Path, switch: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIXSTORE_LISTINGS", switch)
    kept(root)
    assert cache.exists() == (recall(root) is not None) == (switch != "off")
    monkeypatch.setenv("PIXSTORE_LISTINGS", "never")
    with pytest.raises(InvalidInputError, match="PIXSTORE_LISTINGS='never'"):
        recall(root)


def test_small_young_and_partial_scans_are_not_kept(cache: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keep(root, replace(scan(root), is_whole=False), time.time_ns())
    monkeypatch.setattr(kept_scans, "SETTLED_NS", 3_600_000_000_000)
    kept(root)
    monkeypatch.setattr(kept_scans, "SETTLED_NS", 0)
    monkeypatch.setattr(kept_scans, "FEWEST_IMAGES", 100)
    kept(root)
    monkeypatch.setattr(kept_scans, "FEWEST_IMAGES", 0)
    monkeypatch.setattr(kept_scans, "MOST_BYTES", 100)
    kept(root)
    assert not cache.exists()


def test_nothing_is_written_into_the_data(root: Path, monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(root / "cat" / "cache"))
    kept(root)
    assert not (root / "cat" / "cache").exists() and not cache.exists()


def test_a_cache_that_cannot_be_written_is_left_alone(cache: Path, root: Path) -> None:
    cache.parent.mkdir(parents=True)
    cache.write_bytes(b"a file where the folder should be")
    kept(root)
    assert recall(root) is None and cache.is_file()


def test_scans_used_longest_ago_make_room(cache: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept(root)
    size = next(cache.iterdir()).stat().st_size
    for number in range(4):
        (cache / f"{number}.arrow").write_bytes(b"x" * size)
        os.utime(cache / f"{number}.arrow", (number, number))
    monkeypatch.setattr(kept_scans, "MOST_BYTES_OF_ALL", 4 * size - 1)
    assert recall(root) is not None
    (root / "more.png").touch()
    kept(root)
    assert {"3.arrow"} == {each.name for each in cache.iterdir() if len(each.name) < 10}


@pytest.mark.usefixtures("cache")
def test_links_are_looked_at_each_time(root: Path) -> None:
    (root / ".hidden").mkdir()
    (root / ".hidden" / "x.png").touch()
    (root / "z.png").symlink_to(".hidden/x.png")
    first = list_images(root)
    assert recall(root) is not None and "z.png" in first.names() and list_images(root) == first
    (root / ".hidden" / "x.png").unlink()
    assert recall(root) is not None
    second = list_images(root)
    assert "z.png" not in second.names() and ("z.png", "a link to nothing") in [(each.path, each.reason) for each in second.skipped]
