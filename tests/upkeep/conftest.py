"""What the tests of upkeep share: stores with a history, and what is in them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import pixstore
from pixstore.registry import ENGINES

every_engine = pytest.mark.parametrize("engine", ENGINES, indirect=True)


@pytest.fixture
def engine(request: pytest.FixtureRequest) -> str:
    """Return the engine that a test asks for by `every_engine`, else packed."""
    return str(getattr(request, "param", "packed"))


def pixels(count: int, *shape: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (count, *shape)).astype(np.uint8)


def content(path: Path, version: int | str | None = None) -> list[str]:
    """Return every sample of a version in words, where NaN is NaN: key, columns, and of each field its format and stored bytes."""
    ds = pixstore.open(path, version=version)
    found = []
    for row, columns in enumerate(ds.table.to_pylist()):
        here = [name for name in ds.schema.field_names if not len(ds.absent(name, [row]))]
        stored = {name: (ds.formats([row], field=name)[0], ds.encoded(row, field=name)) for name in here}
        found.append(repr({**columns, **stored}))
    return found


def tree(path: Path) -> dict[str, bytes]:
    """Return every file below a folder, but for the lock."""
    return {str(each.relative_to(path)): each.read_bytes() for each in path.rglob("*") if each.is_file() and each.name != ".lock"}


@pytest.fixture
def path(tmp_path: Path, engine: str) -> Path:
    """Return a store of six versions: 30 samples, three small additions, new labels for some, some gone, a NaN and a missing mask."""
    path = tmp_path / "s"
    with pixstore.Writer(path, engine=engine, durability="process") as writer:
        writer.add_batch(pixels(30, 4, 5, 3), label=list(range(30)), score=[0.5] * 29 + [float("nan")])
        writer.commit()
        for turn in range(3):
            writer.add_batch(pixels(3, 4, 5, 3, seed=turn + 1), key=[f"t{turn}-{n}" for n in range(3)], label=[turn] * 3)
            writer.commit()
        for row in range(0, 12, 2):
            writer.update(f"{row:08}", label=-1)
        writer.commit()
        for row in range(20, 25):
            writer.delete(f"{row:08}")
        writer.update("t1-1", pixels(1, 2, 2)[0], label=7)
    return path
