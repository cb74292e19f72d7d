from __future__ import annotations

from pathlib import Path

import lmdb
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixstore.bench.check import difference
from pixstore.bench.images import from_source
from pixstore.bench.ways.base import Work
from pixstore.bench.ways.hand_lmdb import FILE, HEADER, HandLmdb, HandLmdbReader, assemble, key_of, map_bytes, records
from pixstore.errors import CorruptStoreError


def test_values_are_a_header_and_the_bytes_under_keys_that_sort(work: Work, tmp_path: Path) -> None:
    HandLmdb().store_many(tmp_path, work)
    with lmdb.open(str(tmp_path / FILE), subdir=False, readonly=True, lock=False) as environment, environment.begin() as transaction:
        items = list(transaction.cursor())
    assert [key for key, _ in items] == [key_of(number) for number in range(6)]
    assert HEADER.unpack_from(items[2][1]) == (4, b"|u1\0", 8, 6, 3)
    assert items[2][1][HEADER.size :] == work.images[2].tobytes()


@pytest.mark.parametrize("sync", ["commit", "end", "never"])
@pytest.mark.parametrize("per_transaction", [1, 4, 100])
def test_images_come_back_however_they_were_committed(work: Work, tmp_path: Path, sync: str, per_transaction: int) -> None:
    way = HandLmdb(per_transaction=per_transaction, sync=sync)  # type: ignore[arg-type]
    way.store_many(tmp_path, work)
    assert difference(way.read_shuffled(tmp_path, work), work, work.order) is None


@pytest.mark.parametrize("readahead", [True, False])
@pytest.mark.parametrize("has_buffers", [True, False])
def test_images_outlive_the_reader_whatever_its_options(work: Work, tmp_path: Path, readahead: bool, has_buffers: bool) -> None:
    HandLmdb().store_many(tmp_path, work)
    reader = HandLmdbReader(tmp_path, readahead=readahead, has_buffers=has_buffers)
    found = [reader.read(rows) for rows in (np.arange(6), work.order)]
    reader.close()
    (tmp_path / FILE).unlink()
    assert [difference(each, work, rows) for each, rows in zip(found, (np.arange(6), work.order), strict=True)] == [None, None]


def test_encoded_images_are_kept_as_they_are(photos: Path) -> None:
    sample = from_source(photos, 8)
    work = sample.work(8)
    values = list(records(work))
    assert [value[HEADER.size :] for value in values] == work.encoded
    assert difference(assemble(values), work, np.arange(8)) is None
    sample.close()


@given(
    st.lists(
        st.tuples(st.sampled_from(["u1", "<u2", "<f4"]), st.sampled_from([(2, 3), (3, 2), (2, 3, 1), (1, 6, 1), (2, 3, 4)])), max_size=6
    )
)
def test_any_shapes_and_dtypes_come_back_as_they_were(kinds: list[tuple[str, tuple[int, ...]]]) -> None:
    images = [np.arange(np.prod(shape)).astype(dtype).reshape(shape) for dtype, shape in kinds]
    found = assemble(list(records(Work(images, np.arange(len(images)) - 2))))
    assert [each.dtype for each in found.images] == [image.dtype for image in images]
    assert all(np.array_equal(got, image) for got, image in zip(found.images, images, strict=True))
    assert list(found.labels) == [number - 2 for number in range(len(images))]


@pytest.mark.parametrize("side", [1, 25, 60])
def test_the_map_holds_small_images_and_large_ones_one_per_transaction(tmp_path: Path, side: int) -> None:
    work = Work(np.random.default_rng(0).integers(0, 256, (300, side, side, 3), np.uint8), np.arange(300))
    HandLmdb(per_transaction=1, sync="never").store_many(tmp_path, work)
    assert (tmp_path / FILE).stat().st_size < map_bytes(work)


def test_an_image_that_is_not_there_is_an_error(work: Work, tmp_path: Path) -> None:
    HandLmdb().store_many(tmp_path, work)
    reader = HandLmdbReader(tmp_path)
    for rows in ([0, 6], [5, 6], [7, 8, 9]):
        with pytest.raises(CorruptStoreError, match=f"of {len(rows)} images are in the environment"):
            reader.read(np.array(rows))
    reader.close()
