"""A zip archive of classes, by Python's zipfile."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image


def make(folder: Path) -> None:
    with zipfile.ZipFile(folder / "flowers.zip", "w") as archive:
        for number in range(24):
            made = io.BytesIO()
            Image.fromarray(np.random.default_rng(number).integers(0, 256, (64, 64, 3), np.uint8)).save(made, "JPEG")
            split, name = ("train", "test")[number % 4 == 3], ("iris", "rose")[number % 2]
            archive.writestr(f"flowers/{split}/{name}/{number:03}.jpg", made.getvalue())
        archive.writestr("flowers/README.txt", "24 flowers")
