"""Of several named databases one is chosen by its address, each in the layout that it has; without a name they are listed."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest

import pixstore
from pixstore.errors import InvalidInputError, NotAStoreError
from pixstore.source import SourceOptions
from pixstore.sources import lmdb_databases

sys.path.append(str(Path(__file__).parents[1]))
make = importlib.import_module("foreign_databases")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """An environment with messages, images and words, each in a database of its own."""
    image = make.images(1)[0]
    make.write(tmp_path / "a.lmdb", {b"x": make.datum(image, 4)}, name=b"datums", subdir=False)
    make.write(tmp_path / "a.lmdb", {b"cat.png": make.encoded(image)}, name=b"images", subdir=False)
    make.write(tmp_path / "a.lmdb", {b"x": b"words"}, name=b"words", subdir=False)
    return tmp_path / "a.lmdb"


def test_each_database_opens_in_its_own_layout(path: Path) -> None:
    for name, key in (("datums", "x"), ("images", "cat.png")):
        dataset = pixstore.open(f"{path}::{name}")
        assert np.array_equal(dataset[key].image, make.images(1)[0])
    assert pixstore.open(f"{path}::datums").table["label"].to_pylist() == [4]


def test_without_a_name_those_there_are_are_listed(path: Path) -> None:
    with pytest.raises(NotAStoreError, match=r"3 \('datums', 'images', 'words'\).*a\.lmdb::datums"):
        pixstore.open(path)


def test_the_only_one_with_images_needs_no_name_and_the_others_are_told(tmp_path: Path) -> None:
    make.databases(tmp_path / "a.lmdb", 3)
    source = lmdb_databases.SOURCE.open(tmp_path / "a.lmdb", SourceOptions())
    assert source.report.notes == ["the database 'images' is read; others in the file hold no images: 1 ('about')"]
    assert np.array_equal(pixstore.open(tmp_path / "a.lmdb").read(slice(None))["image"], make.images(3))


def test_an_unknown_name_and_a_database_of_something_else_are_told(path: Path) -> None:
    with pytest.raises(NotAStoreError, match="no named database 'masks'; databases here: datums, images, words"):
        pixstore.open(f"{path}::masks")
    with pytest.raises(NotAStoreError, match=r"the database 'words' holds neither.*its keys: 1 \('x'\)"):
        pixstore.open(f"{path}::words")


def test_wrongly_described_channels_are_for_databases_of_arrays(path: Path) -> None:
    swapped = pixstore.open(f"{path}::datums", channel_order="rgb")
    assert np.array_equal(swapped["x"].image, make.images(1)[0][..., ::-1])
    with pytest.raises(InvalidInputError, match="does not take channel_order 'rgb'"):
        pixstore.open(f"{path}::images", channel_order="rgb")


def test_entries_beside_named_databases_are_reached_by_no_name(tmp_path: Path) -> None:
    image = make.images(1)[0]
    make.write(tmp_path / "a.lmdb", {b"x": make.datum(image)}, name=b"datums", subdir=False)
    make.write(tmp_path / "a.lmdb", {b"cat.png": make.encoded(image)}, subdir=False)
    with pytest.raises(NotAStoreError, match="entries beside them"):
        pixstore.open(tmp_path / "a.lmdb")
    assert pixstore.open(f"{tmp_path / 'a.lmdb'}::").table["key"].to_pylist() == ["cat.png"]
