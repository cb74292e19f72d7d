"""Pages are counted as LMDB itself lays records out, in the main database and in named ones."""

from __future__ import annotations

from pathlib import Path

import lmdb
import numpy as np
import pytest

from pixstore.bench.ways.base import Work
from pixstore.bench.ways.lmdb_pages import PAGE_HEADER_BYTES, PageCounts, page_counts
from pixstore.bench.ways.ours import parse
from pixstore.bench.ways.tutorial_lmdb import WAY as TUTORIAL

PAGE = 4096


def stored(folder: Path, lengths: list[int], name: bytes | None = None) -> PageCounts:
    with lmdb.open(str(folder / "made"), map_size=1 << 26, max_dbs=2) as environment:
        database = environment.open_db(name)
        with environment.begin(write=True, db=database) as transaction:
            for number, length in enumerate(lengths):
                transaction.put(b"%08d" % number, bytes(length))
    counts = page_counts(folder)
    assert counts is not None
    return counts


@pytest.mark.parametrize("name", [None, b"image"])
@pytest.mark.parametrize(
    ("length", "pages"), [(2022, 0), (2023, 1), (PAGE - PAGE_HEADER_BYTES, 1), (PAGE - PAGE_HEADER_BYTES + 1, 2), (3 * PAGE, 4)]
)
def test_record_just_over_a_page_takes_two(tmp_path: Path, length: int, pages: int, name: bytes | None) -> None:
    counts = stored(tmp_path, [length] * 10, name)
    assert counts.page_bytes == PAGE
    assert counts.overflow == 10 * pages
    assert counts.wasted_bytes == (10 * (pages * PAGE - length) if pages else 0)


def test_records_of_all_lengths_add_up(tmp_path: Path) -> None:
    lengths = np.random.default_rng(0).integers(1, 4 * PAGE, 300).tolist()
    counts = stored(tmp_path, lengths)
    large = [length for length in lengths if 16 + length > 2038]
    assert counts.overflow == sum(-(-(length + PAGE_HEADER_BYTES) // PAGE) for length in large)
    assert counts.overflow_bytes == sum(large)
    assert counts.leaf > 1
    assert counts.branch == 1


def test_both_ours_and_the_tutorial_s_are_found(tmp_path: Path) -> None:
    work = Work(np.random.default_rng(0).integers(0, 256, (6, 64, 64, 3), np.uint8), np.arange(6))
    for way, more in ((parse("lmdb/raw", 1), 0), (TUTORIAL, 1)):
        folder = tmp_path / way.name.replace("/", "-")
        folder.mkdir()
        way.store_many(folder, work)
        counts = page_counts(folder)
        assert counts is not None
        # 12,288 bytes are three pages, with the header four; a pickle is a little longer.
        assert counts.overflow == 6 * 4
        assert (counts.overflow_bytes > 6 * 12_288) == bool(more)


def test_keys_with_zero_bytes_are_records(tmp_path: Path) -> None:
    with lmdb.open(str(tmp_path / "made"), map_size=1 << 26, max_dbs=2) as environment, environment.begin(write=True) as transaction:
        for number in range(20):
            transaction.put(number.to_bytes(8, "big"), bytes(PAGE))
    counts = page_counts(tmp_path)
    assert counts is not None
    assert counts.overflow == 40


def test_no_environment_is_no_count(tmp_path: Path) -> None:
    (tmp_path / "image.png").write_bytes(b"")
    assert page_counts(tmp_path) is None
