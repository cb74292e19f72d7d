"""Reading as each use does it."""

from __future__ import annotations

import mmap
import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

import pixstore
from pixstore.bench.advice.figures import FULL, WINDOW, Use
from pixstore.bench.advice.reading import BATCH, BATCH_BYTES, LEAST_SINGLE_READS, MOST_PASSES, Read, batches_of, cold, passes, windowed
from pixstore.bench.advice.survey import survey
from pixstore.bench.lab.caching import CacheStateError
from pixstore.bench.lab.lab import DifferenceError, Lab
from pixstore.bench.residency import files_below, residency
from pixstore.bench.ways import catalog
from pixstore.bench.ways.base import Found, Reader, Way, Work
from pixstore.bench.ways.ours import STORE, StoreReader


@pytest.fixture
def lab(arrays: Path, tmp_path: Path) -> Lab:
    return Lab(survey(arrays).sample, [], tmp_path / "lab", 2)


def blank(images: int, side: int) -> Work:
    return Work([np.zeros((side, side, 3), np.uint8)] * images, np.zeros(images, np.int64))


def test_a_batch_of_large_images_has_fewer_and_none_is_left_out() -> None:
    small, large = blank(600, 4), blank(10, 2048)
    assert [len(each) for each in batches_of(np.arange(600), small)] == [BATCH, BATCH, 88]
    sizes = [len(each) for each in batches_of(np.arange(10), large)]
    assert sum(sizes) == 10 and max(sizes) * 2048 * 2048 * 3 <= BATCH_BYTES


def test_few_images_are_read_several_times() -> None:
    assert passes(blank(10, 4)) == MOST_PASSES
    assert passes(blank(10, 2048)) == 1


@given(st.integers(1, 2000))
def test_windows_have_every_row_once(count: int) -> None:
    assert np.array_equal(np.sort(windowed(count)), np.arange(count))


@pytest.mark.parametrize("use", ["train", "browse", "archive"])
def test_seconds_are_those_of_one_image(use: str, lab: Lab) -> None:
    way = catalog.find("packed/raw", None, 2)
    read = Read(lab, way, use)  # type: ignore[arg-type]
    assert 0 < read(way).seconds < 1
    assert 0 < read(catalog.find("packed/raw@1thread", None, 2)).seconds < 1


def test_other_pixels_are_found(lab: Lab) -> None:
    way = catalog.find("packed/raw", None, 2)
    work = lab.work(len(lab.sample))
    lab.stored(way, work)
    work.images[3] += 1
    with pytest.raises(DifferenceError):
        Read(lab, way, "train")(way)


@pytest.mark.parametrize("use", ["train", "browse", "archive"])
@pytest.mark.parametrize("mode", [FULL, WINDOW])
def test_cold_reads_say_what_lay_in_memory(mode: str, use: Use, lab: Lab) -> None:
    found = cold(lab, catalog.find("packed/raw", None, 2), use, mode)
    assert found.seconds > 0 and found.proof["resident_before_pages"] <= 0.01 * found.proof["pages"] + 1


def test_browsing_from_the_medium_goes_by_slow_single_reads(lab: Lab) -> None:
    slow = Slow(0.05)
    # Two of twenty reads are slow: the mean would be a tenth of it.
    assert cold(lab, slow, "browse", FULL).seconds > 0.04
    assert slow.sizes == [1] * LEAST_SINGLE_READS


def test_opening_is_not_in_the_time_of_cold_reads(lab: Lab) -> None:
    assert cold(lab, Slow(opening=0.5), "train", FULL).seconds * len(lab.sample) < 0.5


def test_a_single_read_from_the_medium_finds_nothing_that_another_has_read_ahead(tmp_path: Path) -> None:
    with pixstore.Writer(tmp_path / "large.pixstore", durability="process") as writer:
        writer.add_batch(np.zeros((24, 256, 256, 3), np.uint8), label=np.zeros(24, np.int64))
    lab, slow = Lab(survey(tmp_path / "large.pixstore").sample, [], tmp_path / "lab", 2), Slow()
    cold(lab, slow, "browse", FULL)
    assert len(slow.resident) == LEAST_SINGLE_READS and max(slow.resident) < 0.5
    # The store of all images would not fit memory, and would be read by calls, which fetch little more than what is asked.
    proof = cold(lab, catalog.find("packed/raw", None, 2), "browse", FULL).proof
    assert proof["resident_after_pages"] < 0.5 * proof["pages"]


def test_a_read_that_would_not_be_cold_is_an_error(lab: Lab) -> None:
    with pytest.raises(CacheStateError, match="not cold between two reads"):
        cold(lab, Slow(holds=True), "browse", FULL)


class Slow(Way):
    """packed/raw, of which every tenth read and opening take so many seconds more; it sees what lies in memory before each read.

    holds: maps all of its files and lets none of their pages go.
    """

    name = "packed/raw"

    def __init__(self, seconds: float = 0.0, *, opening: float = 0.0, holds: bool = False) -> None:
        self._way = catalog.find("packed/raw", None, 2)
        self._seconds, self._opening, self._holds = seconds, opening, holds
        self._held: list[mmap.mmap] = []
        self.sizes: list[int] = []
        self.resident: list[float] = []

    def store_many(self, folder: Path, work: Work) -> None:
        self._way.store_many(folder, work)

    def read_many(self, folder: Path, work: Work) -> Found:
        return self._way.read_many(folder, work)

    def read_shuffled(self, folder: Path, work: Work) -> Found:
        return self._way.read_shuffled(folder, work)

    def reader(self, folder: Path, work: Work) -> Reader:
        time.sleep(self._opening)
        return SlowReader(
            StoreReader(pixstore.open(folder / STORE, io="pread"), self._way.threads), lambda size: self._before(folder, size)
        )

    def _before(self, folder: Path, size: int) -> None:
        if len(self.sizes) % 10 == 0:
            time.sleep(self._seconds)
        self.sizes.append(size)
        self.resident.append(residency(files_below(folder)).part or 0.0)
        for path in [Path(each) for each in files_below(folder) if self._holds and os.path.getsize(each)]:
            with path.open("rb") as file:
                self._held.append(mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ))
            assert len(self._held[-1][:]) == path.stat().st_size


class SlowReader(Reader):
    def __init__(self, reader: Reader, before: Callable[[int], None]) -> None:
        self._reader, self._before = reader, before

    def read(self, rows: NDArray[np.int64]) -> Found:
        self._before(len(rows))
        return self._reader.read(rows)

    def close(self) -> None:
        self._reader.close()
