"""Exported as the tutorial's LMDB: its own reader, lmdb and pickle with its class, finds the same pixels and labels."""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

import lmdb
import numpy as np

import pixstore


class CIFAR_Image:
    """What the tutorial's notebook defines."""

    def get_image(self) -> Any:
        attributes = vars(self)
        return np.frombuffer(attributes["image"], dtype=np.uint8).reshape(*attributes["size"], attributes["channels"])


class Notebook(pickle.Unpickler):
    """Unpickles as in the notebook, whose own names are `__main__`."""

    def find_class(self, module: str, name: str) -> Any:
        assert (module, name) == ("__main__", "CIFAR_Image")
        return CIFAR_Image


def read_many(path: Path, count: int) -> tuple[list[Any], list[int]]:
    """Read as the tutorial does."""
    images, labels = [], []
    environment = lmdb.open(str(path), readonly=True)
    with environment.begin() as transaction:
        for number in range(count):
            found = Notebook(io.BytesIO(transaction.get(f"{number:08}".encode("ascii")))).load()
            images.append(found.get_image())
            labels.append(found.label)
    environment.close()
    return images, labels


def test_the_tutorials_reader_finds_the_same(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (5 + number, 7, 3), np.uint8) for number in range(9)] + [rng.integers(0, 256, (4, 5), np.uint8)]
    labels = [0, 255, 256, 65_535, 65_536, -1, 2**31, 2**40, 3, 4]
    with pixstore.Writer(tmp_path / "s", codec="png", durability="process") as writer:
        for image, label in zip(images, labels, strict=True):
            writer.add(image, label=label)
    report = pixstore.export(tmp_path / "s", tmp_path / "out", to="tutorial-lmdb", check=True)
    assert report.losses == [] and report.checked == "samples counted, pixels and labels compared"
    found, found_labels = read_many(tmp_path / "out", 10)
    assert found_labels == labels and all(np.array_equal(got, want) for got, want in zip(found[:9], images[:9], strict=True))
    assert np.array_equal(found[9][:, :, 0], images[9])
    ours = pixstore.open(tmp_path / "out")
    assert ours.table["label"].to_pylist() == labels and ours.keys.to_pylist() == [f"{number:08}" for number in range(10)]
