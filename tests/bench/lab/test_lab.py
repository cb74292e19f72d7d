from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pixstore.bench.images import Sample, built_in, from_source
from pixstore.bench.lab import whole
from pixstore.bench.lab.lab import MOST_IMAGES, DifferenceError, Lab, kept_bytes
from pixstore.bench.lab.question import Observed, Trial
from pixstore.bench.ways import catalog
from pixstore.bench.ways.base import Found, Way
from pixstore.bench.ways.source import SourceWay
from pixstore.errors import InvalidInputError, StoreFullError

RAW, HDF5 = (catalog.find(name, None, 2) for name in ("packed/raw", "tutorial-hdf5"))


def lab(folder: Path, *, sample: Sample | None = None, max_disk_bytes: int | None = None) -> Lab:
    return Lab(built_in(30) if sample is None else sample, [RAW, HDF5], folder / "lab", 2, max_disk_bytes)


def trial(way: Way, images: int) -> Trial:
    return Trial(way.name, images, {}, lambda: Observed(1.0))


def test_cells_work_on_fewer_images_where_these_are_large(tmp_path: Path) -> None:
    assert lab(tmp_path).count() == MOST_IMAGES
    large = np.zeros((2, 1000, 1000, 3), np.uint8)
    here = lab(tmp_path, sample=Sample("large", "folder", 2, large, np.arange(2)))
    assert here.count() == 21
    assert here.count(most_bytes=1) == 8
    assert len(here.work(21)) == 21


def test_cells_share_their_stores_until_the_question_ends(tmp_path: Path) -> None:
    here = lab(tmp_path)
    work = here.work(10)
    assert here.work(10) is work
    place = here.stored(RAW, work)
    assert here.stored(RAW, work) == place != here.stored(HDF5, work)
    assert here.stored(RAW, here.work(20)) != place
    assert here.storing_seconds > 0
    here.clear()
    assert list((tmp_path / "lab").iterdir()) == []
    assert here.stored(RAW, here.work(10)) != place


def test_half_a_store_is_removed(tmp_path: Path) -> None:
    here = lab(tmp_path)
    work = replace(here.work(10), images=np.full((10, 2, 2, 3), "no pixels", object))
    for _ in range(2):
        with pytest.raises(InvalidInputError, match="8-bit"):
            here.stored(HDF5, work)
    assert list((tmp_path / "lab").iterdir()) == []


def test_a_work_that_is_gone_leaves_its_store_to_no_other(tmp_path: Path) -> None:
    here = lab(tmp_path)
    places = {here.stored(RAW, here.sample.work(images)) for images in range(1, 20)}
    assert len(places) == 19


def test_fresh_folders_have_names_of_their_own(tmp_path: Path) -> None:
    here = lab(tmp_path)
    first, second = here.fresh("a/b"), here.fresh("a/b")
    assert first != second and first.is_dir()
    here.remove(first)
    assert not first.exists() and second.is_dir()


def test_what_was_read_is_compared_with_what_was_stored(tmp_path: Path) -> None:
    here = lab(tmp_path)
    work, rows = here.work(10), np.array([3, 1])
    here.check(RAW, Found(np.asarray(work.images)[rows], work.labels[rows]), work, rows)
    with pytest.raises(DifferenceError, match="the read-back differs from the input: image 3 came back with"):
        here.check(RAW, Found(np.asarray(work.images)[rows] ^ np.uint8(1), work.labels[rows]), work, rows)


def test_stores_beyond_the_disk_allowed_are_refused(tmp_path: Path) -> None:
    here = lab(tmp_path, max_disk_bytes=70_000)
    here.stored(RAW, here.work(10))
    with pytest.raises(StoreFullError, match=r"a store of about 30\.7 kB beside .* would pass the 70 kB of --max-disk"):
        here.stored(HDF5, here.work(10))
    here.clear()
    here.stored(HDF5, here.work(10))


def test_a_question_is_refused_where_its_stores_would_not_fit(tmp_path: Path) -> None:
    here = lab(tmp_path, max_disk_bytes=70_000)
    assert here.reason_to_refuse([trial(RAW, 20), trial(RAW, 20), trial(RAW, 2)]) is None
    assert here.reason_to_refuse([Trial(RAW.name, 10**9, {}, lambda: Observed(1.0), load=1.0)]) is None
    reason = here.reason_to_refuse([trial(RAW, 20), trial(HDF5, 20)])
    assert reason == "not measured: its stores would need about 123 kB, more than the 70 kB of --max-disk"


def test_a_fresh_folder_is_refused_where_what_comes_into_it_has_no_room(tmp_path: Path) -> None:
    here = lab(tmp_path, max_disk_bytes=70_000)
    work = here.work(20)
    here.stored(RAW, work)
    with pytest.raises(StoreFullError, match="--max-disk"):
        here.fresh("another", kept_bytes(HDF5, work))
    with pytest.raises(StoreFullError, match="--max-disk"):
        whole.store(here, HDF5, work, lambda place: {})
    assert here.fresh("empty").is_dir()


def test_what_is_kept_encoded_needs_no_room_decoded(tmp_path: Path) -> None:
    images = np.zeros((8, 100, 100, 3), np.uint8)
    keep, raw = (catalog.find(name, None, 2) for name in ("packed/keep", "packed/raw"))
    sample = Sample("photos", "folder", 8, images, np.arange(8), [b"jpeg" * 100] * 8, np.arange(8), codec="jpeg")
    here = Lab(sample, [keep, raw], tmp_path / "lab", 2, 100_000)
    assert here.reason_to_refuse([Trial(keep.name, 8, {}, lambda: Observed(1.0))]) is None
    assert here.reason_to_refuse([Trial(raw.name, 8, {}, lambda: Observed(1.0))])
    # Eight images read five times over are eight images in the store.
    assert here.reason_to_refuse([Trial(keep.name, 400, {}, lambda: Observed(1.0))])
    assert here.reason_to_refuse([Trial(keep.name, 400, {}, lambda: Observed(1.0), stored_images=8)]) is None


def test_few_files_of_a_source_are_not_read_again_and_again(tmp_path: Path, photos: Path) -> None:
    sample = from_source(photos, 8)
    assert sample.dataset is not None
    source = SourceWay(sample.dataset, sample.image_field, 2)
    here = Lab(sample, [source, RAW], tmp_path / "lab", 2)
    assert here.reason_to_leave_out(trial(source, 8)) is None
    assert "not measured: there are 8 images for 9;" in str(here.reason_to_leave_out(trial(source, 9)))
    assert here.reason_to_leave_out(trial(RAW, 9)) is None
    sample.close()
