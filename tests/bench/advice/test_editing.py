"""One edit of a store: it does what it says, and goes on from repeat to repeat."""

from __future__ import annotations

from pathlib import Path

import pytest

import pixstore
from pixstore.bench.advice.editing import Edit
from pixstore.bench.advice.survey import survey
from pixstore.bench.lab.lab import Lab
from pixstore.bench.ways import catalog


@pytest.mark.parametrize("name", ["packed/keep", "files/keep", "lmdb/keep", "hdf5/keep"])
def test_each_edit_adds_changes_and_removes_one_image(name: str, photos: Path, tmp_path: Path) -> None:
    sample = survey(photos).sample
    lab = Lab(sample, [], tmp_path / "lab", 2)
    edit = Edit(lab, catalog.find(name, None, 2))
    assert all(edit().seconds > 0 for _ in range(3))
    (store,) = (tmp_path / "lab").glob("*/images.pixstore")
    with pixstore.open(store) as dataset:
        assert len(dataset) == 12
        assert "edit-2" in dataset and "edit-1" not in dataset and "00000000" not in dataset
        assert dataset["00000001"]["label"] == 2
    sample.close()
