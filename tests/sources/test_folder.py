"""Image folders: classes, splits, labels from elsewhere, and single image files."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pytest

from pixstore.errors import InvalidInputError, LabelMismatchError, NotAStoreError
from pixstore.rows import WHOLE_FILE, Extents
from pixstore.source import SourceOptions
from pixstore.sources.folder import ImageFolder
from pixstore.sources.folders import kept_scans

PNG = b"\x89PNG\r\n\x1a\n"


def fill(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(PNG + name.encode())
    return root


def open_folder(path: Path, label_from: str | None = None) -> ImageFolder:
    return ImageFolder.open(path, SourceOptions(label_from=label_from))


def test_sub_folders_are_classes(tmp_path: Path) -> None:
    source = open_folder(fill(tmp_path, "dog/1.png", "cat/1.png", "cat/deep/2.png"))
    assert source.table.to_pydict() == {"key": ["cat/1.png", "cat/deep/2.png", "dog/1.png"], "label": [0, 0, 1]}
    assert source.schema.classes == {"label": ("cat", "dog")}


def test_a_flat_folder_has_no_labels(tmp_path: Path) -> None:
    source = open_folder(fill(tmp_path, "b.png", "a.jpg"))
    assert source.table.to_pydict() == {"key": ["a.jpg", "b.png"]}
    assert source.schema.classes == {} and source.report.notes == []


def test_a_first_level_of_splits_becomes_a_column(tmp_path: Path) -> None:
    source = open_folder(fill(tmp_path, "train/dog/1.png", "val/cat/1.png", "train/cat/2.png"))
    assert source.table["split"].to_pylist() == ["train", "train", "val"]
    assert source.table["label"].to_pylist() == [0, 1, 0]
    assert source.schema.classes == {"label": ("cat", "dog")}


def test_splits_without_classes_have_no_labels(tmp_path: Path) -> None:
    assert open_folder(fill(tmp_path, "train/1.png", "test/1.png")).table.column_names == ["key", "split"]


def test_images_outside_the_splits_or_classes_are_noted(tmp_path: Path) -> None:
    splits = open_folder(fill(tmp_path / "one", "train/1.png", "extra/1.png"))
    assert splits.table.column_names == ["key", "label"]
    assert splits.report.notes == ["train: not taken as splits, because other images lie outside them: 1 ('extra/1.png')"]
    classes = open_folder(fill(tmp_path / "two", "cat/1.png", "2.png"))
    assert classes.table.column_names == ["key"]
    assert classes.report.notes == ["no labels from folders, because some images lie in no class folder: 1 ('2.png')"]


def test_metadata_adds_columns_and_its_label_goes_before_that_of_the_folders(tmp_path: Path) -> None:
    fill(tmp_path, "cat/1.png", "dog/2.png")
    (tmp_path / "metadata.csv").write_text("file_name,label,text\ndog/2.png,9,two\ncat/1.png,8,one\n")
    source = open_folder(tmp_path)
    assert source.table.to_pydict() == {"key": ["cat/1.png", "dog/2.png"], "label": [8, 9], "text": ["one", "two"]}
    assert source.schema.classes == {} and source.report.skipped == []
    assert open_folder(tmp_path, "folder").table["label"].to_pylist() == [0, 1]


def test_metadata_in_each_split_is_read_and_deeper_files_are_noted(tmp_path: Path) -> None:
    fill(tmp_path, "train/cat/1.png", "test/cat/1.png")
    for split in ("train", "test"):
        (tmp_path / split / "metadata.jsonl").write_text('{"file_name": "cat/1.png", "n": 1}\n')
    (tmp_path / "train" / "cat" / "metadata.csv").write_text("file_name\n")
    source = open_folder(tmp_path)
    assert source.table.column_names == ["key", "label", "split", "n"]
    assert source.report.notes == ["metadata files that lie too deep and were not read: 1 ('train/cat/metadata.csv')"]


def test_labels_come_from_where_the_user_says(tmp_path: Path) -> None:
    root = fill(tmp_path / "root", "cat/1.png", "dog/2.png")
    (tmp_path / "labels.csv").write_text("1,5\n2,6\n")
    assert open_folder(root, "folder").schema.classes == {"label": ("cat", "dog")}
    assert open_folder(root, r"(\d)\.png").table["label"].to_pylist() == [1, 2]
    assert open_folder(root, str(tmp_path / "labels.csv")).table["label"].to_pylist() == [5, 6]


def test_a_source_of_labels_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    root = fill(tmp_path / "root", "cat/1.png", "2.png")
    with pytest.raises(LabelMismatchError, match=r"in no class folder: 1 \('2.png'\)"):
        open_folder(root, "folder")
    with pytest.raises(NotAStoreError, match="does not exist"):
        open_folder(root, str(tmp_path / "absent.csv"))
    with pytest.raises(InvalidInputError, match="groups"):
        open_folder(root, "no group")


def test_files_are_located_whole_and_unread(tmp_path: Path) -> None:
    source = open_folder(fill(tmp_path, "a.png", "b.png", "c.png"))
    located = source.locate("image", np.array([2, 0]))
    assert isinstance(located.place, Extents)
    assert list(located.place.paths) == [str(tmp_path / "c.png"), str(tmp_path / "a.png")]
    assert located.place.length.tolist() == [WHOLE_FILE] * 2
    assert not located.formats[0].is_known


def test_names_that_are_not_utf8_are_found_again(tmp_path: Path) -> None:
    names = [b"caf\xe9.png", b"caf%E9.png", "café.png".encode(), b"new\nline.png"]
    for name in names:
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)).write_bytes(PNG + name)
    source = open_folder(tmp_path)
    found = source.read("image", np.arange(4))
    assert isinstance(found.place, list)
    assert sorted(bytes(each) for each in found.place) == sorted(PNG + name for name in names)
    assert {found.name(row)[1] for row in range(4)} == set(source.table["key"].to_pylist())


def test_a_single_image_is_one_row(tmp_path: Path) -> None:
    fill(tmp_path, "a.png", "b.png")
    assert ImageFolder.recognises(tmp_path / "a.png")
    source = open_folder(tmp_path / "a.png")
    assert source.table.to_pydict() == {"key": ["a.png"]}
    assert source.locate("image", np.array([0])).name(0) == (0, "a.png", str(tmp_path / "a.png"))


def test_an_image_without_a_suffix_is_recognised_by_its_bytes(tmp_path: Path) -> None:
    fill(tmp_path, "photo")
    assert ImageFolder.recognises(tmp_path / "photo")
    assert len(open_folder(tmp_path / "photo")) == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "it is an empty file"),
        (b"hello, world", "text that starts with 'hello, world'"),
        (b"<!DOCTYPE html><html>", "HTML page; a download perhaps failed"),
        (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS pointer"),
        (b"\x7fELF\x02\x01\x01", "starts with the bytes 7f 45 4c 46"),
    ],
)
def test_a_file_that_is_only_named_like_an_image_says_what_it_is(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "a.jpg").write_bytes(content)
    with pytest.raises(NotAStoreError, match=message) as caught:
        open_folder(tmp_path / "a.jpg")
    assert str(caught.value).startswith(f"{tmp_path / 'a.jpg'}: named like an image, but")


def test_a_folder_whose_images_cannot_be_used_says_so(tmp_path: Path) -> None:
    (tmp_path / "a.png").symlink_to("/etc/passwd")
    assert ImageFolder.recognises(tmp_path)
    with pytest.raises(NotAStoreError, match="no image can be read here, 1 entries were left out"):
        open_folder(tmp_path)


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of 20 × 1,000 files, links to one file each."""
    root = tmp_path_factory.mktemp("many")
    for number in range(20):
        first = fill(root, f"class{number:02}/0000.png") / f"class{number:02}" / "0000.png"
        for place in range(1, 1000):
            os.link(first, first.with_name(f"{place:04}.png"))
    return root


