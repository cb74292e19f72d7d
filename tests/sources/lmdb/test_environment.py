"""A database is looked at without an error whatever lies there, and opened with one that names what is wrong."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

from pixstore.errors import LimitExceededError, NotAStoreError, StoreBusyError
from pixstore.schema import Field, Format
from pixstore.source import SourceOptions
from pixstore.sources.lmdb.environment import looked_at, opened, uniform

sys.path.append(str(Path(__file__).parents[2]))
make = importlib.import_module("foreign_databases")


@pytest.mark.parametrize("content", [b"", b"text", b"\0" * 16 + b"\xde\xc0\xef\xbe" + b"\xff" * 9000])
def test_what_is_no_sound_database_has_nothing_to_look_at(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.mdb").write_bytes(content)
    with looked_at(tmp_path / "a.mdb") as sample:
        assert sample is None


def test_first_entries_are_looked_at_without_walking_the_whole(tmp_path: Path) -> None:
    make.write(tmp_path / "a", {b"%06d" % number: b"x" * 50 for number in range(5000)})
    with looked_at(tmp_path / "a") as sample:
        assert sample is not None and 0 < len(sample) < 200
        assert sample.head(0, 3) == b"xxx" and sample.small(0) == b"x" * 50
        assert sample.origin(1).endswith("data.mdb, key '000001'")


def test_a_value_too_long_for_a_label_is_refused(tmp_path: Path) -> None:
    make.write(tmp_path / "a", {b"k": bytes(1 << 17)})
    with opened(tmp_path / "a", SourceOptions()) as database, pytest.raises(LimitExceededError, match="key 'k': 131072 bytes"):
        database.small(0)


def test_a_database_written_to_while_it_is_opened_is_refused(tmp_path: Path) -> None:
    make.write(tmp_path / "a", {b"k": b"v"})
    with pytest.raises(StoreBusyError, match="was changed"), opened(tmp_path / "a", SourceOptions()):
        make.write(tmp_path / "a", {b"l": b"v"})
    with pytest.raises(NotAStoreError, match="no LMDB here"), opened(tmp_path / "absent", SourceOptions()):
        pass


def test_files_beside_it_are_found_unless_they_are_something_else(tmp_path: Path) -> None:
    make.write(tmp_path / "a", {b"k": b"v"})
    (tmp_path / "a" / "meta_info.txt").write_text("x")
    (tmp_path / "a" / "meta_info.pkl").mkdir()
    with opened(tmp_path / "a", SourceOptions()) as database:
        assert database.beside("meta_info.txt") == tmp_path / "a" / "meta_info.txt"
        assert database.beside("meta_info.pkl") is None


def test_formats_that_are_all_the_same_make_a_uniform_field() -> None:
    one, other = Format("raw-bgr", (4, 5, 3), "uint8"), Format("raw", (4, 5, 1), "uint8")
    assert uniform([one, one]) == ([one], Field(shape=(4, 5, 3), dtype="uint8", channel_order="bgr"))
    assert uniform([one, other]) == ([one, other], Field(channel_order="bgr"))
    assert uniform([other]) == ([other], Field(shape=(4, 5, 1), dtype="uint8"))
