"""Reading taken apart: every part is there, none is below 0, and together they are the whole."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import pixstore
from pixstore.bench.lab.parts import LoaderParts, PillowParts, files_in_order, mixes_channels
from pixstore.bench.ways import catalog
from pixstore.bench.ways.base import Work
from pixstore.bench.ways.ours import STORE


def work(shape: tuple[int, ...] = (40, 30, 3), count: int = 24, dtype: str = "uint8") -> Work:
    return Work(np.random.default_rng(0).integers(0, 256, (count, *shape)).astype(dtype), np.arange(count))


@pytest.mark.parametrize("name", ["packed/png", "lmdb/raw", "files/png"])
@pytest.mark.parametrize("shape", [(40, 30, 3), (40, 30)])
def test_our_stages_end_with_all_of_reading(name: str, shape: tuple[int, ...], tmp_path: Path) -> None:
    images = work(shape)
    catalog.find(name, None, 1).store_many(tmp_path, images)
    with pixstore.open(tmp_path / STORE) as dataset:
        found = LoaderParts(dataset, "image", images.order, 8, 16).measure()
    assert set(found) == {"decode", "fetch", "check", "batch", "transform"}
    assert all(part.seconds == max(0.0, part.difference) for part in found.values())
    assert sum(part.difference for part in found.values()) == pytest.approx(found["transform"].stage_seconds)
    assert found["decode"].stage_seconds > 0


def test_sixteen_bits_are_taken_apart_too(tmp_path: Path) -> None:
    images = work(dtype="uint16")
    catalog.find("packed/png", None, 1).store_many(tmp_path, images)
    with pixstore.open(tmp_path / STORE) as dataset:
        assert LoaderParts(dataset, "image", images.order, 8, 16).measure()["transform"].stage_seconds > 0


def test_a_source_has_nothing_to_check(photos: Path) -> None:
    with pixstore.open(photos) as dataset:
        found = LoaderParts(dataset, "image", np.array([3, 0, 7, 2]), 2, 8).measure()
    assert set(found) == {"decode", "fetch", "batch", "transform"}


@pytest.mark.parametrize("name", ["tutorial-png", "hand-files"])
def test_files_by_hand_are_taken_apart_step_by_step(name: str, tmp_path: Path) -> None:
    images = work(count=12)
    catalog.find(name, None, 1).store_many(tmp_path, images)
    files = files_in_order(tmp_path)
    assert len(files) == 12
    assert np.array_equal(np.asarray(Image.open(files[11])), images.images[11])
    found = PillowParts(files, 5, 16).measure()
    assert list(found) == ["fetch", "decode", "transform", "batch"]
    assert all(part.seconds > 0 for part in found.values())
    assert found["batch"].stage_seconds == pytest.approx(sum(part.seconds for part in found.values()))


def test_images_of_mixed_channels_are_made_rgb(mixed_work: Work, tmp_path: Path) -> None:
    assert mixes_channels(mixed_work.images) and not mixes_channels(mixed_work.images[:2]) and not mixes_channels(work().images)
    ours, by_hand = tmp_path / "ours", tmp_path / "by hand"
    for folder, name in ((ours, "packed/png"), (by_hand, "hand-files")):
        folder.mkdir()
        catalog.find(name, None, 1).store_many(folder, mixed_work)
    with pixstore.open(ours / STORE) as dataset:
        assert LoaderParts(dataset, "image", mixed_work.order, 4, 4, is_mixed=True).measure()["transform"].stage_seconds > 0
    assert PillowParts(files_in_order(by_hand), 4, 4, is_mixed=True).measure()["batch"].stage_seconds > 0
