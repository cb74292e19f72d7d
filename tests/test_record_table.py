"""RecordTable: each row's format as it was written, found for many rows at once."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixstore.errors import CorruptStoreError
from pixstore.record_table import RecordTable, extents_of, impossible_places, least_length, missing_places
from pixstore.schema import Format
from pixstore.shard import RecordColumns, write_table

PATH = Path("store/shards/x.arrow")

shapes = st.lists(st.integers(0, 300), max_size=5).map(tuple) | st.none()
formats = st.builds(Format, st.sampled_from(["raw", "png", "jpeg", None]), shapes, st.sampled_from(["uint8", "uint16", "float32", None]))


def table_of(rows: list[Format | None], paths: tuple[str, ...] = ("shards/x.bin",)) -> RecordTable:
    """Return the table of records with these formats, None where one is missing, as it is read from a file."""
    count = len(rows)
    known = list(dict.fromkeys(each for each in rows if each is not None)) or [Format("raw", (1,), "uint8")]
    numbers = np.array([0 if each is None else known.index(each) for each in rows], np.int32)
    length = np.array([-1 if each is None else 10 for each in rows], np.int64)
    file = np.where(length < 0, -1, np.arange(count) % len(paths)).astype(np.int32)
    columns = RecordColumns(paths, file, np.arange(count, dtype=np.int64), length, np.arange(count, dtype=np.uint64), known, numbers)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "x.arrow"
        write_table(place, {"key": pa.array([f"{row:08}" for row in range(count)])}, {"image": columns})
        with pa.ipc.open_file(place.read_bytes()) as reader:
            return RecordTable(reader.get_batch(0)["image"], PATH)


@given(st.lists(formats, min_size=1, max_size=6), st.data())
def test_formats_are_those_that_were_written(known: list[Format], data: st.DataObject) -> None:
    rows = data.draw(st.lists(st.sampled_from(known), min_size=1, max_size=20))
    asked = np.array(data.draw(st.lists(st.integers(0, len(rows) - 1), max_size=20)), np.int64)
    found, index = table_of(rows).formats(asked)
    assert [found[number] for number in index.tolist()] == [rows[row] for row in asked.tolist()]
    assert len(set(found)) == len(found)


def test_missing_records_are_named_and_lie_nowhere() -> None:
    table = table_of([None, Format("png", (2, 2), "uint8"), None])
    assert missing_places(table, np.array([2, 1, 0])).tolist() == [0, 2]
    assert table.is_located and table.file.tolist() == [-1, 0, -1]


def test_extents_name_only_files_that_hold_a_record() -> None:
    table = table_of([Format("png", (2, 2), "uint8")] * 6, ("shards/a", "shards/b", "shards/c"))
    extents = extents_of(table, np.array([5, 3, 2, 0]), "root/")
    assert [extents.paths[number] for number in extents.file] == [f"root/shards/{name}" for name in "caca"]
    assert sorted(extents.paths) == ["root/shards/a", "root/shards/c"] and extents.offset.tolist() == [5, 3, 2, 0]


@pytest.mark.parametrize("path", ["shards/../../x", "shards/..", "elsewhere/x", "/etc/hostname", "", "shards/a\0b", "shards/a/../../../x"])
@pytest.mark.parametrize("others", [(), ("shards/sound",)])
def test_a_file_outside_the_store_is_refused(path: str, others: tuple[str, ...]) -> None:
    with pytest.raises(CorruptStoreError, match="outside the store"):
        table_of([Format("png", (2, 2), "uint8")] * 2, (*others, path))


def test_more_dimensions_than_an_array_has_are_refused() -> None:
    table = table_of([Format("raw", (1,) * 33, "uint8"), Format("raw", (1,), "uint8")])
    with pytest.raises(CorruptStoreError, match="33 dimensions"):
        table.formats(np.arange(2))


def test_records_too_short_for_their_shape_are_found() -> None:
    known = [Format("raw", (10, 10), "uint8"), Format("png", (200, 200), "uint8"), Format("tiff", (99, 99), "uint8")]
    assert [least_length(each) for each in known] == [100, 3, 0]
    length = np.array([99, 100, 2, 3, 0])
    assert impossible_places(known, np.array([0, 0, 1, 1, 2], np.int32), length).tolist() == [0, 2]
    assert impossible_places(known[:1], None, length).tolist() == [0, 2, 3, 4]
