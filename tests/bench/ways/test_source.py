from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import pixstore
from pixstore.bench.check import difference
from pixstore.bench.images import from_source
from pixstore.bench.ways.base import Work
from pixstore.bench.ways.source import SourceWay
from pixstore.errors import InvalidInputError


def test_photos_are_read_where_they_lie(photos: Path, tmp_path: Path) -> None:
    sample = from_source(photos, 8)
    assert sample.dataset is not None
    way, work = SourceWay(sample.dataset, sample.image_field, 1), sample.work(8)
    assert difference(way.read_many(tmp_path, work), work, np.arange(8)) is None
    assert difference(way.read_shuffled(tmp_path, work), work, work.order) is None
    assert difference(way.read_one(tmp_path, work), work, np.arange(1)) is None
    used = way.usage(tmp_path, work)
    assert used is not None
    assert used.apparent == sum(path.stat().st_size for path in photos.rglob("*.jpg"))
    with pytest.raises(InvalidInputError, match="only read"):
        way.store_many(tmp_path, work)
    sample.close()


def test_images_that_share_a_file_have_no_size_of_their_own(work: Work, tmp_path: Path) -> None:
    with pixstore.Writer(tmp_path / "store", codec="raw") as writer:
        writer.add_batch(work.images, label=work.labels)
    sample = from_source(tmp_path / "store", 6)
    assert sample.dataset is not None
    assert SourceWay(sample.dataset, "image", 1).usage(tmp_path, sample.work(6)) is None
    sample.close()


def test_built_in_images_lie_nowhere(photos: Path, work: Work, tmp_path: Path) -> None:
    sample = from_source(photos, 8)
    assert sample.dataset is not None
    with pytest.raises(InvalidInputError, match="needs a SOURCE"):
        SourceWay(sample.dataset, "image", 1).read_many(tmp_path, work)
    sample.close()
