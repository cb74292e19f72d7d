"""Exported as the tutorial's PNG files: its own reader, Pillow and csv, finds the same pixels and labels."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import pixstore
from pixstore.errors import InvalidInputError


def read_many(folder: Path, count: int) -> tuple[list[np.ndarray[Any, Any]], list[int]]:
    """Read as the tutorial does."""
    images, labels = [], []
    for number in range(count):
        images.append(np.array(Image.open(folder / f"{number}.png")))
    with open(folder / f"{count}.csv") as file:
        for row in csv.reader(file, delimiter=" ", quotechar="|", quoting=csv.QUOTE_MINIMAL):
            labels.append(int(row[0]))
    return images, labels


@pytest.mark.parametrize("codec", ["keep", "png"])
def test_the_tutorials_reader_finds_the_same(tmp_path: Path, codec: str) -> None:
    images = np.random.default_rng(0).integers(0, 256, (12, 6, 7, 3), np.uint8)
    with pixstore.Writer(tmp_path / "s", codec=codec, durability="process") as writer:
        writer.add_batch(images, label=np.arange(12) * 30)
    report = pixstore.export(tmp_path / "s", tmp_path / "out", to="tutorial-png", accept="keys", check=True)
    found, labels = read_many(tmp_path / "out", 12)
    assert np.array_equal(found, images) and labels == [30 * number for number in range(12)]
    assert report.samples == 12 and report.checked == "samples counted, pixels and labels compared"
    ours = pixstore.open(tmp_path / "out")
    assert ours.origin.startswith("PNG files with CSV labels") and ours.keys.to_pylist()[11] == "11.png"
    if codec == "png":
        assert [(tmp_path / "out" / f"{number}.png").read_bytes() for number in range(12)] == [
            pixstore.open(tmp_path / "s").encoded(number) for number in range(12)
        ]


def test_pngs_that_pillow_shows_otherwise_than_they_look_are_encoded_again(tmp_path: Path) -> None:
    rgb = Image.fromarray(np.random.default_rng(0).integers(0, 256, (6, 7, 3), np.uint8))
    with pixstore.Writer(tmp_path / "s", durability="process") as writer:
        for label, image in enumerate((rgb.quantize(16), rgb.convert("1"), rgb.convert("L"), rgb)):
            data = io.BytesIO()
            image.save(data, "png")
            writer.add(data.getvalue(), label=label)
    pixstore.export(tmp_path / "s", tmp_path / "out", to="tutorial-png", accept="keys", check=True)
    found, _ = read_many(tmp_path / "out", 4)
    for image, sample in zip(found, pixstore.open(tmp_path / "s"), strict=True):
        assert image.dtype == np.uint8 and np.array_equal(image, sample.image)


def test_what_it_cannot_hold_at_all_is_refused(tmp_path: Path) -> None:
    with pixstore.Writer(tmp_path / "deep", durability="process") as writer:
        writer.add(np.zeros((3, 3), np.uint16), label=1)
    with pixstore.Writer(tmp_path / "bare", durability="process") as writer:
        writer.add(np.zeros((3, 3), np.uint8))
    for name, words in (("deep", "uint16"), ("bare", "no column 'label'")):
        with pytest.raises(InvalidInputError, match=words):
            pixstore.export(tmp_path / name, tmp_path / "out", to="tutorial-png", accept="all")
    assert not (tmp_path / "out").exists()
