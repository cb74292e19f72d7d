"""A consumer waits for what is not there in time, and for nothing else."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import pixstore
from pixstore.bench.images import Sample
from pixstore.bench.lab.consumer import COMPARED, consume, made_ahead
from pixstore.bench.lab.lab import Lab
from pixstore.bench.ways import catalog
from pixstore.bench.ways.base import Found
from pixstore.bench.ways.ours import STORE
from pixstore.bench.ways.source import SourceWay
from pixstore.errors import InvalidInputError


def batches(count: int, seconds: float = 0.0, images: int = 10) -> Iterator[Found]:
    """Yield batches that take so long to be made once they are asked for."""
    for number in range(count):
        time.sleep(seconds)
        yield Found([np.zeros((1, 1), np.uint8)] * images, [number] * images)


def test_a_consumer_that_is_fed_in_time_does_not_wait() -> None:
    taken = consume(batches(100), 100, 0.3, 0.0)
    assert taken.waiting_share < 0.2
    assert taken.rate <= 100 * (1 + 1e-6)
    assert taken.images >= 30


def test_a_consumer_waits_for_what_takes_longer_than_its_own_work() -> None:
    taken = consume(batches(100, 0.02), 1000, 0.3, 0.0)
    # Making a batch takes 20 ms and computing on one 10 ms, both at once: half of the time is waited, more on a busy machine.
    assert 0.45 <= taken.waiting_share < 1
    assert taken.waited + taken.images / 1000 == pytest.approx(taken.seconds)


def test_no_time_is_left_out() -> None:
    started = time.perf_counter()
    taken = consume(batches(100, 0.001), math.inf, math.inf, 0.0)
    gone = time.perf_counter() - started
    assert 0.5 * gone <= taken.seconds <= gone


def test_a_consumer_without_a_demand_takes_all_there_is() -> None:
    taken = consume(batches(20, 0.001), math.inf, math.inf, 0.0)
    assert taken.images == 190 and taken.waiting_share == pytest.approx(1)


def test_what_was_made_before_does_not_count() -> None:
    def slow_after_ten() -> Iterator[Found]:
        yield from batches(10)
        yield from batches(10, 0.02)

    counted = consume(slow_after_ten(), 2000, 0.1, 0.04)
    assert counted.waiting_share > consume(slow_after_ten(), 2000, 0.1, 0.0).waiting_share


def test_some_batches_are_kept_and_the_rest_are_not() -> None:
    taken = consume(batches(20), math.inf, math.inf, 0.0)
    assert [batch.labels[0] for batch in taken.kept] == list(range(COMPARED))


def test_one_batch_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="too few batches"):
        consume(batches(1), 1000, 1.0, 0.0)


@pytest.mark.parametrize("name", ["packed/png", "hand-lmdb", "source"])
def test_batches_are_those_of_the_rows_asked_for(name: str, tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (12, 8, 6, 3), np.uint8)
    sample = Sample("images", "folder", 12, images, np.arange(12) % 5)
    if name == "source":
        stored = tmp_path / "as it lies"
        stored.mkdir()
        catalog.find("packed/png", None, 1).store_many(stored, sample.work(12))
        sample.dataset, sample.rows = pixstore.open(stored / STORE), np.arange(12)
    source = None if sample.dataset is None else SourceWay(sample.dataset, "image", 1)
    way = catalog.find(name, source, 2)
    lab = Lab(sample, [way], tmp_path / "lab", 2)
    work = lab.work(12)
    rows = np.array([3, 3, 11, 0, 7, 1, 2])
    with made_ahead(lab, way, work, rows, 3) as made:
        found = list(made)
    assert [len(each.labels) for each in found] == [3, 3, 1]
    for number, each in enumerate(found):
        lab.check(way, each, work, rows[number * 3 : number * 3 + 3])
    sample.close()


def test_images_of_mixed_channels_come_as_they_are(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    images = [random.integers(0, 256, shape, np.uint8) for shape in [(8, 6, 3), (5, 7), (4, 4, 3), (9, 2)]]
    lab = Lab(Sample("images", "folder", 4, images, np.arange(4)), [], tmp_path / "lab", 2)
    way, work, rows = catalog.find("packed/png", None, 2), lab.work(4), np.array([1, 0, 3, 2])
    with made_ahead(lab, way, work, rows, 4) as made:
        (found,) = made
    lab.check(way, found, work, rows)
