"""A path is opened as what lies there, and nothing is ever created."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import pixstore
from pixstore import errors


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with pixstore.Writer(tmp_path / "s.pixstore", codec="raw") as writer:
        writer.add_batch(np.zeros((3, 2, 2, 3), np.uint8))
    return tmp_path / "s.pixstore"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "photos").mkdir()
    Image.new("RGB", (3, 2)).save(tmp_path / "photos" / "one.png")
    return tmp_path / "photos"


def test_unusable_options_are_refused(path: Path, folder: Path) -> None:
    with pytest.raises(errors.InvalidInputError, match="io 'fast'"):
        pixstore.open(path, io="fast")  # type: ignore[arg-type]
    with pytest.raises(errors.InvalidInputError, match="label_from is for folders"):
        pixstore.open(path, label_from="folder")
    with pytest.raises(errors.InvalidInputError, match="no versions"):
        pixstore.open(folder, version=1)


def test_version_that_was_opened_stays_open_in_a_pickle(path: Path) -> None:
    ds = pixstore.open(path)
    with pixstore.Writer(path, mode="a") as writer:
        writer.add(np.zeros((2, 2, 3), np.uint8))
    assert len(pixstore.open(path)) == 4 and len(pickle.loads(pickle.dumps(ds))) == 3 and len(pixstore.open(path, version=1)) == 3


def test_nothing_is_created_where_nothing_is(tmp_path: Path) -> None:
    with pytest.raises(errors.PathNotFoundError, match=r"nope\.pixstore"):
        pixstore.open(tmp_path / "nope.pixstore")
    assert list(tmp_path.iterdir()) == []


def test_listing_a_folder_tells_its_progress(folder: Path) -> None:
    told: list[tuple[int, int, int]] = []
    assert len(pixstore.open(folder, progress=lambda *counts: told.append(counts))) == 1
    assert all(counts[1:] == (0, 0) for counts in told)
