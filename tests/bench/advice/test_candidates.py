"""Which ways are measured for which images and use."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import pixstore
from pixstore.bench.advice.candidates import candidates
from pixstore.bench.advice.survey import survey
from pixstore.bench.naming import is_lossy
from pixstore.bench.ways.ours import STORE

KEPT = ["source", "packed/keep", "files/keep", "lmdb/keep", "hdf5/keep"]


def test_encoded_images_are_kept_and_decoded_pixels_shown_for_training_alone(photos: Path) -> None:
    sample = survey(photos).sample
    assert [each.way.name for each in candidates(sample, "train", 2)] == [*KEPT, "packed/raw"]
    assert [each.is_decoded for each in candidates(sample, "train", 2)] == [False] * 5 + [True]
    assert [each.way.name for each in candidates(sample, "browse", 2)] == KEPT
    sample.close()


def test_arrays_are_stored_raw_and_as_png_and_for_an_archive_as_small_as_png_gets(arrays: Path) -> None:
    sample = survey(arrays).sample
    names = [each.way.name for each in candidates(sample, "archive", 2)]
    assert names[0] == "source" and len(names) == 10
    assert names[-1] == "packed/png-9" and candidates(sample, "archive", 2)[-1].title == "packed + PNG, level 9"
    assert not any(is_lossy(name) for name in names)
    sample.close()


@pytest.mark.parametrize(
    ("dtype", "channels", "has_png"), [("float32", 3, False), ("uint8", 5, False), ("uint16", 3, True), ("uint8", 1, True)]
)
def test_arrays_that_png_cannot_hold_are_stored_raw_alone(dtype: str, channels: int, has_png: bool, tmp_path: Path) -> None:
    with pixstore.Writer(tmp_path / "arrays.pixstore", durability="process") as writer:
        writer.add_batch(np.zeros((3, 4, 5, channels), dtype))
    sample = survey(tmp_path / "arrays.pixstore").sample
    assert any(each.codec == "png" for each in candidates(sample, "archive", 2)) is has_png
    sample.close()


def test_each_way_is_also_read_with_one_thread_where_there_are_more(photos: Path) -> None:
    sample = survey(photos).sample
    assert {(each.way.threads, each.single.threads if each.single else None) for each in candidates(sample, "train", 4)} == {(4, 1)}
    assert all(each.single is None for each in candidates(sample, "train", 1))
    sample.close()


def test_the_smallest_png_takes_fewer_bytes_than_the_usual_one(tmp_path: Path) -> None:
    slope = (np.arange(64)[:, None, None] + np.arange(64)[None, :, None] + np.zeros(3)).astype(np.uint8)
    with pixstore.Writer(tmp_path / "slopes.pixstore", durability="process") as writer:
        writer.add_batch(np.stack([slope] * 4), label=[0] * 4)
    sample = survey(tmp_path / "slopes.pixstore").sample
    work, sizes = sample.work(4), []
    for each in candidates(sample, "archive", 1):
        if each.way.name in ("packed/png", "packed/png-9"):
            place = tmp_path / str(each.level)
            place.mkdir()
            each.way.store_many(place, work)
            with pixstore.open(place / STORE) as dataset:
                assert np.array_equal(dataset[:]["image"], work.images)
                sizes.append(sum(map(len, dataset.encoded_many(slice(None)))))
    assert sizes[1] < sizes[0]
    sample.close()
