"""The tutorial's PNG files: which CSV holds the labels, and what happens where none does."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pixstore.errors import LabelMismatchError, NotAStoreError
from pixstore.source import SourceOptions
from pixstore.sources.tutorial_png import TutorialPng


def open_png(path: Path) -> TutorialPng:
    return TutorialPng.open(path, SourceOptions())


@pytest.fixture
def twelve(make: Any, tmp_path: Path) -> Path:
    """A folder of twelve PNG files without labels."""
    make.write_numbered_png(tmp_path / "disk", make.make_images(12))
    return tmp_path / "disk"


def test_one_table_labels_all_in_the_order_of_their_numbers(make: Any, twelve: Path) -> None:
    make.write_table(twelve / "12.csv", range(100, 112))
    source = open_png(twelve)
    assert source.table.to_pydict() == {"key": [f"{n}.png" for n in range(12)], "label": list(range(100, 112))}
    found = source.read("image", np.array([10, 2])).place
    assert isinstance(found, list)
    assert [bytes(each) for each in found] == [(twelve / name).read_bytes() for name in ("10.png", "2.png")]


def test_a_table_per_image_labels_each(make: Any, twelve: Path) -> None:
    for number in range(12):
        make.write_table(twelve / f"{number}.csv", [50 - number])
    assert open_png(twelve).table["label"].to_pylist() == [50 - number for number in range(12)]


def test_images_need_not_begin_at_zero_where_each_has_its_table(make: Any, tmp_path: Path) -> None:
    make.write_numbered_png(tmp_path, make.make_images(2))
    (tmp_path / "0.png").rename(tmp_path / "700.png")
    make.write_table(tmp_path / "700.csv", [7])
    make.write_table(tmp_path / "1.csv", [1])
    source = open_png(tmp_path)
    assert source.table.to_pydict() == {"key": ["1.png", "700.png"], "label": [1, 7]}


def test_of_several_runs_the_table_of_all_images_counts(make: Any, twelve: Path) -> None:
    make.write_table(twelve / "0.csv", [99])
    make.write_table(twelve / "1.csv", [99])
    make.write_table(twelve / "10.csv", range(10))
    make.write_table(twelve / "12.csv", range(12))
    source = open_png(twelve)
    assert source.table["label"].to_pylist() == list(range(12))
    assert source.report.notes == ["CSV files of other runs, not read: 3 ('0.csv', '1.csv', '10.csv')"]


def test_a_single_image_has_either_kind_of_table(make: Any, tmp_path: Path) -> None:
    for name, label in (("0.csv", 3), ("1.csv", 4)):
        make.write_numbered_png(tmp_path / name, make.make_images(1))
        make.write_table(tmp_path / name / name, [label])
        assert open_png(tmp_path / name).table["label"].to_pylist() == [label]


def test_words_as_labels_are_unquoted_and_become_classes(make: Any, twelve: Path) -> None:
    make.write_table(twelve / "12.csv", ["big cat", "dog"] * 6)
    assert "|big cat|" in (twelve / "12.csv").read_text()
    source = open_png(twelve)
    assert source.schema.classes == {"label": ("big cat", "dog")}


@pytest.mark.parametrize(("mark", "row"), [("\ufeff", "{}\r\n"), ("", "{}\n"), ("", "|{}|\n\n"), ("", "{}\r\r\n")])
def test_line_ends_marks_and_quotes_do_not_matter(twelve: Path, mark: str, row: str) -> None:
    text = mark + "".join(row.format(number) for number in range(12))
    (twelve / "12.csv").write_bytes(text.encode())
    assert open_png(twelve).table["label"].to_pylist() == list(range(12))


@pytest.mark.parametrize(
    ("name", "labels", "message"),
    [
        ("12.csv", range(11), r"12\.csv: 11 labels for 12 images"),
        ("12.csv", range(13), r"12\.csv: 13 labels for 12 images"),
        ("12.csv", [*range(11), "NaN"], r"such as 'NaN': 1 \('11\.png'\)"),
        ("12.csv", [*range(11), "1.5"], r"such as '1\.5': 1 \('11\.png'\)"),
        ("12.csv", [*range(11), "x"], r"such as 'x': 1 \('11\.png'\)"),
        ("10.csv", range(10), r"no 12\.csv .* for 11 \('0\.png', '1\.png', .*CSV files here: 1 \('10\.csv'\)"),
    ],
)
def test_labels_that_do_not_match_are_counted_and_named(make: Any, twelve: Path, name: str, labels: Any, message: str) -> None:
    make.write_table(twelve / name, labels)
    with pytest.raises(LabelMismatchError, match=message):
        open_png(twelve)


def test_a_table_of_an_image_holds_one_label(make: Any, twelve: Path) -> None:
    for number in range(12):
        make.write_table(twelve / f"{number}.csv", [1, 2] if number == 4 else [1])
    with pytest.raises(LabelMismatchError, match=r"4\.csv: 2 labels for one image"):
        open_png(twelve)


def test_a_row_holds_one_label(twelve: Path) -> None:
    (twelve / "12.csv").write_text("1 2\n" * 12)
    with pytest.raises(LabelMismatchError, match="rows with more than a label: 12"):
        open_png(twelve)


def test_other_files_are_left_out_and_counted(make: Any, twelve: Path) -> None:
    make.write_table(twelve / "12.csv", range(12))
    (twelve / "notes.txt").touch()
    (twelve / "007.png").touch()
    (twelve / "inner").mkdir()
    (twelve / "inner" / "0.png").touch()
    source = open_png(twelve)
    assert len(source) == 12
    assert {(each.path, each.reason) for each in source.report.skipped} == {
        ("notes.txt", "no image suffix"),
        ("007.png", "not a numbered PNG"),
        ("inner/0.png", "not a numbered PNG"),
    }


def test_a_table_that_is_a_link_is_not_read(make: Any, twelve: Path) -> None:
    make.write_table(twelve.parent / "outside.csv", range(12))
    (twelve / "12.csv").symlink_to("../outside.csv")
    with pytest.raises(LabelMismatchError, match=r"no 12\.csv"):
        open_png(twelve)


def test_only_folders_with_both_kinds_of_files_are_recognised(make: Any, twelve: Path) -> None:
    assert not TutorialPng.recognises(twelve)
    make.write_table(twelve / "labels.csv", range(12))
    assert not TutorialPng.recognises(twelve)
    make.write_table(twelve / "3.csv", range(12))
    assert TutorialPng.recognises(twelve)
    assert not TutorialPng.recognises(twelve / "3.csv")


def test_images_that_cannot_be_read_are_said_to_be_missing(tmp_path: Path) -> None:
    (tmp_path / "0.png").symlink_to("/etc/passwd")
    os.mkfifo(tmp_path / "1.png")
    (tmp_path / "0.csv").write_text("1\n")
    with pytest.raises(NotAStoreError, match="no numbered PNG"):
        open_png(tmp_path)
