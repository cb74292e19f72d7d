"""The JSON files of save_to_disk, read as hostile."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pixstore.errors import CorruptStoreError, PathNotFoundError, PixstoreError, UnsafeInputError
from pixstore.source import SourceReport
from pixstore.sources.tables.arrow_folder import is_saved, saved_shards, stated_counts


def saved(folder: Path, *names: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_bytes(b"x")
    (folder / "state.json").write_text(json.dumps({"_data_files": [{"filename": name} for name in names]}))
    (folder / "dataset_info.json").write_text("{}")
    return folder


def test_files_come_in_the_order_of_the_state(tmp_path: Path) -> None:
    assert is_saved(saved(tmp_path, "b.arrow", "a.arrow"))
    assert [each.stem for each in saved_shards(tmp_path)] == ["b", "a"]


def test_splits_come_in_the_order_of_the_dictionary(tmp_path: Path) -> None:
    saved(tmp_path / "z", "a.arrow")
    saved(tmp_path / "b", "a.arrow")
    (tmp_path / "dataset_dict.json").write_text('{"splits": ["z", "b"]}')
    assert is_saved(tmp_path)
    assert [(each.stem, each.split) for each in saved_shards(tmp_path)] == [("z/a", "z"), ("b/a", "b")]


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    saved(tmp_path, "a.arrow", "b.arrow")
    (tmp_path / "b.arrow").unlink()
    with pytest.raises(PathNotFoundError, match=r"1 of 2 files .*: b\.arrow"):
        saved_shards(tmp_path)


@pytest.mark.parametrize(
    "text", ["[]", "{", '{"_data_files": []}', '{"_data_files": [3]}', '{"_data_files": [{"filename": 3}]}', "[" * 100_000]
)
def test_a_state_of_another_form_is_refused(tmp_path: Path, text: str) -> None:
    saved(tmp_path, "a.arrow")
    (tmp_path / "state.json").write_text(text)
    with pytest.raises(CorruptStoreError, match=r"state\.json"):
        saved_shards(tmp_path)


@pytest.mark.parametrize("split", ["../other", "", ".", 7])
def test_splits_that_leave_the_folder_are_refused(tmp_path: Path, split: object) -> None:
    (tmp_path / "dataset_dict.json").write_text(json.dumps({"splits": [split]}))
    with pytest.raises(PixstoreError) as caught:
        saved_shards(tmp_path)
    assert isinstance(caught.value, UnsafeInputError | CorruptStoreError)


def test_other_counts_are_noted(tmp_path: Path) -> None:
    saved(tmp_path / "train", "a.arrow")
    (tmp_path / "train" / "dataset_info.json").write_text('{"splits": {"train": {"num_examples": 7}}}')
    report = SourceReport()
    stated_counts(tmp_path, {"train": 7}, report)
    assert not report.notes
    stated_counts(tmp_path, {"train": 6, None: 5}, report)
    assert "states 7 examples, and 6 are there" in report.notes[0] and len(report.notes) == 1
