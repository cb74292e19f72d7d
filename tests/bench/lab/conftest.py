"""What the tests of questions share: samples of four kinds, and labs with few images."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import pixstore
from pixstore.bench.images import Sample, built_in, from_source
from pixstore.bench.lab.lab import MOST_BYTES, MOST_IMAGES, Lab
from pixstore.bench.ways import catalog
from pixstore.bench.ways.source import SourceWay

MakeLab = Callable[..., Lab]
KINDS = ("built-in", "photos", "grey", "16 bits")
CPUS = 2


class FewImagesLab(Lab):
    """A lab whose cells work on so many images."""

    def __init__(self, sample: Sample, names: list[str], folder: Path, images: int) -> None:
        source = None if sample.dataset is None else SourceWay(sample.dataset, sample.image_field, CPUS)
        super().__init__(sample, [catalog.find(name, source, CPUS) for name in names], folder, CPUS)
        self._images = images

    def count(self, most: int = MOST_IMAGES, most_bytes: int = MOST_BYTES) -> int:
        return self._images


@pytest.fixture
def make_lab(tmp_path: Path) -> MakeLab:
    """Return what makes a lab of a sample, the names of its ways (the lab's own where not given) and a number of images."""

    def make(sample: Sample, names: list[str] | None = None, images: int = 12) -> Lab:
        is_uniform = isinstance(sample.images, np.ndarray)
        usual = catalog.lab_names(is_built_in=sample.dataset is None, is_encoded=sample.is_encoded, is_uniform=is_uniform)
        return FewImagesLab(sample, usual if names is None else names, tmp_path / "lab", images)

    return make


@pytest.fixture(params=KINDS)
def any_sample(request: pytest.FixtureRequest, tmp_path: Path, photos: Path) -> Iterator[Sample]:
    """Return samples of built-in images, of JPEG photos of two sizes, of grey arrays and of arrays of 16 bits."""
    random = np.random.default_rng(3)
    arrays: dict[str, NDArray[np.generic]] = {
        "grey": random.integers(0, 256, (8, 20, 20), np.uint8),
        "16 bits": random.integers(0, 65536, (8, 20, 20, 3), np.uint16),
    }
    if request.param in arrays:
        with pixstore.Writer(tmp_path / "arrays.pixstore", durability="process") as writer:
            writer.add_batch(arrays[request.param], label=np.arange(8))
    path = {"photos": photos}.get(request.param, tmp_path / "arrays.pixstore")
    sample = built_in(40) if request.param == "built-in" else from_source(path, 8)
    yield sample
    sample.close()
