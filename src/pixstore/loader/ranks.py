"""Which positions of an epoch are whose: global steps, and each rank's batch of a step.

The epoch is one global sequence of positions. A global step takes the next world · batch of them, and rank r has the r-th contiguous
slice. Near the end the rest is spread evenly, so that every rank has as many batches as any other. A step depends on how many rows
there are, where it starts, batch and world alone: an epoch may go on at any step's border, also with another batch or world.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pixstore.errors import InvalidInputError
from pixstore.rows import Indices


@dataclass(frozen=True)
class Steps:
    """The global steps of an epoch of `count` rows over `world` ranks, each with batches of `batch` rows.

    Every position comes exactly once. drop_last leaves out the rows of a step that is not full; pad fills the last step up to a
    multiple of the world with the epoch's first rows. Positions are counted over all ranks, without those that pad adds.
    """

    count: int
    batch: int
    world: int = 1
    drop_last: bool = False
    pad: bool = False

    def __post_init__(self) -> None:
        if self.batch < 1:
            raise InvalidInputError(f"a batch of {self.batch} rows; it needs at least one")
        if self.world < 1:
            raise InvalidInputError(f"world_size {self.world} is not positive")
        if self.drop_last and self.pad:
            raise InvalidInputError("drop_last and pad are two answers to one question; give one of them")

    @property
    def full(self) -> int:
        """How many rows a full step has over all ranks."""
        return self.batch * self.world

    def count_from(self, position: int = 0) -> int:
        """Return how many steps there are from this position on: the batches that each rank still gets."""
        left = self._left(position)
        return left // self.full if self.drop_last else -(-left // self.full)

    def take(self, position: int) -> int:
        """Return how many rows the step at this position takes, over all ranks and without padding; 0 where the epoch is over."""
        left = self._left(position)
        if left <= self.full:
            return 0 if self.drop_last and left < self.full else left
        if self.drop_last or self.pad:
            return self.full
        # A last step with a row for less than all ranks is avoided by halving what is left, where that gives each rank a row twice.
        leaves_too_few = left - self.full < self.world
        return -(-left // 2) if leaves_too_few and left >= 2 * self.world else self.full

    def slice(self, position: int, rank: int) -> tuple[int, int]:
        """Return the half-open range of positions that this rank has in the step at `position`.

        With pad it may reach beyond `count`: those are the epoch's first positions again, as `positions` has them.
        """
        if not 0 <= rank < self.world:
            raise InvalidInputError(f"rank {rank} is outside a world of {self.world}")
        rows = self.take(position)
        if self.pad:
            rows = -(-rows // self.world) * self.world
        each, more = divmod(rows, self.world)
        start = position + rank * each + min(rank, more)
        return start, start + each + (rank < more)

    def positions(self, slices: Sequence[tuple[int, int]]) -> Indices:
        """Return the positions of these slices, one after the other; those that pad repeats are the epoch's first."""
        if all(one[1] == other[0] for one, other in itertools.pairwise(slices)):
            positions = np.arange(slices[0][0], slices[-1][1]) if slices else np.empty(0, np.int64)
        else:
            positions = np.concatenate([np.arange(*each) for each in slices])
        return positions % self.count if self.pad and self.count else positions

    def empty_ranks_from(self, position: int = 0) -> int:
        """Return how many ranks get an empty last batch, in the epoch from this position on."""
        steps = self.count_from(position)
        if self.drop_last or self.pad or not steps:
            return 0
        # Halving may shift rows between the last two steps, so the last is found from the one before.
        start = position + max(steps - 2, 0) * self.full
        last = self.take(start) if steps == 1 else self._left(start) - self.take(start)
        return max(self.world - last, 0)

    def _left(self, position: int) -> int:
        if not 0 <= position <= self.count:
            raise InvalidInputError(f"position {position:,} is outside an epoch of {self.count:,} rows")
        return self.count - position
