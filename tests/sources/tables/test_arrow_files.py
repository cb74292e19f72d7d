"""Arrow files and streams: batches checked, bytes found in the file."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

import foreign_tables as foreign
from pixstore.errors import CorruptStoreError, StoreTruncatedError
from pixstore.sources.archives.shard_files import Shard
from pixstore.sources.tables.arrow_files import arrow_file, batches, copied, is_arrow, places_of, read_batch
from pixstore.sources.tables.columns import ImageColumn

IMAGE = ImageColumn("image", "image", True, True)


def shard(path: Path) -> Shard:
    return Shard(path, path.stem, None)


def test_bytes_lie_where_they_are_said_to(tmp_path: Path) -> None:
    images = foreign.arrow_stream(tmp_path / "x.arrow")
    content, found = (tmp_path / "x.arrow").read_bytes(), []
    for batch, data in batches(arrow_file(shard(tmp_path / "x.arrow")), ["image"]):
        place = places_of(batch, IMAGE, data)
        assert place.offset is not None and not place.is_null.any()
        found += [content[offset : offset + length] for offset, length in zip(place.offset, place.length, strict=True)]
    assert found == images


def test_compressed_bytes_lie_nowhere_and_are_read_by_batch(tmp_path: Path) -> None:
    images = foreign.feather_file(tmp_path / "x.feather")
    file = arrow_file(shard(tmp_path / "x.feather"))
    assert all(places_of(batch, IMAGE, data).offset is None for batch, data in batches(file, ["image"]))
    assert read_batch(file, 1, IMAGE).to_pylist() == images[4:8]


def test_a_copied_table_has_its_own_memory() -> None:
    table = pa.table({"a": [1, 2], "b": ["x", None]})
    again = copied(table.slice(1))
    assert again.equals(table.slice(1))
    assert again["a"].chunk(0).buffers()[1].address != table["a"].chunk(0).buffers()[1].address


def test_ends_are_looked_at(tmp_path: Path) -> None:
    foreign.arrow_stream(tmp_path / "x.arrow")
    whole = (tmp_path / "x.arrow").read_bytes()
    (tmp_path / "x.arrow").write_bytes(whole[:-8])
    with pytest.raises(StoreTruncatedError, match="end mark"):
        list(batches(arrow_file(shard(tmp_path / "x.arrow")), ["image"]))
    (tmp_path / "empty.arrow").touch()
    with pytest.raises(CorruptStoreError, match="0 bytes"):
        arrow_file(shard(tmp_path / "empty.arrow"))
    assert is_arrow(tmp_path / "x.arrow") and not is_arrow(tmp_path / "empty.arrow")
