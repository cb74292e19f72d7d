from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pixstore.engines.hdf5 import ENGINE
from pixstore.engines.hdf5_size import MEASURED_PARTS, MEASURED_ROWS, file_bytes
from pixstore.schema import Field, Format, Schema
from pixstore.testing import EngineConformance, batch, packed_records

HEADER_BYTES = 4096


class Shards(EngineConformance):
    engine = ENGINE


def written(folder: Path, field: Field, lengths: list[int]) -> int:
    """Return the bytes of a file that holds one field of records of these lengths."""
    form = Format(field.codec, field.shape, field.dtype)
    stored = [None if each < 0 else bytes(each) for each in lengths]
    return Shards().write(folder, Schema((field,)), [batch(0, image=packed_records(stored, form))]).path.stat().st_size


def foretold(field: Field, lengths: list[int]) -> int:
    return file_bytes([field], [np.array(lengths, np.int64)])


@pytest.mark.parametrize(("shape", "rows"), [((32, 32, 3), 10), ((32, 32, 3), 1000), ((5,), 3000), ((600, 600, 3), 3), ((2000, 1000), 2)])
def test_an_array_takes_whole_chunks(shape: tuple[int, ...], rows: int, tmp_path: Path) -> None:
    field, lengths = Field("image", "raw", shape, "uint8"), [int(np.prod(shape))] * rows
    assert abs(foretold(field, lengths) - written(tmp_path, field, lengths)) < HEADER_BYTES


def test_rows_of_an_array_without_a_record_take_their_place(tmp_path: Path) -> None:
    field = Field("image", "raw", (32, 32, 3), "uint8")
    lengths = [3072, -1] * 300
    assert abs(foretold(field, lengths) - written(tmp_path, field, lengths)) < HEADER_BYTES + 300 * 8


@pytest.mark.parametrize("most", [2, 300, 20_000])
def test_records_take_their_bytes_and_an_index_as_large_as_it_compresses(most: int, tmp_path: Path) -> None:
    lengths = np.random.default_rng(0).integers(-1, most, 1000).tolist()
    field = Field("image", "png")
    assert abs(foretold(field, lengths) - written(tmp_path, field, lengths)) < HEADER_BYTES


def test_a_long_index_is_foretold_from_parts_of_it(tmp_path: Path) -> None:
    rows = 3 * MEASURED_PARTS * MEASURED_ROWS
    # Its second half compresses, its first does not.
    lengths = np.where(np.arange(rows) < rows // 2, np.random.default_rng(0).integers(0, 200, rows), 7).tolist()
    field = Field("image", "png")
    index = written(tmp_path, field, lengths) - sum(lengths)
    assert foretold(field, lengths) - sum(lengths) == pytest.approx(index, rel=0.1)
