"""Records that come a group at a time: any order, each group once in order, little memory held."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from pixstore.errors import CorruptStoreError, RowNotFoundError, SchemaError
from pixstore.rows import Slices
from pixstore.schema import Field, Schema
from pixstore.source import Source, SourceOptions, SourceReport
from pixstore.sources import grouped
from pixstore.sources.foreign_file import state_of
from pixstore.sources.grouped import GroupedSource, slices_of

COUNTS = (3, 2, 4)
VALUES = [b"a", b"bb", None, b"", b"ccc", b"d", b"ee", b"f", b"gggg"]


class Groups(GroupedSource):
    name = "groups"
    loaded: list[int]

    @classmethod
    def recognises(cls, path: Path) -> bool:
        return False

    @classmethod
    def open(cls, path: Path, options: SourceOptions) -> Source:
        table = pa.table({"key": [str(row) for row in range(len(VALUES))]})
        states = {str(path): state_of(path)}
        opened = cls(Schema((Field(),)), table, SourceReport(), paths=[str(path)] * 3, counts=COUNTS, states=states, lacking=["image"])
        opened.loaded = []
        return opened

    def load_group(self, field: str, group: int) -> Slices:
        self.loaded.append(group)
        start = sum(COUNTS[:group])
        return slices_of(pa.chunked_array([pa.array(VALUES[start : start + COUNTS[group]], pa.binary())]))


@pytest.fixture
def source(tmp_path: Path) -> Groups:
    (tmp_path / "file").write_bytes(b"x")
    opened = Groups.open(tmp_path / "file", SourceOptions())
    assert isinstance(opened, Groups)
    return opened


def read(source: Groups, rows: list[int]) -> list[bytes | None]:
    place = source.read("image", np.array(rows, np.int64)).place
    assert isinstance(place, Slices)
    return [None if view is None else bytes(view) for view in place.views()]


def test_rows_come_in_any_order_with_repeats_and_what_is_missing(source: Groups) -> None:
    for rows in ([8, 0, 4, 2, 8, 3], [1, 0], [], list(range(9))):
        assert read(source, rows) == [VALUES[row] for row in rows]


def test_a_group_is_loaded_once(source: Groups) -> None:
    for row in range(9):
        read(source, [row])
    assert source.loaded == [0, 1, 2]


def test_little_is_held(source: Groups, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grouped, "KEPT_BYTES", 4)
    read(source, [0, 4, 8])
    read(source, [8])
    assert source.loaded == [0, 1, 2], "the last one is held, whatever its size"
    read(source, [0])
    assert source.loaded == [0, 1, 2, 0]
    source.close()
    read(source, [0])
    assert source.loaded[-1] == 0 and len(source.loaded) == 5


def test_absent_are_the_rows_without_a_record(source: Groups) -> None:
    assert source.absent("image", np.array([8, 2, 0, 2])).tolist() == [1, 3]


def test_what_is_asked_wrongly_is_refused(source: Groups) -> None:
    with pytest.raises(RowNotFoundError):
        source.read("image", np.array([9]))
    with pytest.raises(SchemaError):
        source.locate("mask", np.array([0]))


def test_a_group_with_another_count_is_refused(source: Groups, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "_counts", (3, 2, 5))
    with pytest.raises(CorruptStoreError, match="4 records where its own counts say 5"):
        read(source, [8])
