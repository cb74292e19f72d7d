"""Rows of bytes are found where HDF5 has put them, and a heap that contradicts itself is damage."""

from __future__ import annotations

import importlib
import struct
import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pixstore.errors import CorruptStoreError, PixstoreError, UnsupportedImageError
from pixstore.schema import Format
from pixstore.sources.hdf5.heap import rows_of
from pixstore.sources.hdf5.parts import Images

sys.path.append(str(Path(__file__).parents[1]))
facts_of = importlib.import_module("hdf5_facts").facts_of
ENCODED = Format(None, None, None)


def written(path: Path, rows: list[bytes], **storage: Any) -> Path:
    with h5py.File(path, "w") as file:
        storage = {name: (min(len(rows), value),) if name == "chunks" else value for name, value in storage.items()}
        made = file.create_dataset("rows", (len(rows),), h5py.vlen_dtype(np.uint8), **storage)
        for number, row in enumerate(rows):
            made[number] = np.frombuffer(row, np.uint8)
    return path


def rows_in(path: Path) -> Images:
    file = facts_of(path)
    return rows_of(file, file.node("rows"), ENCODED)


@settings(max_examples=40)
@given(
    st.lists(st.binary(max_size=3000), min_size=1, max_size=30), st.sampled_from([{}, {"chunks": 4}, {"chunks": 7, "compression": "gzip"}])
)
def test_rows_are_those_that_hdf5_reads(tmp_path_factory: pytest.TempPathFactory, rows: list[bytes], storage: dict[str, Any]) -> None:
    path = written(tmp_path_factory.getbasetemp() / "rows.h5", rows, **storage)
    found = rows_in(path)
    content = path.read_bytes()
    assert found.offsets is not None
    places = zip(found.offsets.tolist(), found.length.tolist(), strict=True)
    assert [content[offset : offset + length] for offset, length in places] == rows
    assert [bytes(row) for row in found.read(np.arange(len(rows)))] == rows


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (0, b"GCOX", "no heap of rows"),
        (4, b"\x09", "no heap of rows"),
        (8, struct.pack("<Q", 1 << 40), "no heap of rows"),
        (16, struct.pack("<H", 9), "row 0 of 'rows' has no bytes"),
        (24, struct.pack("<Q", 1 << 40), "contradicts itself"),
        (24, struct.pack("<Q", 96), "row 0 of 'rows' has no bytes|contradicts itself"),
    ],
)
def test_a_heap_that_contradicts_itself_is_damage(tmp_path: Path, place: int, value: bytes, message: str) -> None:
    path = written(tmp_path / "a.h5", [b"x" * 100, b"y" * 100])
    file = facts_of(path)
    content = bytearray(path.read_bytes())
    start = content.index(b"GCOL") + place
    content[start : start + len(value)] = value
    path.write_bytes(content)
    with pytest.raises(CorruptStoreError, match=message):
        rows_of(file, file.node("rows"), ENCODED)


def test_a_row_that_points_out_of_the_file_is_damage(tmp_path: Path) -> None:
    path = written(tmp_path / "a.h5", [b"x" * 100])
    file = facts_of(path)
    place = file.node("rows").offset
    content = bytearray(path.read_bytes())
    struct.pack_into("<Q", content, place + 4, 1 << 50)
    path.write_bytes(content)
    with pytest.raises(CorruptStoreError, match=f"rows lie at byte {1 << 50}"):
        rows_of(file, file.node("rows"), ENCODED)


def test_rows_within_headers_are_refused(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        properties.set_layout(h5py.h5d.COMPACT)
        kind = h5py.h5t.py_create(h5py.vlen_dtype(np.uint8), logical=True)
        h5py.h5d.create(file.id, b"rows", kind, h5py.h5s.create_simple((2,)), properties)
        h5py.Dataset(file["rows"].id)[0] = np.zeros(3, np.uint8)
    with pytest.raises(UnsupportedImageError, match="within the file's headers"):
        rows_in(tmp_path / "a.h5")


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 1 << 20), st.integers(0, 255)), min_size=1, max_size=6))
def test_damage_is_other_bytes_or_one_of_our_errors(tmp_path_factory: pytest.TempPathFactory, faults: list[tuple[int, int]]) -> None:
    path = written(tmp_path_factory.getbasetemp() / "damaged.h5", [b"x" * 50, b"y" * 5000, b""])
    file = facts_of(path)
    content = bytearray(path.read_bytes())
    for place, byte in faults:
        content[place % len(content)] = byte
    path.write_bytes(content)
    try:
        found = rows_of(file, file.node("rows"), ENCODED)
    except PixstoreError as error:
        assert str(path) in str(error)
    else:
        assert found.offsets is not None and np.all(found.offsets + found.length <= len(content))
