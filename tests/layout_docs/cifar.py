"""CIFAR-10 as it is handed out, small: python batches by `pickle`, the same packed by `tarfile`, and the binary version."""

from __future__ import annotations

import pickle
import tarfile
from pathlib import Path

import numpy as np

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
NAMES = [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]


def make(folder: Path) -> None:
    batches, binary = folder / "cifar-10-batches-py", folder / "cifar-10-batches-bin"
    batches.mkdir()
    binary.mkdir()
    random = np.random.default_rng(0)
    for number, name in enumerate(NAMES):
        planes = random.integers(0, 256, (4, 3072), np.uint8)
        labels = [(4 * number + row) % 10 for row in range(4)]
        content = {b"data": planes, b"labels": labels, b"filenames": [f"{name}_{row}.png".encode() for row in range(4)]}
        (batches / name).write_bytes(pickle.dumps(content, 2))
        (binary / f"{name}.bin").write_bytes(b"".join(bytes([label]) + row.tobytes() for label, row in zip(labels, planes, strict=True)))
    (batches / "batches.meta").write_bytes(pickle.dumps({b"label_names": [name.encode() for name in CLASSES]}, 2))
    (binary / "batches.meta.txt").write_text("\n".join(CLASSES) + "\n")
    with tarfile.open(folder / "cifar-10-python.tar.gz", "w:gz") as archive:
        archive.add(batches, arcname="cifar-10-batches-py")
