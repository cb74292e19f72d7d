from __future__ import annotations

from pathlib import Path

import lmdb
import numpy as np
import pytest

import pixstore
from pixstore.bench.check import difference
from pixstore.bench.ways.base import Work
from pixstore.bench.ways.tutorial_lmdb import ENVIRONMENT, WAY, TutorialLmdb
from pixstore.errors import CorruptStoreError, UnsafeInputError


def test_keys_have_eight_digits_and_images_come_back(work: Work, tmp_path: Path) -> None:
    WAY.store_many(tmp_path, work)
    with lmdb.open(str(tmp_path / ENVIRONMENT), readonly=True) as environment, environment.begin() as transaction:
        assert [bytes(key) for key, _ in transaction.cursor()] == [f"{number:08}".encode() for number in range(6)]
    assert difference(WAY.read_many(tmp_path, work), work, np.arange(6)) is None
    assert difference(WAY.read_shuffled(tmp_path, work), work, work.order) is None


def test_one_image_and_mixed_sizes_come_back(work: Work, mixed_work: Work, tmp_path: Path) -> None:
    for name, those in (("one", work), ("many", mixed_work)):
        (tmp_path / name).mkdir()
        store = WAY.store_one if name == "one" else WAY.store_many
        store(tmp_path / name, those)
    assert difference(WAY.read_one(tmp_path / "one", Work(work.images[:1], work.labels[:1])), work, np.arange(1)) is None
    assert difference(WAY.read_many(tmp_path / "many", mixed_work), mixed_work, np.arange(4)) is None


def test_pickles_of_another_process_are_never_loaded(work: Work, tmp_path: Path) -> None:
    WAY.store_many(tmp_path, work)
    with pytest.raises(UnsafeInputError, match="not written by this run"):
        TutorialLmdb().read_many(tmp_path, work)
    told = TutorialLmdb(WAY.written)
    assert difference(told.read_many(tmp_path, work), work, np.arange(6)) is None


def test_an_image_that_somebody_removed_is_an_error(work: Work, tmp_path: Path) -> None:
    WAY.store_many(tmp_path, work)
    with lmdb.open(str(tmp_path / ENVIRONMENT)) as environment, environment.begin(write=True) as transaction:
        transaction.delete(b"00000003")
    with pytest.raises(CorruptStoreError, match="image 3 is not in the environment"):
        WAY.read_many(tmp_path, work)


def test_our_source_reads_its_files(work: Work, tmp_path: Path) -> None:
    WAY.store_many(tmp_path, work)
    with pixstore.open(tmp_path / ENVIRONMENT) as dataset:
        assert np.array_equal(dataset[:]["image"], work.images)
        assert list(dataset[:]["label"]) == work.labels.tolist()
