"""TFRecord shards of tf.train.Example, through protobuf with the schema that TensorFlow publishes."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))
tables = importlib.import_module("foreign_tables")

NAMES = ("cat", "dog")


def make(folder: Path) -> None:
    (folder / "photos").mkdir()
    for split, shards, count in (("train", 2, 12), ("val", 1, 8)):
        for shard in range(shards):
            rows = [row(f"{split}{shard}{number}", number) for number in range(count)]
            tables.write_tfrecord(folder / "photos" / f"{split}.tfrecord-{shard:05}-of-{shards:05}", rows)
    pixels = [tables.pixels(number, 28, 28) for number in range(8)]
    raw = [{"image_raw": image.tobytes(), "height": 28, "width": 28, "depth": 3, "label": 1} for image in pixels]
    tables.write_tfrecord(folder / "raw.tfrecord", raw)


def row(name: str, number: int) -> dict[str, object]:
    image = tables.png(tables.pixels(number, 48, 64), "jpeg")
    described = {"image/filename": f"{name}.jpg", "image/height": 48, "image/width": 64, "image/format": "jpeg"}
    return {"image/encoded": image, "image/class/label": number % 2, "image/class/text": NAMES[number % 2], **described}
