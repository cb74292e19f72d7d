"""What the tests of advice share: a folder of photos in two formats, a store of arrays, and CIFAR batches in an archive."""

from __future__ import annotations

import io
import pickle
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import pixstore


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Return a folder of twelve photos of two sizes: nine JPEGs and three PNGs."""
    folder = tmp_path / "my photos"
    random = np.random.default_rng(2)
    for number in range(12):
        path = folder / f"{number:02}.{'png' if number % 4 == 0 else 'jpg'}"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(random.integers(0, 256, (12 + 4 * (number % 2), 10, 3), np.uint8)).save(path)
    return folder


@pytest.fixture
def arrays(tmp_path: Path) -> Path:
    """Return a store of forty arrays: a source that is not encoded."""
    images = np.random.default_rng(3).integers(0, 256, (40, 8, 6, 3), np.uint8)
    with pixstore.Writer(tmp_path / "arrays.pixstore", durability="process") as writer:
        writer.add_batch(images, label=np.arange(40) % 4)
    return tmp_path / "arrays.pixstore"


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """Return CIFAR-10 batches of five images each in a .tar.gz, as the world has them."""
    random = np.random.default_rng(4)
    meta = {b"label_names": [f"class {number}".encode() for number in range(10)]}
    with tarfile.open(tmp_path / "cifar.tar.gz", "w:gz") as made:
        for name in ("batches.meta", *(f"data_batch_{number}" for number in range(1, 6)), "test_batch"):
            names = [f"{name}-{number}.png".encode() for number in range(5)]
            images = random.integers(0, 256, (5, 3072), np.uint8)
            batch = {b"data": images, b"labels": random.integers(0, 10, 5).tolist(), b"filenames": names, b"batch_label": name.encode()}
            written = pickle.dumps(meta if name == "batches.meta" else batch, 2)
            entry = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            entry.size = len(written)
            made.addfile(entry, io.BytesIO(written))
    return tmp_path / "cifar.tar.gz"
