"""Lists: what is written comes back, whatever names hold; what was changed is refused."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixstore.errors import BadRow, CorruptStoreError
from pixstore.jobs.lists import BAD, DUPLICATES, Duplicate, read_bad, read_duplicates, write_bad, write_duplicates

TEXT = st.text(st.characters(exclude_categories=["Cs"]))


@given(st.lists(st.builds(BadRow, st.integers(0, 1 << 40), TEXT, TEXT, TEXT)))
def test_bad_rows_come_back_as_they_were(tmp_path_factory: pytest.TempPathFactory, rows: list[BadRow]) -> None:
    folder = tmp_path_factory.getbasetemp()
    write_bad(folder, rows, durable=False)
    assert read_bad(folder) == rows and (folder / BAD).exists() == bool(rows)


@given(st.lists(st.builds(Duplicate, st.integers(0, 1 << 40), TEXT, TEXT)))
def test_duplicates_come_back_as_they_were(tmp_path_factory: pytest.TempPathFactory, rows: list[Duplicate]) -> None:
    folder = tmp_path_factory.getbasetemp()
    write_duplicates(folder, rows, durable=False)
    assert read_duplicates(folder) == rows and (folder / DUPLICATES).exists() == bool(rows)


def test_list_is_csv_with_a_header(tmp_path: Path) -> None:
    write_bad(tmp_path, [BadRow(3, 'a "b",\nc', "a.png", "cut off")], durable=True)
    with open(tmp_path / BAD, newline="", encoding="utf-8") as file:
        assert list(csv.reader(file)) == [["key", "row", "place", "reason"], ['a "b",\nc', "3", "a.png", "cut off"]]


def test_place_that_is_no_text_is_escaped(tmp_path: Path) -> None:
    write_bad(tmp_path, [BadRow(0, "a", "\udcff.png", "cut off")], durable=False)
    assert read_bad(tmp_path) == [BadRow(0, "a", "\\udcff.png", "cut off")]


@pytest.mark.parametrize("text", [b"", b"a,b\n", b"key,row,place,reason\na,b,c,d\n", b"key,row,place,reason\na,1\n", b"\xff"])
def test_list_that_was_changed_is_refused(tmp_path: Path, text: bytes) -> None:
    (tmp_path / BAD).write_bytes(text)
    with pytest.raises(CorruptStoreError, match=r"bad\.csv: not as it was written"):
        read_bad(tmp_path)
