from __future__ import annotations

import mmap
from pathlib import Path

import lmdb
import numpy as np
import pytest

from pixstore.engines.lmdb import ENGINE
from pixstore.engines.lmdb_size import BATCH_ROWS, environment_bytes
from pixstore.schema import Schema
from pixstore.testing import EngineConformance, batch, packed_records

PAGE = mmap.PAGESIZE


class Shards(EngineConformance):
    engine = ENGINE


def written(folder: Path, lengths: list[int]) -> int:
    """Return the bytes of a file that holds records of these lengths."""
    stored = [None if each < 0 else bytes(each) for each in lengths]
    parts = [stored[first : first + BATCH_ROWS] for first in range(0, len(stored), BATCH_ROWS)]
    records = [batch(place * BATCH_ROWS, image=packed_records(part)) for place, part in enumerate(parts)]
    return Shards().write(folder, Schema(), records).path.stat().st_size


def foretold(lengths: list[int]) -> int:
    return environment_bytes([np.array(lengths, np.int64)])


def test_pages_are_as_large_as_lmdb_makes_them(tmp_path: Path) -> None:
    with lmdb.open(str(tmp_path / "any"), subdir=False, lock=False) as environment:
        assert environment.stat()["psize"] == PAGE


@pytest.mark.parametrize("length", [0, 1, 2, 99, 100, 1000, 2021, 2022, 2023, 2024, 4079, 4080, 4081, 8176, 8177, 100_000])
def test_one_transaction_of_records_of_one_length_is_foretold_to_the_page(length: int, tmp_path: Path) -> None:
    lengths = [length] * min(500, 4_000_000 // (length or 1))
    assert foretold(lengths) == written(tmp_path, lengths)


def test_one_transaction_of_records_of_any_lengths_is_foretold_to_the_page(tmp_path: Path) -> None:
    lengths = np.random.default_rng(0).integers(-1, 6000, 3000).tolist()
    assert foretold(lengths) == written(tmp_path, lengths)


def test_three_levels_and_many_transactions_are_foretold_within_a_few_pages(tmp_path: Path) -> None:
    lengths = [1] * 60_000
    assert abs(foretold(lengths) - written(tmp_path, lengths)) <= 4 * PAGE


def test_a_larger_record_costs_a_page_of_its_own_where_half_a_page_is_passed() -> None:
    assert environment_bytes([np.full(1000, 2023)], 4096) - environment_bytes([np.full(1000, 2022)], 4096) > 400 * 4096
    assert environment_bytes([np.full(1000, 2023)], 16384) == environment_bytes([np.full(1000, 2022)], 16384)
