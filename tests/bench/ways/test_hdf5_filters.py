"""Every filter keeps every image, and those that compress do."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from pixstore.bench import check
from pixstore.bench.ways.base import Work
from pixstore.bench.ways.hand_hdf5 import FILE, IMAGES
from pixstore.bench.ways.hdf5_filters import FILTERS, FilteredHdf5
from pixstore.errors import InvalidInputError


@pytest.mark.parametrize("chosen", FILTERS)
def test_what_is_stored_comes_back(chosen: str, work: Work, tmp_path: Path) -> None:
    way = FilteredHdf5(chosen)
    way.store_many(tmp_path, work)
    assert check.difference(way.read_shuffled(tmp_path, work), work, work.order) is None
    with h5py.File(tmp_path / FILE) as file:
        assert file[IMAGES].compression == {"no filter": None, "LZF": "lzf"}.get(chosen, "gzip")


def test_higher_levels_take_less_disk(tmp_path: Path) -> None:
    ramp = np.cumsum(np.random.default_rng(0).integers(0, 3, (20, 32, 32, 3)), axis=2).astype(np.uint8)
    sizes = {}
    for chosen in FILTERS:
        FilteredHdf5(chosen).store_many(tmp_path, Work(ramp, np.arange(20)))
        sizes[chosen] = (tmp_path / FILE).stat().st_size
    assert sizes["gzip 9"] <= sizes["gzip 4"] < sizes["gzip 1"] < sizes["no filter"]
    assert sizes["LZF"] < sizes["no filter"]


def test_images_of_mixed_sizes_are_refused(mixed_work: Work, tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="one size"):
        FilteredHdf5("gzip 4").store_many(tmp_path, mixed_work)
