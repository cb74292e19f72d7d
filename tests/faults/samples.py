"""Samples of which every byte is known: content follows from key, generation and seed."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

ENGINES = ("packed", "files", "lmdb", "hdf5")
"""The engines that are tortured: what is common to all others, commits and folders, is the same code."""
SHAPE = (12, 12, 3)
GENERATION_STEP = 1000

Version = tuple[int, int]
"""Which generation of its columns and which of its pixels a sample has."""
State = dict[str, Version]
"""What a store holds: a version for each key."""


@dataclass(frozen=True)
class Sample:
    """One row; `image` is stored raw, `thumb` as PNG, so that each engine shows both of its forms."""

    image: NDArray[np.uint8]
    thumb: NDArray[np.uint8]
    label: int
    name: str

    @property
    def digest(self) -> str:
        return digest_of(self.image, self.thumb, self.label, self.name)


def sample(key: str, version: Version) -> Sample:
    """Return the sample that stands for this key in this version."""
    columns, pixels = version
    generator = np.random.default_rng([*key.encode(), pixels])
    image = generator.integers(0, 256, SHAPE).astype(np.uint8)
    thumb = generator.integers(0, 256, (4 + len(key) % 3, 6)).astype(np.uint8)
    label = columns * GENERATION_STEP + sum(key.encode()) % GENERATION_STEP
    return Sample(image, thumb, label, f"{key} ü {columns}")


def digest_of(image: Any, thumb: Any, label: Any, name: Any) -> str:
    """Return a digest of one row as it was read: shapes, types and every byte."""
    digest = hashlib.blake2b(digest_size=16)
    for array in (np.asarray(image), np.asarray(thumb)):
        digest.update(f"{array.shape} {array.dtype} ".encode())
        digest.update(array.tobytes())
    digest.update(f"{label!r} {name!r}".encode())
    return digest.hexdigest()


def digests(state: State) -> dict[str, str]:
    """Return the digest of each row of this state, by key."""
    return {key: sample(key, version).digest for key, version in state.items()}
