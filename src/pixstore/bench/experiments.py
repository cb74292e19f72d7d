"""What is measured, and in which order: every cutoff is complete for all ways before the next one begins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pixstore.errors import InvalidInputError

EXPERIMENTS = ("store-one", "store-many", "read-one", "read-many", "read-shuffled", "disk")


@dataclass(frozen=True)
class Stage:
    """One number of images: how they are stored, which reads follow, and whether its cells are asked for."""

    images: int
    store: str
    reads: tuple[str, ...]
    times_store: bool
    measures_disk: bool


def check(experiments: Sequence[str]) -> None:
    """Raise InvalidInputError for a name that is no experiment, and for none at all."""
    unknown = [name for name in experiments if name not in EXPERIMENTS]
    if unknown or not experiments:
        raise InvalidInputError(f"no experiment {', '.join(map(repr, unknown)) or 'named'}; experiments are {', '.join(EXPERIMENTS)}")


def stages(experiments: Sequence[str], cutoffs: Sequence[int]) -> list[Stage]:
    """Return the single image first, then each cutoff, ascending."""
    found = []
    if {"store-one", "read-one"} & set(experiments):
        reads: tuple[str, ...] = ("read-one",) if "read-one" in experiments else ()
        found.append(Stage(1, "store-one", reads, "store-one" in experiments, False))
    if {"store-many", "read-many", "read-shuffled", "disk"} & set(experiments):
        reads = tuple(name for name in ("read-many", "read-shuffled") if name in experiments)
        found += [Stage(images, "store-many", reads, "store-many" in experiments, "disk" in experiments) for images in sorted(set(cutoffs))]
    return found


def default_cutoffs(total: int | None) -> list[int]:
    """Return 1, 10 … 100,000, up to the number of images there are and that number itself; None for built-in images."""
    powers = [10**power for power in range(6)]
    if total is None or total >= powers[-1]:
        return powers
    return [*(each for each in powers if each < total), total]
