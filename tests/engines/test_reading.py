"""What holds for the readers of every engine here."""

from __future__ import annotations

from pathlib import Path

import pytest

from pixstore import registry
from pixstore.engines.reading import refusals, require
from pixstore.errors import MissingRecordError, PathNotFoundError, ReadFailedError
from pixstore.schema import Schema
from pixstore.testing import EngineConformance, Shard, batch, packed_records

EVERY_ENGINE = pytest.mark.parametrize("name", registry.ENGINES)


def write(folder: Path, name: str) -> Shard:
    suite = EngineConformance()
    suite.engine = registry.engine(name)  # type: ignore[misc]
    return suite.write(folder, Schema(), [batch(0, image=packed_records([b"one", None, b"three", None]))])


@EVERY_ENGINE
def test_every_missing_record_is_named(tmp_path: Path, name: str) -> None:
    reader = registry.engine(name).open(write(tmp_path, name).path, Schema())
    with pytest.raises(MissingRecordError, match="has no 'image'") as raised:
        reader.read("image", [0, 1, 3, 2, 1])
    assert [bad.row for bad in raised.value.bad_rows] == [1, 3, 1]
    reader.close()


@EVERY_ENGINE
def test_a_shard_that_is_not_there_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(PathNotFoundError, match="nowhere"):
        registry.engine(name).open(tmp_path / "nowhere", Schema())


def test_what_is_there_is_accepted(tmp_path: Path) -> None:
    require(tmp_path.is_dir(), tmp_path)


def test_a_refused_read_names_the_file_and_the_reason(tmp_path: Path) -> None:
    with pytest.raises(ReadFailedError, match=r"a\.bin: cannot be read \(Is a directory\)"), refusals(tmp_path / "a.bin"):
        tmp_path.read_bytes()
