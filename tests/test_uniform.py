"""UniformRecords: what taking from arrays gives is what asking shard by shard gives, for any rows of any store."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pixstore import store, uniform
from pixstore.rows import Extents, Records
from pixstore.store import StoreRows
from pixstore.uniform import take_keys
from pixstore.writer import Writer


def facts(records: Records | None) -> list[tuple[Any, ...]]:
    """Return all that is known of each record."""
    assert records is not None and isinstance(records.place, Extents) and records.checksum is not None and records.seed is not None
    place = records.place
    paths = [place.paths[number] for number in place.file.tolist()]
    known = [records.formats[number] for number in records.format.tolist()]
    numbers = zip(place.offset.tolist(), place.length.tolist(), records.checksum.tolist(), records.seed.tolist(), strict=True)
    return [(*each, records.name(row)) for row, each in enumerate(zip(paths, known, numbers, strict=True))]


def both_ways(path: Path, rows: Any) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
    """Return the records' facts from arrays, and shard by shard."""
    opened = StoreRows(path)
    chosen = np.array(rows, np.int64)
    assert opened._uniform("image", len(rows)) is not None
    from_arrays = facts(opened.locate("image", chosen))
    opened._uniforms["image"] = None
    return from_arrays, facts(opened.locate("image", chosen))


def write(path: Path, *, engine: str, sizes: list[int], deleted: list[int], keyed: bool) -> int:
    """Write one shard of each size, in which all images have a shape of its own; return how many rows are left."""
    count = sum(sizes)
    with Writer(path, engine=engine, codec="raw", durability="process") as writer:
        row = 0
        for shard, size in enumerate(sizes):
            for _ in range(size):
                writer.add(np.full((shard % 2 + 1, 3), row, np.uint8), key=f"key {row}" if keyed else None, label=row)
                row += 1
            writer.commit()
        for number in sorted(set(deleted)):
            if number < count:
                writer.delete(f"key {number}" if keyed else f"{number:08}")
    return count - len({number for number in deleted if number < count})


stores = st.fixed_dictionaries({
    "engine": st.sampled_from(["packed", "files", "lmdb", "hdf5"]),
    "sizes": st.lists(st.integers(1, 4), min_size=1, max_size=4),
    "deleted": st.lists(st.integers(0, 15)),
    "keyed": st.booleans(),
})  # fmt: skip


@given(stores, st.data())
@settings(max_examples=25)
def test_arrays_say_what_the_shards_say(made: dict[str, Any], data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        left = write(Path(folder) / "s", **made)
        assume(left)
        rows = data.draw(st.lists(st.integers(0, left - 1), max_size=12))
        from_arrays, from_shards = both_ways(Path(folder) / "s", rows)
        assert from_arrays == from_shards and len(from_arrays) == len(rows)


@pytest.mark.parametrize("engine", ["packed", "files"])
def test_paths_of_many_files_are_made_for_the_rows_asked(tmp_path: Path, engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uniform, "MOST_LISTED_PATHS", 1)
    monkeypatch.setattr(uniform, "ASKED_TO_ALL", 0)
    write(tmp_path / "s", engine=engine, sizes=[4, 5], deleted=[2], keyed=True)
    from_arrays, from_shards = both_ways(tmp_path / "s", [7, 0, 0, 3])
    assert from_arrays == from_shards


def test_large_copies_are_not_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "one", engine="packed", sizes=[5], deleted=[], keyed=True)
    write(tmp_path / "two", engine="packed", sizes=[3, 2], deleted=[], keyed=True)
    monkeypatch.setattr(uniform, "MOST_COPIED_ROWS", 4)
    assert StoreRows(tmp_path / "one")._uniform("image", 5) is not None
    assert StoreRows(tmp_path / "two")._uniform("image", 5) is None


def test_shards_are_joined_once_enough_rows_were_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "s", engine="packed", sizes=[40, 40], deleted=[], keyed=False)
    monkeypatch.setattr(store, "FEW_ROWS", 0)
    opened = StoreRows(tmp_path / "s")
    before = facts(opened.locate("image", np.array([79, 2])))
    assert "image" not in opened._uniforms
    after = [facts(opened.locate("image", np.array([79, 2]))) for _ in range(3)]
    assert opened._uniforms["image"] is not None and after == [before] * 3


def test_samples_without_the_field_are_left_to_the_shards(tmp_path: Path) -> None:
    images = np.zeros((3, 2, 2), np.uint8)
    with Writer(tmp_path / "s", durability="process") as writer:
        writer.add_batch(images, mask=[images[0], None, images[2]])
    assert StoreRows(tmp_path / "s")._uniform("mask", 3) is None


def test_an_empty_store_has_no_records(tmp_path: Path) -> None:
    with Writer(tmp_path / "s", durability="process") as writer:
        writer.add(np.zeros((2, 2), np.uint8))
        writer.delete("00000000")
    located = StoreRows(tmp_path / "s").locate("image", np.empty(0, np.int64))
    assert located is not None and len(located) == 0


@pytest.mark.parametrize("rows", [[], [2], [1, 2, 3], [3, 2, 1], [0, 2], [1, 1, 3], [0, 2, 1, 3]])
def test_keys_come_in_the_order_asked(rows: list[int]) -> None:
    keys = pa.array(list("abcd"))
    assert take_keys(keys, np.array(rows, np.int64)).to_pylist() == ["abcd"[row] for row in rows]
