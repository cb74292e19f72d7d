"""Masks that lie beside their images are classes of a folder, and whoever opens it is told how to join them."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

import pixstore


def notes(folder: Path, *names: str) -> list[str]:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (2, 2)).save(folder / name)
    return pixstore.open(folder).report.notes


def test_masks_beside_images_are_told_with_the_way_to_join_them(tmp_path: Path) -> None:
    (note,) = notes(tmp_path, "imgs/1.jpg", "imgs/2.jpg", "imgs/3.jpg", "Masks/1.png", "Masks/2.png")
    assert "imgs and Masks are taken as classes" in note
    assert note.endswith(f"--field image={tmp_path}/imgs --field mask={tmp_path}/Masks")


def test_masks_beside_images_in_each_split_are_told(tmp_path: Path) -> None:
    (note,) = notes(tmp_path, "train/img/1.jpg", "train/gt/1.png", "val/img/1.jpg", "val/gt/1.png")
    assert note.endswith(f"--field image={tmp_path}/SPLIT/img --field mask={tmp_path}/SPLIT/gt")


@pytest.mark.parametrize(
    "names",
    [
        ("cat/1.png", "dog/1.png"),
        ("img/1.png", "masks/2.png"),
        ("train/img/1.jpg", "val/masks/1.png"),
        ("masks/1.png",),
        ("img/1.jpg", "masks/1.png", "2.png"),
    ],
)
def test_classes_are_not_taken_for_masks(names: tuple[str, ...], tmp_path: Path) -> None:
    assert not any("are joined" in note for note in notes(tmp_path, *names))


def test_real_photographs_beside_their_masks_are_told(shared_data: Path) -> None:
    (note,) = pixstore.open(shared_data / "human-seg").report.notes
    assert "--field image=" in note and note.endswith("Ground_Truth")
