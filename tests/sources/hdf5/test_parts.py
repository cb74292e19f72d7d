"""Images of several datasets are one source: in place where every one is, and each that fails is named."""

from __future__ import annotations

import importlib
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pyarrow as pa
import pytest

from pixstore.errors import CorruptRecordError, LimitExceededError, StoreTruncatedError
from pixstore.rows import Extents
from pixstore.schema import Field, Format, Schema
from pixstore.source import SourceReport
from pixstore.sources.hdf5 import parts as hdf5_parts
from pixstore.sources.hdf5.parts import Hdf5Parts, Images, images_of

sys.path.append(str(Path(__file__).parents[1]))
facts_of = importlib.import_module("hdf5_facts").facts_of
WIDE = Format("raw", (4, 5, 3), "uint16")


def parts_in(path: Path, datasets: dict[str, Any], **storage: Any) -> list[Images]:
    with h5py.File(path, "w") as file:
        for name, values in datasets.items():
            file.create_dataset(name, data=values, **storage)
    facts = facts_of(path)
    return [images_of(facts, facts.node(name), WIDE, count=len(values), size=120, is_stack=True) for name, values in datasets.items()]


def stacks(dtype: str = "<u2") -> dict[str, Any]:
    values = np.arange(9 * 60, dtype=dtype).reshape(9, 4, 5, 3)
    return {"a": values[:2], "b": values[2:3], "c": values[3:]}


class Parts(Hdf5Parts):
    name = "parts"
    recognises = open = None  # type: ignore[assignment]


def source_of(parts: list[Images]) -> Parts:
    Parts.__abstractmethods__ = frozenset()
    count = sum(part.count for part in parts)
    table = pa.table({"key": [str(row) for row in range(count)]})
    return Parts(Schema((Field(),)), table, SourceReport(), parts, "here")


@pytest.mark.parametrize(
    ("dtype", "storage", "in_place"),
    [("<u2", {}, True), ("<u2", {"chunks": (1, 4, 5, 3)}, True), (">u2", {}, False), ("<u2", {"compression": "gzip"}, False)],
)
def test_rows_go_through_all_datasets_in_any_order(tmp_path: Path, dtype: str, storage: dict[str, Any], in_place: bool) -> None:
    source = source_of(parts_in(tmp_path / "a.h5", stacks(dtype), **storage))
    expected = np.concatenate(list(stacks("<u2").values()))
    rows = np.array([8, 0, 2, 3, 1, 8], np.int64)
    assert [bytes(each) for each in source.read("image", rows).place] == [expected[row].tobytes() for row in rows]  # type: ignore[union-attr]
    located = source.locate("image", rows)
    assert (located is not None) == in_place
    if located is not None:
        assert isinstance(located.place, Extents) and list(located.place.paths) == [str(tmp_path / "a.h5")]


def test_data_within_headers_are_little_endian_too(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        properties.set_layout(h5py.h5d.COMPACT)
        kind = h5py.h5t.py_create(np.dtype(">u2"))
        made = h5py.h5d.create(file.id, b"a", kind, h5py.h5s.create_simple((2, 4, 5, 3)), properties)
        h5py.Dataset(made)[...] = stacks()["a"]
    facts = facts_of(tmp_path / "a.h5")
    found = images_of(facts, facts.node("a"), WIDE, count=2, size=120, is_stack=True)
    assert [bytes(each) for each in found.read(np.array([1, 0]))] == [stacks()["a"][row].tobytes() for row in (1, 0)]


def test_one_image_that_fails_is_named_and_takes_no_other_with_it(tmp_path: Path) -> None:
    parts = parts_in(tmp_path / "a.h5", stacks(), chunks=(1, 4, 5, 3), compression="gzip")
    assert parts[2].chunks is not None
    broken = parts[2].chunks.offset.copy()
    broken[1] += 3
    parts[2] = replace(parts[2], chunks=replace(parts[2].chunks, offset=broken))
    with pytest.raises(CorruptRecordError, match="1 records cannot be read; '4' \\(row 4\\)") as caught:
        source_of(parts).read("image", np.arange(9))
    assert [bad.row for bad in caught.value.bad_rows] == [4]


def test_each_chunk_is_unpacked_once_for_a_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    part = parts_in(tmp_path / "a.h5", {"a": np.zeros((64, 4, 5, 3), "<u2")}, chunks=(16, 4, 5, 3), compression="gzip")[0]
    read: list[int] = []
    real = hdf5_parts.Chunks._chunk
    monkeypatch.setattr(hdf5_parts.Chunks, "_chunk", lambda self, file, number: read.append(number) or real(self, file, number))
    source_of([part]).read("image", np.random.default_rng(0).permutation(64))
    assert sorted(read) == [0, 1, 2, 3]


def test_what_the_file_does_not_hold_is_refused_before_it_is_read(tmp_path: Path) -> None:
    parts_in(tmp_path / "a.h5", stacks())
    facts = facts_of(tmp_path / "a.h5")
    with pytest.raises(LimitExceededError, match="'a' has images of 2000000000 bytes"):
        images_of(facts, facts.node("a"), WIDE, count=1, size=2_000_000_000, is_stack=True)
    with pytest.raises(StoreTruncatedError, match="'a' needs"):
        images_of(facts, replace(facts.node("a"), shape=(900, 4, 5, 3)), WIDE, count=900, size=120, is_stack=True)
    with pytest.raises(StoreTruncatedError, match="'a' needs 240 bytes, 0 are there"):
        images_of(facts, replace(facts.node("a"), offset=None), WIDE, count=2, size=120, is_stack=True)
