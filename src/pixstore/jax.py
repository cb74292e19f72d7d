"""Batches as JAX arrays, put on the devices of this process."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from pixstore.errors import DependencyError, InvalidInputError
from pixstore.loader.loader import Loader
from pixstore.samples import Batch, Deferred

try:
    import jax
except ImportError as error:
    raise DependencyError(f"pixstore.jax needs 'jax' ({error}): pip install 'pixstore[jax]'") from error


class Batches:
    """An iterable of Batch whose fields and number columns are jax.Arrays; each pass over it is the loader's next epoch.

    Axes are the loader's: N·H·W·C, or N·C·H·W after ChannelsFirst. Keys, text and columns with nulls are lists, fields of several shapes
    lists of arrays. 64-bit numbers become 32-bit ones unless JAX is told to keep them (jax_enable_x64).

    sharding: how the first axis is spread over the devices of all processes (a jax.sharding.Sharding); each process brings its rows. The
    devices must divide the rows of every batch: ds.loader(…, drop_last=True). None puts batches on the default device.
    rank, world_size: whose share this is; by default the loader's, or process_index and process_count where the loader has no ranks.
    """

    def __init__(
        self, loader: Loader, *, sharding: jax.sharding.Sharding | None = None, rank: int | None = None, world_size: int | None = None
    ) -> None:
        self.loader = _ranked(loader, rank, world_size)
        self._sharding = sharding
        self._fields = frozenset(self.loader.field_names)

    def __len__(self) -> int:
        """How many batches a whole epoch has, the same for every process."""
        return len(self.loader)

    def __iter__(self) -> Iterator[Batch]:
        for batch in self.loader:
            yield Batch({name: self._value(batch, name) for name in batch}, len(batch), ok=batch.ok, bad=batch.bad)

    @property
    def epoch(self) -> int:
        """The epoch that is being read, or the next one where none is."""
        return self.loader.epoch

    def set_epoch(self, epoch: int) -> None:
        """Let the next pass be this epoch, from its beginning."""
        self.loader.set_epoch(epoch)

    def state_dict(self) -> dict[str, int]:
        """Return where the epoch stands, by the batches that were handed out."""
        return self.loader.state_dict()

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        """Let the next pass be the rest of the epoch that a `state_dict()` speaks of."""
        self.loader.load_state_dict(state)

    def _value(self, batch: Batch, name: str) -> Any:
        # Keys and text are made when somebody asks for them.
        return self._put(batch[name]) if name in self._fields else Deferred(lambda: self._put(batch[name]))

    def _put(self, value: Any) -> Any:
        if isinstance(value, list) and any(isinstance(each, np.ndarray) for each in value):
            return [jax.device_put(each) if isinstance(each, np.ndarray) else each for each in value]
        if not isinstance(value, np.ndarray):
            return value
        if self._sharding is None:
            return jax.device_put(value)
        return jax.make_array_from_process_local_data(self._sharding, value)


def _ranked(loader: Loader, rank: int | None, world_size: int | None) -> Loader:
    if (rank is None) != (world_size is None):
        raise InvalidInputError(f"rank={rank}, world_size={world_size}: give both, or neither")
    if rank is not None and world_size is not None:
        return loader.replace(rank=rank, world_size=world_size)
    if loader.options.world_size == 1 and jax.process_count() > 1:
        return loader.replace(rank=jax.process_index(), world_size=jax.process_count())
    return loader
