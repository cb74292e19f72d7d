"""Exported as Hugging Face Parquet: `datasets` gives the same pixels, labels with names and columns, and so do we."""

from __future__ import annotations

import importlib
import sys
import warnings
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

import pixstore

sys.path.append(str(Path(__file__).parents[1]))
foreign = importlib.import_module("foreign_tables")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A store of ten images with labels, class names and splits, the kinds of stored bytes mixed."""
    images = [foreign.png(foreign.pixels(number), "jpeg" if number % 3 == 0 else "png") for number in range(10)]
    table = foreign.table(images, split=["train"] * 7 + ["test"] * 3, age=[float(n) for n in range(10)], key=[f"k{n}" for n in range(10)])
    pq.write_table(table, tmp_path / "made.parquet")
    pixstore.convert(tmp_path / "made.parquet", tmp_path / "s", durability="process")
    return tmp_path / "s"


def loaded(path: Path, cache: Path, **options: Any) -> Any:
    datasets.disable_progress_bars()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        return datasets.load_dataset("parquet", cache_dir=str(cache), **options)


def test_datasets_loads_images_labels_and_splits(photos: Path, tmp_path: Path) -> None:
    pixstore.export(photos, tmp_path / "out", to="hf-parquet", check=True)
    dataset = pixstore.open(photos)
    assert [path.name for path in sorted((tmp_path / "out" / "data").iterdir())] == [
        "test-00000-of-00001.parquet",
        "train-00000-of-00001.parquet",
    ]
    files = {split: f"{tmp_path}/out/data/{split}-*.parquet" for split in ("train", "test")}
    found = loaded(tmp_path / "out", tmp_path / "cache", data_files=files)
    assert isinstance(found["train"].features["image"], datasets.Image)
    assert found["train"].features["label"].names == ["cat", "dog"]
    rows = [row for split in ("train", "test") for row in found[split]]
    assert [row["key"] for row in rows] == dataset.keys.to_pylist()
    assert [row["label"] for row in rows] == dataset.table["label"].to_pylist()
    assert [row["age"] for row in rows] == dataset.table["age"].to_pylist()
    assert all(np.array_equal(np.asarray(row["image"]), dataset[number].image) for number, row in enumerate(rows))


def test_stored_files_are_untouched_and_arrays_become_png(photos: Path, tmp_path: Path) -> None:
    pixstore.export(photos, tmp_path / "out", to="hf-parquet")
    dataset, found = pixstore.open(photos), pixstore.open(tmp_path / "out")
    assert all(found.encoded(key) == dataset.encoded(key) for key in dataset.keys.to_pylist())
    pixstore.convert(photos, tmp_path / "raw", codec="raw", durability="process")
    pixstore.export(tmp_path / "raw", tmp_path / "again", to="hf-parquet", check=True)
    assert pixstore.open(tmp_path / "again").encoded("k0")[:4] == b"\x89PNG"


def test_shards_are_cut_by_bytes_and_numbered_to_their_total(photos: Path, tmp_path: Path) -> None:
    source = pixstore.open(photos).select(slice(0, 7))
    pixstore.export(source, tmp_path / "out", to="hf-parquet", shard_bytes=1)
    names = [path.name for path in (tmp_path / "out" / "data").iterdir()]
    assert names and all(name.startswith("train-") and name.endswith(f"-of-{len(names):05}.parquet") for name in names)


def test_several_fields_and_missing_images_survive(tmp_path: Path) -> None:
    images = foreign.encoded(3)
    table = pa.table({"image": foreign.image_structs(images), "mask": foreign.image_structs([None, *images[1:]])})
    pq.write_table(table, tmp_path / "x.parquet")
    pixstore.export(tmp_path / "x.parquet", tmp_path / "out", to="hf-parquet")
    found = pixstore.open(tmp_path / "out")
    assert found.schema.field_names == ("image", "mask") and found.absent("mask", [0, 1, 2]).tolist() == [0]
    rows = loaded(tmp_path, tmp_path / "cache", data_files=f"{tmp_path}/out/data/*.parquet", split="train")
    assert rows[0]["mask"] is None and isinstance(rows[1]["mask"], Image.Image)