def test_twenty_thousand_files_open_without_an_object_for_each(many: Path) -> None:
    # What is imported, compiled or remembered at a first time is not counted.
    open_folder(many)
    before = sys.getallocatedblocks()
    source = open_folder(many)
    source.locate("image", np.array([5, 19_999, 7]))
    assert sys.getallocatedblocks() - before < 1000
    assert len(source) == 20_000 and source.table["label"].to_pylist() == [row // 1000 for row in range(20_000)]


def test_a_large_folder_tells_how_far_its_listing_is(many: Path) -> None:
    told: list[tuple[int, int, int]] = []
    ImageFolder.open(many, SourceOptions(progress=lambda *each: told.append(each)))
    assert told == [(9000, 0, 0), (18_000, 0, 0)]


def test_a_large_folder_is_scanned_once(many: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("PIXSTORE_LISTINGS")
    monkeypatch.setattr(kept_scans, "SETTLED_NS", 0)
    told: list[int] = []
    options = SourceOptions(progress=lambda files, total, count: told.append(files))
    first = ImageFolder.open(many, options)
    assert len(told) == 2 and len(list(tmp_path.rglob("*.arrow"))) == 1
    second = ImageFolder.open(many, options)
    assert len(told) == 2 and second.table.equals(first.table) and second.schema == first.schema


def test_folders_of_others_open(shared_data: Path) -> None:
    source = open_folder(shared_data / "human-seg" / "Training_Images")
    assert len(source) == 290
    assert [each.path for each in source.report.skipped] == [".DS_Store"]


@pytest.mark.parametrize("names", [["a.png", "é.png", "🦌.png"], ["%41.png", "caf\udce9.png", "a.png", "100%.png", "%E9.png"]])
def test_paths_lead_to_the_files_whatever_their_names_are(names: list[str], tmp_path: Path) -> None:
    for name in names:
        (tmp_path / name).write_bytes(os.fsencode(name))
    source = ImageFolder.open(tmp_path, SourceOptions())
    place = source.locate("image", np.arange(len(source))).place
    assert isinstance(place, Extents)
    found = {Path(place.paths[file]).read_bytes() for file in place.file.tolist()}
    assert found == set(map(os.fsencode, names)) and len(source) == len(names)
