"""A data set of the Hub as Parquet, and what save_to_disk leaves, through `datasets` itself."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import datasets

sys.path.append(str(Path(__file__).parents[1]))
tables = importlib.import_module("foreign_tables")


def make(folder: Path) -> None:
    datasets.disable_progress_bars()
    features = datasets.Features(
        {"image": datasets.Image(), "label": datasets.ClassLabel(names=["cat", "dog"]), "site": datasets.Value("string")}
    )
    made = {split: split_of(count, features) for split, count in (("train", 24), ("test", 8))}
    (folder / "cats" / "data").mkdir(parents=True)
    for split, found in made.items():
        for shard in range(2):
            found.shard(2, shard, contiguous=True).to_parquet(folder / "cats" / "data" / f"{split}-{shard:05}-of-00002.parquet")
    datasets.DatasetDict(made).save_to_disk(folder / "saved")


def split_of(count: int, features: datasets.Features) -> datasets.Dataset:
    images = [tables.png(tables.pixels(number, 48, 64), "jpeg") for number in range(count)]
    rows = {"image": images, "label": [number % 2 for number in range(count)], "site": [f"site {number}" for number in range(count)]}
    return datasets.Dataset.from_dict(rows, features=features)
