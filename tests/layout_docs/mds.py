"""MDS shards, laid out as the published format says; what mosaicml-streaming writes is read in tests/layouts/test_mds_streaming.py."""

from __future__ import annotations

import importlib
import struct
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))
tables = importlib.import_module("foreign_tables")


def make(folder: Path) -> None:
    for split, count, compressed in (("train", 24, False), ("val", 8, False)):
        rows = [row(number) for number in range(count)]
        tables.write_mds(
            folder / "photos" / split, {"image": "jpeg", "class": "int", "site": "str"}, rows, per_shard=8, compressed=compressed
        )
    images = [{"image": tables.mds_array(tables.pixels(number, 28, 28))} for number in range(8)]
    tables.write_mds(folder / "packed", {"image": "ndarray"}, images, compressed=True)


def row(number: int) -> dict[str, bytes]:
    image = tables.png(tables.pixels(number, 48, 64), "jpeg")
    return {"image": image, "class": struct.pack("<q", number % 2), "site": f"site {number}".encode()}
