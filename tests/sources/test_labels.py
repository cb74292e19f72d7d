"""Labels from files of labels and from keys: one integer per image, or an error that counts and names what does not match."""

from __future__ import annotations

from pathlib import Path

import pytest

from pixstore.errors import InvalidInputError, LabelMismatchError, LimitExceededError
from pixstore.sources.labels import from_expression, from_file, from_names, from_texts, read_rows, shown

KEYS = ["cats/1.png", "cats/2.png", "dogs/3.png"]


def labels_of(tmp_path: Path, content: str | bytes, keys: list[str] = KEYS) -> list[int]:
    path = tmp_path / "labels.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return list(from_file(path, keys).values.to_pylist())


def test_names_are_numbered_in_their_order() -> None:
    found = from_names(["dog", "cat", "dog"])
    assert (found.values.to_pylist(), found.classes) == ([1, 0, 1], ("cat", "dog"))


@pytest.mark.parametrize(
    "content",
    [
        "cats/1.png,7\ncats/2.png,8\ndogs/3.png,9\n",
        "file,label\ncats/1.png,7\ncats/2.png,8\ndogs/3.png,9",
        "label_id,extra,label\n1,x,7\n2,y,8\n3,z,9\n",
        "\ufeffid,label\r\n1.png,7\r\n2.png,8\r\n3.png,9\r\n",
        "3;9\n1;7\n2;8\n\n",
        "3.png\t9\n1.png\t7\n2.png\t8\n",
        "3 9\n2 8\n1 7\n",
        "./cats/1,7\ncats/2,8\ndogs/3, 9 \n",
    ],
    ids=["keys", "header", "label column", "byte-order mark and CRLF", "semicolons, stems", "tabs, names", "spaces", "keys without suffix"],
)
def test_a_label_file_is_read_in_each_common_form(tmp_path: Path, content: str) -> None:
    assert labels_of(tmp_path, content) == [7, 8, 9]


def test_labels_that_are_words_become_classes(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text("1,cat\n2,cat\n3,dog\n")
    found = from_file(path, KEYS)
    assert (found.values.to_pylist(), found.classes) == ([0, 0, 1], ("cat", "dog"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("1,7\n2,8\n", r"images without a row: 1 \('dogs/3.png'\)"),
        ("1,7\n2,8\n3,9\n4,1\n", r"rows without an image: 1 \('4'\)"),
        ("1,7\n2,8\n3,9\n3,9\n", r"images with more than one row: 1 \('dogs/3.png'\)"),
        ("1,7\n2,NaN\n3,9\n", r"no integers, such as 'NaN': 1 \('cats/2.png'\)"),
        ("1,7\n2,\n3,9\n", r"no integers, such as '': 1 \('cats/2.png'\)"),
        ("1,7\n2\n3,9\n", r"no integers, such as '': 1 \('cats/2.png'\)"),
        ("1,7\n2,1.5\n3,9\n", r"such as '1.5': 1 \('cats/2.png'\)"),
        ("1,7\n2,cat\n3,9\n", r"such as 'cat': 1 \('cats/2.png'\)"),
        ("1,7,x\n2,8,y\n3,9,z\n", "rows of 3 cells and no column named 'label'"),
        ("", "is empty"),
        ('1,"7\n', "not a readable CSV"),
        (b"1,7\xff\n", "not UTF-8"),
    ],
)
def test_a_label_file_that_does_not_match_says_how(tmp_path: Path, content: str | bytes, message: str) -> None:
    with pytest.raises(LabelMismatchError, match=message) as caught:
        labels_of(tmp_path, content)
    assert "labels.csv" in str(caught.value)


def test_a_name_that_fits_two_images_is_not_guessed(tmp_path: Path) -> None:
    with pytest.raises(LabelMismatchError, match="rows without an image"):
        labels_of(tmp_path, "1,0\n1,1\n", ["a/1.png", "b/1.png"])


def test_a_message_shows_five_names_and_the_count(tmp_path: Path) -> None:
    keys = [f"{number:03}.png" for number in range(100)]
    with pytest.raises(LabelMismatchError, match=r"images without a row: 99 \('001.png', '002.png', '003.png', '004.png', '005.png', …\)"):
        labels_of(tmp_path, "000,1\n", keys)
    assert shown(["a"]) == "1 ('a')"


def test_a_label_file_beyond_the_limit_is_not_read(tmp_path: Path) -> None:
    with open(tmp_path / "labels.csv", "wb") as file:
        file.truncate(2 << 30)
    with pytest.raises(LimitExceededError):
        from_file(tmp_path / "labels.csv", KEYS)


def test_an_expression_finds_labels_in_keys() -> None:
    assert from_expression(r"(\d+)\.png$", KEYS).values.to_pylist() == [1, 2, 3]
    found = from_expression(r"^(\w+)/", KEYS)
    assert (found.values.to_pylist(), found.classes) == ([0, 0, 1], ("cats", "dogs"))


@pytest.mark.parametrize(("expression", "message"), [("(", "regular expression"), (r"\d+", "0 groups"), (r"(a)(b)", "2 groups")])
def test_an_expression_without_one_group_is_refused(expression: str, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        from_expression(expression, KEYS)


def test_an_expression_that_misses_keys_counts_them() -> None:
    with pytest.raises(LabelMismatchError, match=r"no label in 1 \('dogs/3.png'\) of 3 keys"):
        from_expression(r"^(cats)/", KEYS)


def test_negative_and_zero_padded_integers_are_integers() -> None:
    assert from_texts(["-1", "007", "+2"], KEYS, "x").values.to_pylist() == [-1, 7, 2]


def test_quotes_and_delimiters_are_those_asked_for(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("|two words| 3\r\n5\r\n")
    assert read_rows(tmp_path / "a.csv", delimiter=" ", quote="|") == [["two words", "3"], ["5"]]
