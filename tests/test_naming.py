"""A source in words, as arguments and as files, however it was named."""

from __future__ import annotations

from pathlib import Path

import pytest

from pixstore import naming
from pixstore.errors import PathNotFoundError


def test_words_and_arguments_name_the_same_source() -> None:
    both = {"image": "photos", "mask": Path("masks")}
    assert naming.source_words("a.h5::/x") == "a.h5::/x" and naming.source_words(both) == "image=photos mask=masks"
    assert naming.source_arguments("-photos", {}) == ["./-photos"]
    stated: naming.Stated = {"channel_order": "bgr", "unmatched": "skip", "label_from": None}
    said = ["--channel-order=bgr", "--unmatched=skip"]
    assert naming.source_arguments(both, stated) == ["--field", "image=photos", "--field", "mask=masks", *said]
    assert naming.said_of({"unmatched": "refuse"}) == {}


def test_files_are_those_that_addresses_name(tmp_path: Path) -> None:
    for number in range(2):
        (tmp_path / f"{number}.tar").touch()
    files = naming.files_named({"image": tmp_path / "{0..1}.tar", "mask": f"{tmp_path}/a.h5::/masks"})
    assert files == {"image": (tmp_path / "0.tar", tmp_path / "1.tar"), "mask": (tmp_path / "a.h5",)}
    assert naming.files_named(tmp_path) == {"": (tmp_path,)}
    with pytest.raises(PathNotFoundError, match=r"2\.tar"):
        naming.files_named(tmp_path / "{0..2}.tar")


def test_absolute_keeps_what_is_named_within(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert naming.absolute("a.h5::/x") == f"{tmp_path}/a.h5::/x"
    assert naming.absolute({"image": "i", "mask": "m"}) == {"image": f"{tmp_path}/i", "mask": f"{tmp_path}/m"}
