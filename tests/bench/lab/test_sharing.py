from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixstore.bench.images import built_in
from pixstore.bench.lab import sharing
from pixstore.bench.ways import catalog


@pytest.mark.parametrize(
    ("cpus", "images", "counts"),
    [
        (1, 100, [1, 2]),
        (2, 100, [1, 2, 4]),
        (4, 100, [1, 2, 4]),
        (6, 100, [1, 2, 4, 6]),
        (16, 100, [1, 2, 4, 8, 16]),
        (64, 10, [1, 2, 4, 8]),
    ],
)
def test_workers_are_one_to_all_cpus_and_never_more_than_images(cpus: int, images: int, counts: list[int]) -> None:
    assert sharing.worker_counts(cpus, images) == counts


@given(st.integers(1, 100), st.integers(1, 20))
def test_every_image_is_in_one_share_and_shares_are_equal(images: int, workers: int) -> None:
    found = sharing.bounds(images, workers)
    assert [row for start, stop in found for row in range(start, stop)] == list(range(images))
    sizes = [stop - start for start, stop in found]
    assert max(sizes) - min(sizes) <= 1


@given(st.integers(1, 50), st.integers(1, 8))
def test_readers_of_one_store_read_each_row_once(images: int, workers: int) -> None:
    order = np.random.default_rng(images).permutation(images)
    shares = sharing.shares_of_one("folder", order, workers)
    assert [row for share in shares for row in share.rows] == order.tolist()
    assert {(share.start, share.stop) for share in shares} == {(0, images)}


@given(st.integers(8, 50), st.integers(1, 8))
def test_readers_of_stores_of_their_own_read_all_of_them(images: int, workers: int) -> None:
    shares = sharing.shares_apart([str(number) for number in range(workers)], images)
    for share in shares:
        assert sorted(share.rows) == list(range(share.stop - share.start))
    assert [(share.start, share.stop) for share in shares] == sharing.bounds(images, workers)


def test_a_part_is_a_work_of_its_own() -> None:
    work = built_in(10).work(10)
    part = sharing.part_of(work, 4, 7)
    assert np.array_equal(part.images, work.images[4:7]) and np.array_equal(part.labels, work.labels[4:7])
    assert part.encoded is None and part.rows is None


def test_only_ours_have_threads_of_their_own() -> None:
    ours = sharing.with_threads(catalog.find("lmdb/raw", None, 1), 3)
    assert ours is not None and (ours.name, ours.threads) == ("lmdb/raw", 3)
    assert sharing.with_threads(catalog.find("hand-lmdb", None, 1), 3) is None
