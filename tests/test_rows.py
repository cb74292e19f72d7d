"""Where records lie: slices of one buffer, extents of files."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from pixstore.rows import Extents, JoinedPaths, Records, Slices
from pixstore.schema import Format


@given(st.lists(st.one_of(st.none(), st.binary(max_size=6)), max_size=12))
def test_records_end_to_end_come_back_and_missing_ones_are_none(records: list[bytes | None]) -> None:
    data = b"".join(each for each in records if each is not None)
    slices = Slices.end_to_end(data, np.array([-1 if each is None else len(each) for each in records], np.int64))
    assert [None if view is None else bytes(view) for view in slices.views()] == records and len(slices) == len(records)


def test_views_copy_nothing() -> None:
    data = np.arange(10, dtype=np.uint8)
    view = Slices(data, np.array([2]), np.array([3])).views()[0]
    data[2] = 99
    assert view is not None and bytes(view) == bytes([99, 3, 4])


def test_lengths_are_numbers_of_records() -> None:
    extents = Extents(["a"], np.zeros(3, np.uint32), np.zeros(3, np.int64), np.zeros(3, np.int64))
    records = Records(extents, [Format("raw", (), "uint8")], np.zeros(3, np.int32), lambda place: (place, "", ""))
    assert len(extents) == len(records) == 3


def test_joined_paths_are_a_sequence_of_text() -> None:
    names = pa.array(["a.png", "b/é.png", ""])
    paths = JoinedPaths("/data/", names)
    assert list(paths) == ["/data/a.png", "/data/b/é.png", "/data/"]
    assert list(paths[1:]) == ["/data/b/é.png", "/data/"]
    for kind in (pa.string(), pa.large_string()):
        prefix, data, offsets = JoinedPaths("/d/", names.cast(kind).slice(1, 1)).parts()
        assert prefix + bytes(memoryview(data))[offsets[0] : offsets[1]] == "/d/b/é.png".encode()
    assert JoinedPaths("/d/", names.slice(3)).parts()[2].tolist() == [0]
