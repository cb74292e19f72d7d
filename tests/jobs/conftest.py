"""Sources to convert, and jobs as `convert` makes them."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import pixstore
from pixstore.incoming import Encoding
from pixstore.jobs.job import Job
from pixstore.schema import Field, Schema

MakeJob = Callable[..., Job]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Twelve PNG files of two classes, no two alike."""
    random = np.random.default_rng(3)
    for number in range(12):
        place = tmp_path / "photos" / ("cat", "dog")[number % 2] / f"{number:02}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, (6, 5, 3), np.uint8)).save(place)
    return tmp_path / "photos"


@pytest.fixture
def make_job(tmp_path: Path) -> MakeJob:
    """Return a function that makes a job of a source into a store that has its folders."""

    def make(source: Path | pixstore.Dataset, **changes: object) -> Job:
        dataset = source if isinstance(source, pixstore.Dataset) else pixstore.open(source)
        for name in ("shards", "versions"):
            os.makedirs(tmp_path / "out" / name, exist_ok=True)
        codec = str(changes.pop("codec", "keep"))
        schema = Schema(tuple(Field(each.name, codec) for each in dataset.schema.fields), dataset.schema.columns, dataset.schema.classes)
        options = {
            "engine": "packed", "encoding": Encoding(codec, threads=1), "durability": "process", "shard_bytes": 1 << 30,
            "check": "structure", "on_bad": "quarantine", "batch_bytes": 1 << 20, "destination": tmp_path / "out", **changes,
        }  # fmt: skip
        return Job(dataset=dataset, schema=schema, **options)  # type: ignore[arg-type]

    return make
