from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pixstore.bench.check import difference
from pixstore.bench.images import from_source
from pixstore.bench.ways import ours
from pixstore.bench.ways.base import Work
from pixstore.errors import InvalidInputError


@pytest.mark.parametrize("name", ["packed/png", "files/png", "lmdb/raw", "hdf5/raw", "packed/raw@power", "packed/png@1thread"])
def test_images_and_labels_come_back_in_order_and_shuffled(work: Work, tmp_path: Path, name: str) -> None:
    way = ours.parse(name, 2)
    way.store_many(tmp_path, work)
    assert difference(way.read_many(tmp_path, work), work, np.arange(6)) is None
    assert difference(way.read_shuffled(tmp_path, work), work, work.order) is None


def test_one_image_comes_back(work: Work, tmp_path: Path) -> None:
    way = ours.parse("packed/png", 1)
    way.store_one(tmp_path, work)
    assert difference(way.read_one(tmp_path, work), work, np.arange(1)) is None


def test_encoded_images_are_kept_as_they_are(photos: Path, tmp_path: Path) -> None:
    sample = from_source(photos, 8)
    way = ours.parse("files/keep", 1)
    work = sample.work(8)
    (tmp_path / "many").mkdir()
    way.store_many(tmp_path / "many", work)
    assert difference(way.read_shuffled(tmp_path / "many", work), work, work.order) is None
    assert work.encoded is not None
    kept = {path.read_bytes() for path in (tmp_path / "many").rglob("*.jp*g")}
    assert kept == set(work.encoded)
    (tmp_path / "one").mkdir()
    way.store_one(tmp_path / "one", work)
    assert difference(way.read_one(tmp_path / "one", work), work, np.arange(1)) is None
    sample.close()


def test_arrays_have_nothing_to_keep(work: Work, tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="use packed/raw or packed/png"):
        ours.parse("packed/keep", 1).store_many(tmp_path, replace(work, encoded=None))


def test_names_say_engine_codec_durability_and_threads() -> None:
    way = ours.parse("lmdb/raw@power@1thread", 8)
    assert (way.engine, way.codec, way.durability, way.threads) == ("lmdb", "raw", "power", 1)
    assert ours.parse("lmdb/raw", 8).threads == 8
    assert ours.parse("lmdb/raw", 8).durability == "process"


@pytest.mark.parametrize("name", ["packed", "packed/", "/png", "packed/png@fast", "../x/png", ""])
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(InvalidInputError, match="ENGINE/CODEC"):
        ours.parse(name, 1)
