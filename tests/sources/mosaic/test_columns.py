"""Columns of MDS shards as Arrow arrays."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

import foreign_tables as foreign
from pixstore.errors import CorruptStoreError
from pixstore.source import SourceReport
from pixstore.sources.mosaic.columns import column_of, kept_columns
from pixstore.sources.mosaic.index import shards_in
from pixstore.sources.mosaic.shard import shard_bytes, values_in

COLUMNS = {"a": "int", "b": "uint8", "c": "str", "d": "str_int", "e": "str_float", "f": "json", "g": "bytes", "h": "pkl", "i": "png"}
ROW = {"a": struct.pack("<q", -3), "b": b"\7", "c": "ä".encode(), "d": b"12", "e": b"1.5", "f": b"[1]", "g": b"\xff", "h": b"x", "i": b"y"}


def column(tmp_path: Path, name: str, value: bytes) -> list[object]:
    path = foreign.write_mds(tmp_path / "d", COLUMNS, [{**ROW, name: value}])
    (shard,) = shards_in(path, None)
    with shard_bytes(shard) as data:
        found: list[object] = column_of(shard, name, data, values_in(shard, data)[name]).to_pylist()
    return found


@pytest.mark.parametrize(("name", "value"), [("a", -3), ("b", 7), ("c", "ä"), ("d", 12), ("e", 1.5), ("f", "[1]"), ("g", b"\xff")])
def test_each_encoding_has_its_value(tmp_path: Path, name: str, value: object) -> None:
    assert column(tmp_path, name, ROW[name]) == [value]


@pytest.mark.parametrize(("name", "value"), [("c", b"\xff"), ("d", b"x"), ("d", b"9" * 30), ("e", b"")])
def test_what_is_not_of_its_encoding_is_refused(tmp_path: Path, name: str, value: bytes) -> None:
    with pytest.raises(CorruptStoreError, match=f"column '{name}'"):
        column(tmp_path, name, value)


def test_pickles_are_not_kept(tmp_path: Path) -> None:
    (shard,) = shards_in(foreign.write_mds(tmp_path / "d", COLUMNS, [ROW]), None)
    report = SourceReport()
    assert kept_columns(shard, "i", report) == ["a", "b", "c", "d", "e", "f", "g"]
    assert "nothing is unpickled" in report.notes[0]
