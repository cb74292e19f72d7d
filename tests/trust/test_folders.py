"""Every file in a shard's folder is proven, and named where it is damaged, gone, or too many."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import pixstore
from pixstore import manifest
from pixstore.trust.folders import check_folder


@pytest.fixture(params=["zarr", "tiledb", "leveldb", "rocksdb"])
def store(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    with pixstore.Writer(tmp_path / "s", engine=request.param, durability="process") as writer:
        writer.add_batch(np.zeros((5, 4, 4, 3), np.uint8))
    return tmp_path / "s"


def findings(store: Path, *, is_read: bool = True) -> list[tuple[str, str]]:
    entry = manifest.load(store).shards[0]
    return [(each.kind, each.file) for each in check_folder(store, entry, is_read=is_read)]


def test_every_file_of_a_folder_is_in_the_manifest(store: Path) -> None:
    pixels = manifest.load(store).shards[0].pixels
    assert pixels is not None and findings(store) == []
    place = store / "shards" / pixels.name
    assert {each.path: each.bytes for each in pixels.files} == {
        file.relative_to(place).as_posix(): file.stat().st_size for file in place.rglob("*") if file.is_file()
    }


def test_a_file_that_is_changed_gone_longer_or_too_many_is_named(store: Path, tmp_path: Path) -> None:
    place = next(each for each in (store / "shards").iterdir() if each.is_dir())
    file = max((each for each in place.rglob("*") if each.is_file()), key=lambda each: each.stat().st_size)
    name, data = str(file.relative_to(store)), file.read_bytes()
    file.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    assert findings(store) == [("pixels", name)] and findings(store, is_read=False) == []
    file.write_bytes(data + b"x")
    assert findings(store, is_read=False) == [("size", name)]
    file.unlink()
    assert findings(store) == [("missing", name)]
    (tmp_path / "elsewhere").write_bytes(data)
    file.symlink_to(tmp_path / "elsewhere")
    assert findings(store) == [("missing", name)], "a link is not followed"
    file.unlink()
    file.write_bytes(data)
    (place / "LOG").write_bytes(b"opened")
    assert findings(store) == [("pixels", f"{place.relative_to(store)}/LOG")] and not pixstore.verify(store, library=False).ok
