"""Photographs and masks in two folders, made by Pillow: `photos/0.jpg` …, `masks/0.png` …; and `cells/`, a folder for each image."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image


def make(folder: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (8, 48, 64, 3), np.uint8)
    for name in ("photos", "masks"):
        (folder / name).mkdir()
    for number, image in enumerate(pixels):
        Image.fromarray(image).save(folder / "photos" / f"{number}.jpg")
        Image.fromarray((image[..., 0] > 127).astype(np.uint8) * np.uint8(255)).save(folder / "masks" / f"{number}.png")
    (folder / "photos" / ".DS_Store").write_bytes(b"\0\0\0\1Bud1")
    for name, count in (("cell-a", 3), ("cell-b", 5)):
        for inner in ("images", "masks"):
            (folder / "cells" / name / inner).mkdir(parents=True)
        Image.fromarray(pixels[0]).save(folder / "cells" / name / "images" / f"{name}.png")
        for number in range(count):
            Image.fromarray(np.full((48, 64), number, np.uint8)).save(folder / "cells" / name / "masks" / f"{number}.png")
