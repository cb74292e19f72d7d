"""Shards in folders: found, ordered, with the split their names say."""

from __future__ import annotations

from pathlib import Path

import pytest

from pixstore.errors import DuplicateKeyError, NotAStoreError, PathNotFoundError
from pixstore.source import SourceReport
from pixstore.sources.archives.shard_files import Shard, has_shards, is_shard, row_keys, shards_of, split_column

SUFFIXES = (".rec",)


def touched(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")
    return folder


def found(folder: Path) -> list[tuple[str, str | None]]:
    return [(shard.stem, shard.split) for shard in shards_of(folder, (), SUFFIXES, SourceReport())]


def test_shards_are_ordered_by_number_and_named_below_the_folder(tmp_path: Path) -> None:
    touched(tmp_path, "a-10.rec", "a-9.rec", "a-11.rec", "deep/er/b.rec", "note.txt", ".hidden.rec", "_SUCCESS.rec")
    assert [stem for stem, _ in found(tmp_path)] == ["a-9", "a-10", "a-11", "deep/er/b"]


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("train-00000-of-00001.rec", "train"),
        ("Test.rec", "test"),
        ("validation/0.rec", "validation"),
        ("cats-val-1.rec", "val"),
        ("trains.rec", None),
        ("latest.rec", None),
        ("contest-1.rec", None),
    ],
)
def test_a_split_is_a_word_of_its_own_in_the_name(tmp_path: Path, name: str, split: str | None) -> None:
    assert found(touched(tmp_path, name))[0][1] == split


def test_a_split_is_a_column_only_where_every_file_has_one() -> None:
    shards = [Shard(Path("b"), "b", "train"), Shard(Path("a"), "a", "test")]
    column = split_column(shards, [2, 1])
    assert column is not None and column.to_pylist() == ["train", "train", "test"]
    assert split_column([*shards, Shard(Path("c"), "c", None)], [2, 1, 1]) is None


def test_keys_are_file_and_row() -> None:
    keys = row_keys([Shard(Path("x"), "d/x", None), Shard(Path("y"), "d/y", None)], [2, 1])
    assert keys.to_pylist() == ["d/x/00000000", "d/x/00000001", "d/y/00000000"]


def test_gaps_and_copies_are_refused(tmp_path: Path) -> None:
    touched(tmp_path / "gap", "a-00000-of-00003.rec", "a-00002-of-00003.rec")
    with pytest.raises(PathNotFoundError, match="00001"):
        found(tmp_path / "gap")
    touched(tmp_path / "copy", "a-00000.rec", "a-00000 (1).rec")
    with pytest.raises(DuplicateKeyError):
        found(tmp_path / "copy")
    with pytest.raises(NotAStoreError):
        found(touched(tmp_path / "none", "a.txt"))


def test_one_of_several_files_is_noted(tmp_path: Path) -> None:
    report = SourceReport()
    shards_of(touched(tmp_path, "a-00001-of-00003.rec") / "a-00001-of-00003.rec", (), SUFFIXES, report)
    assert len(report.notes) == 1


def test_numbers_may_follow_the_suffix(tmp_path: Path) -> None:
    assert is_shard("train.rec-00000-of-00010", SUFFIXES) and not is_shard("train.record", SUFFIXES)
    assert has_shards(touched(tmp_path, "a/b.rec"), SUFFIXES) and not has_shards(tmp_path / "absent", SUFFIXES)
    assert not has_shards(touched(tmp_path, "a/b.JPG"), SUFFIXES)
