"""Shards of photographs with labels, captions and masks, through webdataset's own writer."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import webdataset
from PIL import Image


def encoded(number: int, form: str, mode: str = "RGB") -> bytes:
    made = io.BytesIO()
    pixels = np.random.default_rng(number).integers(0, 256, (64, 64, 3), np.uint8)
    Image.fromarray(pixels).convert(mode).save(made, form)
    return made.getvalue()


def make(folder: Path) -> None:
    (folder / "photos").mkdir()
    for split, count in (("train", 24), ("val", 8)):
        with webdataset.ShardWriter(f"{folder}/photos/{split}-%06d.tar", maxcount=8, verbose=0) as writer:
            for number in range(count):
                described = {"caption": f"photo {number}", "width": 64}
                sample = {"jpg": encoded(number, "JPEG"), "mask.png": encoded(number, "PNG", "L"), "cls": number % 3, "json": described}
                writer.write({"__key__": f"{split}{number:04}", **sample})
