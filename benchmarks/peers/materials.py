"""The images that every peer gets: made once, the same bytes for all.

cifar-N/images.npy, labels.npy   the first N training images of CIFAR-10, N·H·W·C uint8
cifar-N/png/LABEL/NUMBER.png     the same as PNG files, by Pillow at its own settings
photos-N/LABEL/NUMBER.jpg        JPEG photos, repeated as files of their own until there are N
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import pixstore

PHOTO_LABELS = 10


def cifar(source: Path, folder: Path, images: int) -> Path:
    """Return the folder of `images` CIFAR-10 images as arrays and PNG files, made from the batches or the archive at `source`."""
    place = folder / f"cifar-{images}"
    return place if place.exists() else _made(place, lambda partial: _write_cifar(source, partial, images))


def photos(source: Path, folder: Path, images: int) -> Path:
    """Return the folder of `images` photos, made from the JPEG files in the folder `source`."""
    place = folder / f"photos-{images}"
    return place if place.exists() else _made(place, lambda partial: _write_photos(source, partial, images))


def _made(place: Path, write: Any) -> Path:
    partial = place.with_name(f"{place.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    write(partial)
    return partial.rename(place)


def _write_cifar(source: Path, folder: Path, images: int) -> None:
    batch = pixstore.open(source)[:images]
    pixels, labels = np.ascontiguousarray(batch["image"]), np.asarray(batch["label"], np.int64)
    np.save(folder / "images.npy", pixels)
    np.save(folder / "labels.npy", labels)
    for label in sorted(set(labels.tolist())):
        (folder / "png" / str(label)).mkdir(parents=True)
    for number, label in enumerate(labels.tolist()):
        Image.fromarray(pixels[number]).save(folder / "png" / str(label) / f"{number:08}.png")


def _write_photos(source: Path, folder: Path, images: int) -> None:
    files = sorted(path for path in source.iterdir() if path.suffix.lower() in (".jpg", ".jpeg"))
    if not files:
        raise SystemExit(f"no JPEG files in {source.name}")
    for label in range(PHOTO_LABELS):
        (folder / str(label)).mkdir()
    for number in range(images):
        # Copies, not links: the page cache holds what a data set of this size would take.
        shutil.copyfile(files[number % len(files)], folder / str(number % PHOTO_LABELS) / f"{number:08}.jpg")
