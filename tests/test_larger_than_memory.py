"""How a store larger than the memory is read, in a real process with little memory, where the system allows to make one."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest

import pixstore
from pixstore.bench.cgroup import limited, unavailable

# By its own name, as the child imports it.
sys.path.insert(0, str(Path(__file__).parent))
limited_reading = importlib.import_module("limited_reading")


@pytest.mark.skipif(unavailable() is not None, reason=f"memory cannot be limited here: {unavailable()}")
@pytest.mark.parametrize(("limit", "io"), [(192 << 20, "pread"), (1 << 30, "map")])
def test_a_store_with_more_pixels_than_half_of_the_memory_is_read_not_mapped(tmp_path: Path, limit: int, io: str) -> None:
    images = np.random.default_rng(0).integers(0, 256, (512, 256, 256, 3), np.uint8)
    with pixstore.Writer(tmp_path / "store", engine="packed", codec="raw", durability="process") as writer:
        writer.add_batch(images)
    with limited(limit) as group:
        ran = group.run(limited_reading.read_shuffled, str(tmp_path / "store"))
    assert ran.value == [io, int(images.sum())]
