from __future__ import annotations

from pathlib import Path

import pytest

from pixstore.engines.packed import ENGINE
from pixstore.errors import CorruptStoreError
from pixstore.schema import Field, Schema
from pixstore.testing import EngineConformance, Shard, batch, packed_records


class TestConformance(EngineConformance):
    engine = ENGINE


def write(folder: Path) -> Shard:
    records = batch(0, image=packed_records([b"one", None, b"", b"four"]))
    return TestConformance().write(folder, Schema(), [records, records])


def test_the_file_begins_with_the_records_end_to_end(tmp_path: Path) -> None:
    assert write(tmp_path).path.read_bytes().startswith(b"onefouronefour")


def test_fields_of_one_row_lie_side_by_side(tmp_path: Path) -> None:
    records = batch(0, image=packed_records([b"I1", b"I2"]), mask=packed_records([b"m1", b"m2"]))
    shard = TestConformance().write(tmp_path, Schema((Field("image"), Field("mask"))), [records])
    assert shard.path.read_bytes().startswith(b"I1m1I2m2")


def test_a_cut_file_is_refused_wherever_it_is_cut(tmp_path: Path) -> None:
    path = write(tmp_path).path
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(CorruptStoreError, match="not a whole packed shard"):
            ENGINE.open(path, Schema())


def test_a_changed_index_is_refused_or_still_gives_records_inside_the_file(tmp_path: Path) -> None:
    path = write(tmp_path).path
    whole = path.read_bytes()
    refused = 0
    for place in range(len(b"onefour") * 2, len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x11]) + whole[place + 1 :])
        try:
            reader = ENGINE.open(path, Schema())
        except CorruptStoreError:
            refused += 1
            continue
        assert sum(len(reader.read(field, [row])[0]) for field, row in present(reader)) == 14
        reader.close()
    assert refused > 50


def present(reader: object) -> list[tuple[str, int]]:
    lengths = reader._lengths  # type: ignore[attr-defined]
    return [(field, row) for column, field in enumerate(reader._fields) for row in (lengths[:, column] >= 0).nonzero()[0]]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "directory",
    [
        b"[]",
        b"{}",
        b"[" * 100_000,
        b'{"fields": ["image"], "rows": 1e9, "lengths": "<i4"}',
        b'{"fields": ["image"], "rows": 99999999999, "lengths": "<i8"}',
        b'{"fields": ["image"], "rows": -1, "lengths": "<i8"}',
    ],
    ids=["a list", "nothing", "deep", "a fraction of rows", "too many rows", "fewer rows than none"],
)
def test_a_hostile_directory_is_refused(tmp_path: Path, directory: bytes) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(directory + len(directory).to_bytes(8, "little") + b"PIXPACK1")
    with pytest.raises(CorruptStoreError, match=r"a\.bin"):
        ENGINE.open(path, Schema())
