"""metadata.csv and metadata.jsonl: further columns, typed, in the order of the images, one row for each."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pixstore.errors import LabelMismatchError
from pixstore.schema import type_to_name
from pixstore.sources.folders.metadata import read_metadata

KEYS = ["a.png", "b.png", "sub/c.png"]


def read(root: Path, notes: list[str] | None = None, keys: list[str] = KEYS, files: tuple[str, ...] | None = None) -> dict[str, list[Any]]:
    found = files or tuple(str(path.relative_to(root)) for path in sorted(root.rglob("metadata.*")))
    return {name: column.to_pylist() for name, column in read_metadata(root, found, keys, notes if notes is not None else []).items()}


def test_a_csv_gives_typed_columns_in_the_order_of_the_images(tmp_path: Path) -> None:
    (tmp_path / "metadata.csv").write_bytes(
        "\ufefffile_name,text,count,score,good,empty\r\n"
        'sub/c.png,three,3,,TRUE,\r\n./a.png,one,1,0.5,true,\r\nb.png,"two, or\n2",,2,False,\r\n'.encode()
    )
    assert read(tmp_path) == {
        "text": ["one", "two, or\n2", "three"],
        "count": [1, None, 3],
        "score": [0.5, 2.0, None],
        "good": [True, False, True],
        "empty": [None, None, None],
    }


def test_jsonl_keeps_its_types_and_nests_as_json_text(tmp_path: Path) -> None:
    rows = [
        {"file_name": "a.png", "n": 1, "tags": ["x", "y"], "objects": {"bbox": [[1, 2]]}, "mixed": 1},
        {"file_name": "b.png", "n": None, "tags": [], "objects": None, "mixed": "é"},
        {"file_name": "sub/c.png", "tags": None, "objects": {}, "mixed": None, "late": "2020-01-01"},
    ]
    (tmp_path / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n\n")
    notes: list[str] = []
    assert read(tmp_path, notes) == {
        "n": [1, None, None],
        "tags": [["x", "y"], [], None],
        "objects": ['{"bbox": [[1, 2]]}', None, "{}"],
        "mixed": ["1", '"é"', None],
        "late": [None, None, "2020-01-01"],
    }
    assert len(notes) == 2 and "'objects'" in notes[0] and "'mixed'" in notes[1]


def test_columns_are_of_types_that_a_store_can_keep(tmp_path: Path) -> None:
    (tmp_path / "metadata.csv").write_text("file_name,day,t\na.png,2020-01-01,00:01\nb.png,2020-01-02,00:02\n")
    for column in read_metadata(tmp_path, ["metadata.csv"], KEYS[:2], []).values():
        assert type_to_name(column.type) == "string"


def test_each_split_has_its_own_file_relative_to_itself(tmp_path: Path) -> None:
    for split in ("train", "test"):
        (tmp_path / split).mkdir()
        (tmp_path / split / "metadata.csv").write_text(f"file_name,from\n1.png,{split}\n")
    assert read(tmp_path, keys=["test/1.png", "train/1.png"]) == {"from": ["test", "train"]}


def test_names_that_are_taken_or_unusable_are_changed_and_noted(tmp_path: Path) -> None:
    (tmp_path / "metadata.csv").write_text("file_name,key,image,two words,1st\na.png,1,2,3,4\n")
    notes: list[str] = []
    assert list(read(tmp_path, notes, ["a.png"])) == ["metadata_key", "metadata_image", "two_words", "metadata_1st"]
    assert len(notes) == 4


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("metadata.csv", "file_name,n\na.png,1\nb.png,2\n", r"images without a row: 1 \('sub/c.png'\)"),
        ("metadata.csv", "file_name,n\na.png,1\nb.png,2\nsub/c.png,3\nd.png,4\n", r"rows without an image: 1 \('d.png'\)"),
        ("metadata.csv", "file_name,n\na.png,1\na.png,2\nb.png,2\nsub/c.png,3\n", r"more than one row: 1 \('a.png'\)"),
        ("metadata.csv", "file_name,n\na.png,1,9\nb.png,2\nsub/c.png,3\n", r"other than 2 cells: 1 \('a.png'\)"),
        ("metadata.csv", "name,n\na.png,1\n", "'file_name' among them"),
        ("metadata.csv", "file_name,n,n\na.png,1,1\n", "each once"),
        ("metadata.csv", "", "name the columns"),
        ("metadata.csv", 'file_name\n"a\n', "not a readable CSV"),
        ("metadata.csv", "file_name,n\n,1\n", "a row without 'file_name'"),
        ("metadata.jsonl", '{"file_name": "a.png"}\n{"n": 1}\n', "a row without 'file_name'"),
        ("metadata.jsonl", '{"file_name": 3}\n', "a row without 'file_name'"),
        ("metadata.jsonl", '{"file_name": "a.png"}\nnope\n', "line 2 is not JSON"),
        ("metadata.jsonl", "[1]\n", "line 1 is not a JSON object"),
        ("metadata.jsonl", '{"file_name": "a.png", "n": ' + "[" * 100_000 + "\n", "line 1 is not JSON"),
    ],
)
def test_metadata_that_does_not_match_says_how(tmp_path: Path, name: str, content: str, message: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(LabelMismatchError, match=message) as caught:
        read(tmp_path)
    assert name in str(caught.value)


def test_two_files_for_one_image_are_refused(tmp_path: Path) -> None:
    (tmp_path / "metadata.csv").write_text("file_name,n\na.png,1\n")
    (tmp_path / "metadata.jsonl").write_text('{"file_name": "a.png", "n": 2}\n')
    with pytest.raises(LabelMismatchError, match=r"'a\.png' has a row in another metadata file"):
        read(tmp_path, keys=["a.png"])


def test_images_that_no_metadata_file_covers_are_counted(tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "metadata.csv").write_text("file_name,n\n1.png,1\n")
    with pytest.raises(LabelMismatchError, match=r"images without a row in train/metadata.csv: 1 \('test/1.png'\)"):
        read(tmp_path, keys=["test/1.png", "train/1.png"])


def test_huge_integers_become_text(tmp_path: Path) -> None:
    (tmp_path / "metadata.jsonl").write_text('{"file_name": "a.png", "n": ' + "9" * 30 + "}\n")
    assert read(tmp_path, keys=["a.png"]) == {"n": ["9" * 30]}


def test_wrongly_described_columns_whose_names_become_one_are_both_kept(tmp_path: Path) -> None:
    (tmp_path / "metadata.csv").write_text("file_name,a b,a_b\n1.png,1,2\n")
    notes: list[str] = []
    columns = read_metadata(tmp_path, ["metadata.csv"], ["1.png"], notes)
    assert {name: column.to_pylist() for name, column in columns.items()} == {"a_b": [1], "metadata_a_b": [2]} and len(notes) == 2
