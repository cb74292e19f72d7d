from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pixstore.bench.ways.base import Work
from pixstore.bench.ways.hand_memmap import WAY
from pixstore.errors import InvalidInputError


def test_images_and_labels_are_two_npy_files(work: Work, tmp_path: Path) -> None:
    WAY.store_many(tmp_path, work)
    assert np.array_equal(np.load(tmp_path / "images.npy"), work.images)
    assert np.array_equal(np.load(tmp_path / "labels.npy"), work.labels)


def test_what_was_read_is_a_copy_that_outlives_the_files(work: Work, tmp_path: Path) -> None:
    WAY.store_many(tmp_path, work)
    reader = WAY.reader(tmp_path, work)
    for rows in (np.arange(2, 5), np.array([5, 1])):
        images = np.asarray(reader.read(rows).images)
        assert images.flags.owndata
        assert np.array_equal(images, np.asarray(work.images)[rows])


def test_images_of_several_sizes_are_refused(mixed_work: Work, tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="hand-lmdb"):
        WAY.store_many(tmp_path, mixed_work)
