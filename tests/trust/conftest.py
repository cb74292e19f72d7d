"""Small stores to damage: rows of two fields and columns in several shards, of each engine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import pixstore
from pixstore.registry import ENGINES

IMAGES = np.random.default_rng(0).integers(0, 256, (12, 6, 7, 3), np.uint8)
KEYS = [f"key-{number:02}" for number in range(12)]


def fill(path: Path, engine: str) -> Path:
    """Write 12 samples in shards of a few, with masks on every second one, then change two, delete one, and save a split."""
    with pixstore.Writer(path, engine=engine, durability="process", shard_bytes=600) as writer:
        for number, key in enumerate(KEYS):
            masks = {"mask": IMAGES[number][..., 0]} if number % 2 == 0 else {}
            writer.add(IMAGES[number], key=key, label=number, name=f"n{number}", **masks)
    with pixstore.Writer(path, mode="a", durability="process") as writer:
        writer.update("key-01", label=100)
        writer.update("key-05", IMAGES[0])
        writer.delete("key-03")
    pixstore.open(path).split({"train": 0.5, "test": 0.5}, name="halves")
    return path


@pytest.fixture(scope="session", params=ENGINES)
def pristine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of each engine that nobody may change."""
    return fill(tmp_path_factory.mktemp("pristine") / "store", request.param)


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    """A packed store of one shard with 12 samples: what to damage where the engine does not matter."""
    with pixstore.Writer(tmp_path / "plain", durability="process") as writer:
        for number, key in enumerate(KEYS):
            writer.add(IMAGES[number], key=key, label=number)
    return tmp_path / "plain"


@pytest.fixture
def flip() -> Callable[[Path, int], None]:
    """Return what changes one byte of a file; a negative place counts from the end."""

    def change(path: Path, place: int) -> None:
        data = bytearray(path.read_bytes())
        data[place] ^= 0xFF
        path.write_bytes(data)

    return change


def pixel_file(store: Path) -> Path:
    """Return the first file of pixels of a store."""
    files = sorted(each for each in (store / "shards").rglob("*") if each.is_file())
    return next(each for each in files if each.suffix not in (".arrow", ".keys", ".names"))
