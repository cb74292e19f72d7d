"""The parquet engine: the conformance suite, row groups, and damage."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest

import pixstore
from pixstore.engines import parquet
from pixstore.engines.arrow_size import GROUP_BYTES
from pixstore.errors import CorruptStoreError
from pixstore.schema import Schema
from pixstore.testing import EngineConformance, batch, noise, packed_records


class TestConformance(EngineConformance):
    engine = parquet.ENGINE


def test_row_groups_have_about_a_mebibyte_however_rows_are_handed_in(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    writer = parquet.ENGINE.create(path, Schema(), durable=False, max_bytes=1 << 30)
    sizes = [100_000] * 25 + [3 << 20] + [50] * 200
    for first in range(0, len(sizes), 7):
        writer.append(batch(first, image=packed_records([noise(size, first + row) for row, size in enumerate(sizes[first : first + 7])])))
    writer.seal()
    metadata = pyarrow.parquet.ParquetFile(path).metadata
    groups = [metadata.row_group(number).total_byte_size for number in range(metadata.num_row_groups)]
    assert all(each <= GROUP_BYTES + 200_000 for each in groups if each < 3 << 20) and 3 <= len(groups) <= 5


def test_other_readers_see_plain_columns(tmp_path: Path) -> None:
    with pixstore.Writer(tmp_path / "s", engine="parquet", codec="png") as writer:
        writer.add_batch(np.zeros((3, 2, 2), np.uint8), key=list("abc"))
    file = pyarrow.parquet.ParquetFile(next((tmp_path / "s/shards").glob("*.parquet")))
    assert file.schema.names == ["key", "image"] and file.metadata.row_group(0).column(1).compression == "UNCOMPRESSED"


@pytest.mark.parametrize("cut", [10, 2000])
def test_a_file_that_is_cut_off_is_refused(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "a.parquet"
    writer = parquet.ENGINE.create(path, Schema(), durable=False, max_bytes=1 << 30)
    writer.append(batch(0, image=packed_records([noise(5000, 1)])))
    writer.seal()
    path.write_bytes(path.read_bytes()[:-cut])
    with pytest.raises(CorruptStoreError, match=r"a\.parquet.*Parquet refuses it"):
        parquet.ENGINE.open(path, Schema())
