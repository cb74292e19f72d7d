"""Writers of folders: what is there is never written over, and a folder that was moved is not made anew."""

from __future__ import annotations

from pathlib import Path

import pytest

from pixstore import registry
from pixstore.errors import DestinationExistsError, PathNotFoundError
from pixstore.schema import Schema
from pixstore.testing import batch, packed_records

FOLDERS = pytest.mark.parametrize("name", ["zarr", "tiledb", "leveldb", "rocksdb"])


@FOLDERS
def test_a_folder_that_is_there_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "a").mkdir()
    with pytest.raises(DestinationExistsError, match="never written over"):
        registry.engine(name).create(tmp_path / "a", Schema(), durable=False, max_bytes=1)
    assert not list((tmp_path / "a").iterdir())


@pytest.mark.parametrize("name", ["zarr", "tiledb"])
def test_a_folder_that_was_moved_is_named_and_not_made_anew(tmp_path: Path, name: str) -> None:
    writer = registry.engine(name).create(tmp_path / "a", Schema(), durable=True, max_bytes=1)
    (tmp_path / "a").rename(tmp_path / "elsewhere")
    with pytest.raises(PathNotFoundError, match=str(tmp_path / "a")):
        writer.append(batch(0, image=packed_records([b"one"])))
    assert not (tmp_path / "a").exists()
