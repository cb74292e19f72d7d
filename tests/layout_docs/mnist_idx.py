"""The four files that MNIST is published as, small, by the description of the format."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


def idx(array: NDArray[np.uint8]) -> bytes:
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


def make(folder: Path) -> None:
    (folder / "mnist").mkdir()
    for name, count in (("train", 60), ("t10k", 10)):
        images = np.random.default_rng(count).integers(0, 256, (count, 28, 28), np.uint8)
        labels = np.arange(count, dtype=np.uint8) % 10
        (folder / "mnist" / f"{name}-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(images)))
        (folder / "mnist" / f"{name}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(labels)))
