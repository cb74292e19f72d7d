"""What the tests of the bench share: small work, folders of photos, and results as a run leaves them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixstore.bench import Bytes, Cell, Results, Spread
from pixstore.bench.measurements import Observation
from pixstore.bench.ways.base import Work

WAYS = {
    "tutorial-png": ("PNG files, tutorial", 1, 300e-6, 150e-6),
    "tutorial-lmdb": ("LMDB, tutorial", 1, 12e-6, 7e-6),
    "lmdb/raw": ("LMDB + raw", 2, 5e-6, 1e-6),
    "packed/png": ("packed + PNG", 2, 20e-6, 7e-6),
}


@pytest.fixture
def work() -> Work:
    """Return six images of 8 by 6 pixels in colour, with labels."""
    pixels = np.random.default_rng(0).integers(0, 256, (6, 8, 6, 3), np.uint8)
    return Work(pixels, np.array([3, 1, 4, 1, 5, 9]))


@pytest.fixture
def mixed_work() -> Work:
    """Return four images of four sizes, one of them grey, with labels."""
    random = np.random.default_rng(1)
    shapes = [(8, 6, 3), (5, 7, 3), (4, 4), (9, 2, 3)]
    return Work([random.integers(0, 256, shape, np.uint8) for shape in shapes], np.array([0, 1, 2, 3]))


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Return a folder of two classes with eight JPEG photos of two sizes."""
    folder = tmp_path / "photos"
    random = np.random.default_rng(2)
    for number in range(8):
        path = folder / ("cats" if number % 2 else "dogs") / f"{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, (12 + 4 * (number % 2), 10, 3), np.uint8)).save(path)
    return folder


@pytest.fixture
def measured() -> Results:
    """Return the results of four ways at 1, 10, 100 and 1,000 synthetic images; storing with lmdb/raw failed at the last."""
    cells = []
    for way, (_, _, store, read) in WAYS.items():
        cells.append(Cell("store-one", way, 1, _seconds(1e-3 + store), Bytes(2_500, 12_288)))
        cells.append(Cell("read-one", way, 1, _seconds(5e-4 + read)))
        for images in (1, 10, 100, 1000):
            failed = way == "lmdb/raw" and images == 1000
            error = "StoreFullError: <b>no space</b> left" if failed else None
            cells.append(Cell("store-many", way, images, None if failed else _seconds(1e-3 + store * images), None, error))
            for experiment in ("read-many", "read-shuffled"):
                cells.append(Cell(experiment, way, images, None if failed else _seconds(5e-4 + read * images), None, error))
            cells.append(Cell("disk", way, images, None, None if failed else Bytes(2_300 * images, 4_096 * images), error))
    return Results(
        {"cpu": "a cpu", "cpus": 2, "memory_bytes": 8_000_000_000, "versions": {"numpy": "2.0"}},
        {"name": "synthetic images", "synthetic": True, "images": 1000, "shapes": 1, "largest": [32, 32, 3], "notes": ["a note"]},
        {
            "date": "2026-01-01T00:00:00+00:00",
            "seconds": 61.0,
            "repeats": 3,
            "budget_seconds": 120.0,
            "max_disk_bytes": 10**9,
            "ways": {way: {"title": title, "threads": threads} for way, (title, threads, _, _) in WAYS.items()},
            "limits": {
                "images": 1000,
                "bytes": 3_072_000,
                "copy": 4e-4,
                "gather": 5e-4,
                "inflate": 6e-3,
                "write": 1e-3,
                "write-synced": 4e-3,
            },
            "conditions": ["warm"],
            "notes": ["stopped before 10,000 images"],
            "interrupted": False,
        },
        cells,
    )


@pytest.fixture
def asked(measured: Results) -> Results:
    """Return those results with the lab's question about order: one cell failed, one was not measured, all others have a proof."""
    for way in WAYS:
        for number, order in enumerate(("in order", "strided", "shuffled in windows", "shuffled"), 1):
            for access, slower in (("256 at once", 1), ("one by one", 30)):
                error = None
                if way == "lmdb/raw" and order == "strided":
                    error = "OSError: <b>gone</b>" if slower == 1 else "not measured: the budget was spent"
                seconds = Spread.of([0.1 * number * slower * each for each in (0.9, 0.95, 1.0, 1.05, 1.1)]) if error is None else None
                setting: dict[str, str | int | float] = {"order": order, "access": access}
                measured.observations.append(Observation("order", way, 5_000, setting, seconds, {}, {"pages": 812}, error))
    measured.run["lab"] = {"order": {"title": "Order <of> access", "asks": "Why & how?", "seconds": 12.0, "rounds": 3, "warmed_up": True}}
    return measured


def _seconds(median: float) -> Spread:
    return Spread.of([median * each for each in (0.9, 0.95, 1.0, 1.1, 1.2)])
