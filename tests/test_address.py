"""Addresses: paths, places within a file, sets of files."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pixstore.address import Address
from pixstore.errors import InvalidInputError, PathNotFoundError


def test_a_path_is_itself_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert Address.of("nothing/here.h5") == Address(tmp_path / "nothing" / "here.h5")


def test_what_stands_behind_two_colons_is_meant_within_the_file() -> None:
    assert Address.of("/data/a.h5::/group/images") == Address(Path("/data/a.h5"), "/group/images")
    assert Address.of("/data/a.lmdb::train") == Address(Path("/data/a.lmdb"), "train")


@pytest.mark.parametrize("text", ["", "::", "::images"])
def test_no_path_is_not_the_current_folder(text: str) -> None:
    with pytest.raises(InvalidInputError, match="names no file or folder"):
        Address.of(text)


def test_a_name_that_exists_means_that_file(tmp_path: Path) -> None:
    for name in ("a::b", "s-{0..3}.tar"):
        (tmp_path / name).touch()
        assert Address.of(tmp_path / name) == Address(tmp_path / name)


def test_a_pattern_names_its_files_in_order(tmp_path: Path) -> None:
    names = [f"s-{shard}-{part:02}.tar" for shard in (0, 1) for part in range(9, 12)]
    for name in names:
        (tmp_path / name).touch()
    found = Address.of(f"{tmp_path}/s-{{0..1}}-{{09..11}}.tar")
    assert found == Address(tmp_path / names[0], None, tuple(tmp_path / name for name in names))


@settings(max_examples=20)
@given(st.sets(st.integers(0, 30), min_size=1))
def test_every_missing_file_is_counted_and_the_first_are_named(tmp_path_factory: pytest.TempPathFactory, gone: set[int]) -> None:
    folder = tmp_path_factory.mktemp("shards")
    for number in set(range(31)) - gone:
        (folder / f"{number:04}.tar").touch()
    with pytest.raises(PathNotFoundError, match=rf"{len(gone)} of 31 files are missing: {min(gone):04}\.tar"):
        Address.of(f"{folder}/{{0000..0030}}.tar")


@pytest.mark.parametrize("pattern", ["a{5..2}.tar", "a{0..9999999}.tar", "a{0..9999}{0..9999}.tar"])
def test_a_range_that_is_none_or_names_too_much_is_refused(pattern: str) -> None:
    with pytest.raises(InvalidInputError):
        Address.of(pattern)
