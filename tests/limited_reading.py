"""What a process with little memory does with a store; its own module, so that such a process can import it."""

from __future__ import annotations

import numpy as np

import pixstore


def read_shuffled(path: str) -> list[object]:
    """Return how the store's pixels are read, and the sum of all of them, read in random order."""
    with pixstore.open(path) as dataset:
        order = np.random.default_rng(0).permutation(len(dataset))
        total = sum(int(dataset.read(order[start : start + 64])["image"].sum()) for start in range(0, len(order), 64))
        return [dataset._io_used, total]
