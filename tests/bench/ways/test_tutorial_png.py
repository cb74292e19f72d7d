from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

import pixstore
from pixstore.bench.check import difference
from pixstore.bench.ways.base import Work
from pixstore.bench.ways.tutorial_png import WAY


def test_many_images_are_numbered_files_and_one_csv(work: Work, tmp_path: Path) -> None:
    WAY.store_many(tmp_path, work)
    assert sorted(path.name for path in tmp_path.iterdir()) == [*(f"{number}.png" for number in range(6)), "6.csv"]
    assert (tmp_path / "6.csv").read_text() == "3\n1\n4\n1\n5\n9\n"
    with Image.open(tmp_path / "2.png") as image:
        assert np.array_equal(np.array(image), work.images[2])
    assert difference(WAY.read_many(tmp_path, work), work, np.arange(6)) is None
    assert difference(WAY.read_shuffled(tmp_path, work), work, work.order) is None


def test_one_image_has_its_own_csv(work: Work, tmp_path: Path) -> None:
    WAY.store_one(tmp_path, work)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0.csv", "0.png"]
    assert difference(WAY.read_one(tmp_path, work), work, np.arange(1)) is None


def test_images_of_several_sizes_and_grey_ones_come_back(mixed_work: Work, tmp_path: Path) -> None:
    WAY.store_many(tmp_path, mixed_work)
    assert difference(WAY.read_many(tmp_path, mixed_work), mixed_work, np.arange(4)) is None


def test_our_source_reads_its_files(work: Work, tmp_path: Path) -> None:
    WAY.store_many(tmp_path, work)
    with pixstore.open(tmp_path) as dataset:
        assert np.array_equal(dataset[:]["image"], work.images)
        assert list(dataset[:]["label"]) == work.labels.tolist()
