"""Which engines say where records lie, which hand them over through their library alone, and which are tested in depth."""

from __future__ import annotations

from pixstore.registry import ENGINES

HANDING = ("parquet", "tiledb", "sqlite")
LOCATING = tuple(name for name in ENGINES if name not in HANDING)
DEEP = ("packed", "files", "lmdb", "hdf5")
# What random tests try of these and of those: the rules that they prove are of the store, not of each further engine.
TRIES_OF_FURTHER = 2


def seeded(tries: int) -> list[tuple[str, int]]:
    """Return (engine, seed) for each test of a promise by chance: all seeds of the engines tested in depth, a few of the others."""
    return [(name, seed) for name in ENGINES for seed in range(tries if name in DEEP else min(tries, TRIES_OF_FURTHER))]
