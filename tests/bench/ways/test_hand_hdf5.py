from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from pixstore.bench.check import difference
from pixstore.bench.images import from_source
from pixstore.bench.ways.base import Work
from pixstore.bench.ways.hand_hdf5 import CHUNK_BYTES, CHUNKED, FILE, GZIP, WAY, HandHdf5, chunk_rows
from pixstore.errors import InvalidInputError


@pytest.mark.parametrize(("way", "chunks", "filters"), [(WAY, None, None), (CHUNKED, (6, 8, 6, 3), None), (GZIP, (6, 8, 6, 3), "gzip")])
def test_the_dataset_is_laid_out_as_the_name_says(
    work: Work, tmp_path: Path, way: HandHdf5, chunks: tuple[int, ...] | None, filters: str | None
) -> None:
    way.store_many(tmp_path, work)
    with h5py.File(tmp_path / FILE, "r") as file:
        images = file["images"]
        assert (images.shape, images.chunks, images.compression, images.shuffle) == ((6, 8, 6, 3), chunks, filters, filters is not None)
        assert file["labels"].dtype == np.int64


def test_chunks_are_a_few_hundred_kilobytes() -> None:
    images = np.zeros((5000, 32, 32, 3), np.uint8)
    assert CHUNK_BYTES / 2 < chunk_rows(images) * images[0].nbytes <= CHUNK_BYTES
    assert chunk_rows(np.zeros((2, 1000, 1000, 3), np.uint8)) == 1


def test_few_rows_of_many_come_back_in_the_order_asked(tmp_path: Path) -> None:
    work = Work(np.random.default_rng(0).integers(0, 256, (200, 2, 3, 1), np.uint8), np.arange(200))
    WAY.store_many(tmp_path, work)
    reader = WAY.reader(tmp_path, work)
    for rows in ([150, 3, 3, 90], [7, 190], [10, 12, 11, 14], [20, 22, 23]):
        assert difference(reader.read(np.array(rows)), work, np.array(rows)) is None
    reader.close()


def test_flushing_in_between_changes_nothing(work: Work, tmp_path: Path) -> None:
    way = HandHdf5("hand-hdf5", flush_every=4)
    way.store_many(tmp_path, work)
    assert difference(way.read_many(tmp_path, work), work, np.arange(6)) is None


def test_encoded_images_of_several_sizes_are_byte_strings_and_say_so(photos: Path, tmp_path: Path) -> None:
    sample = from_source(photos, 8)
    work = sample.work(8)
    WAY.store_many(tmp_path, work)
    with h5py.File(tmp_path / FILE, "r") as file:
        assert [each.tobytes() for each in file["images"]] == work.encoded
    assert WAY.title(work) == "HDF5, by hand, encoded bytes"
    sample.close()


@pytest.mark.parametrize("way", [WAY, CHUNKED, GZIP])
def test_arrays_of_several_sizes_are_refused(mixed_work: Work, tmp_path: Path, way: HandHdf5) -> None:
    with pytest.raises(InvalidInputError, match=f"{way.name} keeps one array"):
        way.store_many(tmp_path, mixed_work)
