"""Exports opened by the readers of their own communities that are too large for every day: torchvision, TensorFlow, mosaicml-streaming.

The other readers (datasets, webdataset, h5py, protobuf, pandas, NumPy …) are in tests/layouts/test_<layout>.py.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import streaming
import tensorflow
import torchvision
from numpy.typing import NDArray

import pixstore

COUNT = 12
CLASSES = ("ant", "bee", "cat")


def pixels(number: int) -> NDArray[np.uint8]:
    """Return an image that says its number, and is noise otherwise."""
    image = np.random.default_rng(number).integers(0, 256, (6, 7, 3), np.uint8)
    image[0, 0] = number
    return image


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve PNGs of three classes, keys cat-0, cat-1 …"""
    path = tmp_path_factory.mktemp("store") / "s"
    with pixstore.Writer(path, codec="png", durability="process") as writer:
        for number in range(COUNT):
            writer.add(pixels(number), key=f"cat-{number}", label=CLASSES[number % 3])
    return path


@pytest.fixture(scope="module")
def numbered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with labels 0, 1, 2."""
    path = tmp_path_factory.mktemp("numbered") / "s"
    with pixstore.Writer(path, codec="png", durability="process") as writer:
        for number in range(COUNT):
            writer.add(pixels(number), key=f"cat-{number}", label=number % 3)
    return path


def test_torchvision_opens_a_folder(store: Path, tmp_path: Path) -> None:
    pixstore.export(store, tmp_path / "out", to="folder")
    found = torchvision.datasets.ImageFolder(str(tmp_path / "out"))
    assert found.classes == list(CLASSES) and len(found) == COUNT
    seen = set()
    for image, label in found:
        array = np.array(image)
        number = int(array[0, 0, 0])
        assert np.array_equal(array, pixels(number)) and label == number % 3
        seen.add(number)
    assert seen == set(range(COUNT))


def test_torchvision_numbers_labels_without_names_as_they_were(tmp_path: Path) -> None:
    with pixstore.Writer(tmp_path / "s", durability="process") as writer:
        for number in range(COUNT):
            writer.add(pixels(number), label=number)
    pixstore.export(tmp_path / "s", tmp_path / "out", to="folder")
    for image, label in torchvision.datasets.ImageFolder(str(tmp_path / "out")):
        assert label == np.array(image)[0, 0, 0]


def test_tensorflow_reads_tfrecords(numbered: Path, tmp_path: Path) -> None:
    pixstore.export(numbered, tmp_path / "out", to="tfrecord", accept="all", shard_bytes=1000)
    files = sorted(str(path) for path in (tmp_path / "out").glob("*tfrecord*"))
    assert len(files) > 1
    features = {
        "image/encoded": tensorflow.io.FixedLenFeature([], tensorflow.string),
        "image/class/label": tensorflow.io.FixedLenFeature([], tensorflow.int64),
    }
    numbers = []
    for record in tensorflow.data.TFRecordDataset(files):
        found: Any = tensorflow.io.parse_single_example(record, features)
        image = tensorflow.io.decode_image(found["image/encoded"]).numpy()
        numbers.append(int(image[0, 0, 0]))
        assert np.array_equal(image, pixels(numbers[-1])) and found["image/class/label"].numpy() == numbers[-1] % 3
    assert numbers == list(range(COUNT))


def test_streaming_reads_mds(numbered: Path, tmp_path: Path) -> None:
    pixstore.export(numbered, tmp_path / "out", to="mds", accept="all", shard_bytes=1000)
    found = streaming.StreamingDataset(local=str(tmp_path / "out"), shuffle=False, batch_size=1)
    assert len(found) == COUNT
    for number in range(COUNT):
        sample = found[number]
        assert np.array_equal(np.array(sample["image"]), pixels(number)) and sample["label"] == number % 3
