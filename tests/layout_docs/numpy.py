"""Arrays as NumPy saves them: one file each, and several in one."""

from __future__ import annotations

from pathlib import Path

import numpy as np


def make(folder: Path) -> None:
    numbers = np.random.default_rng(0)
    images, labels = numbers.integers(0, 256, (40, 32, 32, 3), np.uint8), np.arange(40) % 4
    np.save(folder / "x_train.npy", images)
    np.save(folder / "y_train.npy", labels)
    np.savez(folder / "blobs.npz", x_train=images[:30], y_train=labels[:30], x_test=images[30:], y_test=labels[30:])
    np.savez_compressed(folder / "scans.npz", day=images, night=images[:20, :, :, 0])
    np.save(folder / "opencv.npy", images[..., ::-1])
