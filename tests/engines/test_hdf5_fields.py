from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from pixstore.engines import hdf5_fields
from pixstore.engines.hdf5 import ENGINE
from pixstore.engines.hdf5_fields import is_array
from pixstore.schema import Field, Format, Schema
from pixstore.testing import EngineConformance, batch, noise, packed_records


def suite() -> EngineConformance:
    conformance = EngineConformance()
    conformance.engine = ENGINE  # type: ignore[misc]
    return conformance


@pytest.mark.parametrize("appended", [1, 7, 40, 1000])
@pytest.mark.parametrize("gaps", [False, True], ids=["whole", "with gaps"])
def test_rows_come_back_however_they_fall_into_chunks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, appended: int, gaps: bool) -> None:
    monkeypatch.setattr(hdf5_fields, "CHUNK_BYTES", 1000)
    raw = Format("raw", (10, 3), "uint8")
    stored = [None if gaps and row % 11 == 5 else noise(30, row) for row in range(1000)]
    parts = [stored[first : first + appended] for first in range(0, 1000, appended)]
    batches = [batch(number * appended, image=packed_records(part, raw)) for number, part in enumerate(parts)]
    shard = suite().write(tmp_path, Schema((Field("image", "raw", (10, 3), "uint8"),)), batches)
    suite().check(shard)
    with h5py.File(shard.path) as file:
        assert file["image"].chunks == (33, 10, 3)
        assert [row.tobytes() for row in file["image"][:]] == [each or bytes(30) for each in stored]


@pytest.mark.parametrize(
    ("codec", "shape", "dtype", "expected"),
    [
        ("raw", (32, 32, 3), "uint8", True),
        ("raw", (), "bool", True),
        ("png", (32, 32, 3), "uint8", False),
        ("raw", None, None, False),
        ("raw", (0, 2), "uint8", False),
        ("raw", (2,), "complex64", False),
        ("raw", (1 << 20, 1 << 12), "uint8", False),
    ],
)
def test_only_plain_arrays_of_one_shape_make_a_dataset(
    codec: str, shape: tuple[int, ...] | None, dtype: str | None, expected: bool
) -> None:
    assert is_array(Field("image", codec, shape, dtype)) is expected


def test_a_small_shard_is_a_small_file(tmp_path: Path) -> None:
    raw = Format("raw", (32, 32, 3), "uint8")
    schema = Schema((Field("image", "raw", raw.shape, raw.dtype),))
    shard = suite().write(tmp_path, schema, [batch(0, image=packed_records([bytes(3072)], raw))])
    assert shard.path.stat().st_size < 3072 + 8192


def test_rows_without_a_record_are_zeros_and_listed_however_many(tmp_path: Path) -> None:
    stored = [bytes(range(1, 11)) if row % 7 == 0 else None for row in range(30_000)]
    schema = Schema((Field("image", "raw", (10,), "uint8"),))
    shard = suite().write(tmp_path, schema, [batch(0, image=packed_records(stored, Format("raw", (10,), "uint8")))])
    with h5py.File(shard.path) as file:
        assert file["image"].attrs["missing"].tolist() == [row for row in range(30_000) if row % 7]
        assert not file["image"][1].any() and file["image"][7].all()


def test_other_records_lie_in_one_byte_dataset_per_flush_and_none_crosses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hdf5_fields, "FLUSH_BYTES", 10_000)
    stored = [noise(700, row) for row in range(50)]
    batches = [batch(row, image=packed_records([stored[row]])) for row in range(20)] + [batch(20, image=packed_records(stored[20:]))]
    shard = suite().write(tmp_path, Schema(), batches)
    suite().check(shard)
    with h5py.File(shard.path) as file:
        assert {name: len(each) for name, each in file["image/bytes"].items()} == {"00000": 9800, "00001": 4200, "00002": 21_000}
        assert all(each.chunks is None and each.dtype == np.uint8 for each in file["image/bytes"].values())
        for row, (number, offset, length) in enumerate(file["image/index"][:].tolist()):
            assert file[f"image/bytes/{number:05}"][offset : offset + length].tobytes() == stored[row]
