"""Masks of another size than their images are told, by whoever looks and whoever converts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import pixstore
from pixstore.field_sizes import differing_sizes


@pytest.fixture
def both(tmp_path: Path) -> dict[str, Path]:
    for number in range(5):
        for folder, mode in (("images", "RGB"), ("masks", "L")):
            (tmp_path / folder).mkdir(exist_ok=True)
            Image.new(mode, (8, 6)).save(tmp_path / folder / f"{number}.png")
    return {"image": tmp_path / "images", "mask": tmp_path / "masks"}


def test_fields_of_one_size_and_a_single_field_are_nothing_to_tell(both: dict[str, Path]) -> None:
    assert differing_sizes(pixstore.open(both)) == [] == differing_sizes(pixstore.open(both["image"]))
    assert differing_sizes(pixstore.open(both).select([])) == []


def test_wrongly_described_a_mask_of_another_size_is_told_by_a_conversion(both: dict[str, Path], tmp_path: Path) -> None:
    Image.new("L", (6, 8)).save(both["mask"] / "3.png")
    (note,) = [each for each in pixstore.convert(both, tmp_path / "out", durability="process").notes if "in 1 of 5" in each]
    assert note.startswith("image and mask differ in size in 1 of 5 samples looked at, the first '3.png': 6 × 8 and 8 × 6;")


def test_samples_without_a_field_are_not_looked_at(tmp_path: Path) -> None:
    schema = pixstore.Schema((pixstore.Field(), pixstore.Field("mask")))
    with pixstore.Writer(tmp_path / "s", schema=schema, durability="process") as writer:
        writer.add(np.zeros((2, 2, 3), np.uint8))
        writer.add(np.zeros((2, 2, 3), np.uint8), mask=np.zeros((2, 3), np.uint8))
    assert "in 1 of 1 samples" in differing_sizes(pixstore.open(tmp_path / "s"))[0]


def test_images_that_cannot_be_read_are_no_error_here(both: dict[str, Path]) -> None:
    (both["mask"] / "2.png").write_bytes(b"broken")
    assert differing_sizes(pixstore.open(both))[0].startswith("sizes of image and mask were not compared")
