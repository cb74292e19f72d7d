"""A folder of image files as people have them, made by Pillow: `photos/train/cat/0.png` …, and `flat/` with labels in a CSV file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image


def make(folder: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (12, 24, 32, 3), np.uint8)
    for number, image in enumerate(pixels):
        place = folder / "photos" / ("test" if number > 7 else "train") / ("dog" if number % 2 else "cat")
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(place / f"{number}.{'jpg' if number % 3 else 'png'}")
    (folder / "photos" / "Thumbs.db").write_bytes(b"junk")
    (folder / "flat").mkdir()
    for number, image in enumerate(pixels[:4]):
        Image.fromarray(image).save(folder / "flat" / f"{number}.png")
    (folder / "labels.csv").write_text("file,label\n" + "".join(f"{number}.png,{'ab'[number % 2]}\n" for number in range(4)))
