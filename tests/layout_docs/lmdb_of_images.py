"""LMDB files of encoded images by py-lmdb and Pillow: under names, as pairs with labels, and several databases in one file."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))
databases = importlib.import_module("foreign_databases")


def make(folder: Path) -> None:
    databases.of_images(folder / "photos.lmdb", 10)
    databases.pairs(folder / "pairs.lmdb", 12)
    for name, count in ((b"train", 8), (b"val", 4)):
        files = {f"{number:03}".encode(): databases.encoded(image) for number, image in enumerate(databases.images(count))}
        databases.write(folder / "both.lmdb", files, name=name, subdir=False)
