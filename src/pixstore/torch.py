"""Batches as PyTorch tensors.

`Batches(loader)` is the fastest way: the native loader, whose threads need no worker processes. `StreamDataset` and `MapDataset` are for
code that wants a `torch.utils.data.DataLoader`; a plain `DataLoader(ds, batch_size=64)` over a Dataset works as well, its images N·H·W·C.

Images are N·C·H·W tensors on the memory that the loader decoded into; nothing is copied. Without ChannelsFirst that memory is N·H·W·C,
which torch calls channels_last. Fields N·H·W keep their axes. uint16 becomes int32, as torch computes with no unsigned 16-bit numbers.
Columns of whole numbers are int64 (uint64 stays), others keep their type; keys, text and columns with nulls are lists.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from multiprocessing import connection
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pixstore.codec import usable_cpus
from pixstore.errors import BadRow, DependencyError, InvalidInputError, RowNotFoundError, WorkerDiedError
from pixstore.loader.loader import Loader
from pixstore.samples import Batch, Deferred

try:
    import torch
    from torch import distributed
    from torch.utils import data
except ImportError as error:
    raise DependencyError(f"pixstore.torch needs 'torch' ({error}): pip install 'pixstore[torch]'") from error

StartMethod: TypeAlias = Literal["fork", "spawn", "forkserver"]


class TensorBatch(Batch, MutableMapping[str, Any]):
    """A Batch whose fields and number columns are tensors; values may be replaced: `batch["image"] = model.prepare(batch["image"])`.

    position is where the epoch stands after this batch, counted in samples over all ranks, as in `Loader.state_dict()`.
    """

    def __init__(
        self,
        values: Mapping[str, Any],
        count: int | None = None,
        *,
        position: int | None = None,
        ok: NDArray[np.bool_] | None = None,
        bad: tuple[BadRow, ...] = (),
    ) -> None:
        # Code that rebuilds mappings, as torch's own does, hands over the values alone.
        super().__init__(values, _count(values) if count is None else count, ok=ok, bad=bad)
        self.position = position

    def __getitem__(self, name: str) -> Any:
        if isinstance(name, int):
            raise InvalidInputError("this is a batch already, which DataLoader would collate: give it collate_fn=pixstore.torch.collate")
        return super().__getitem__(name)

    def __setitem__(self, name: str, value: Any) -> None:
        self._values[name] = value

    def __delitem__(self, name: str) -> None:
        del self._values[name]

    def __copy__(self) -> TensorBatch:
        # What torch's default_convert and its pinning begin with, so that `ok` and `position` are not lost there.
        return self._each(lambda tensor: tensor)

    def to(self, device: torch.device | str | int, *, non_blocking: bool = False) -> TensorBatch:
        """Return this batch with its tensors on a device."""
        return self._each(lambda tensor: tensor.to(device, non_blocking=non_blocking))

    def pin_memory(self) -> TensorBatch:
        """Return this batch with its tensors in page-locked memory, from where copies to a GPU can run in the background."""
        return self._each(lambda tensor: tensor.pin_memory())

    def __reduce__(self) -> tuple[Any, ...]:
        return partial(TensorBatch, position=self.position, ok=self.ok, bad=self.bad), (dict(self), len(self))

    def _each(self, change: Callable[[torch.Tensor], torch.Tensor]) -> TensorBatch:
        values = {name: _changed(value, change) for name, value in self._values.items()}
        return TensorBatch(values, len(self), position=self.position, ok=self.ok, bad=self.bad)


def _count(values: Mapping[str, Any]) -> int:
    return len(next(iter(values.values()))) if values else 0


def _changed(value: Any, change: Callable[[torch.Tensor], torch.Tensor]) -> Any:
    if isinstance(value, Deferred):
        return Deferred(lambda: _changed(value.make(), change))
    if isinstance(value, list):
        return [_changed(each, change) for each in value]
    return change(value) if isinstance(value, torch.Tensor) else value


@dataclass(frozen=True)
class _Layout:
    """Which values of a loader's batches are fields, and which of those have their channels first."""

    fields: frozenset[str]
    channels_first: frozenset[str]

    @classmethod
    def of(cls, loader: Loader) -> _Layout:
        return cls(frozenset(loader.field_names), loader.channels_first)

    def tensors(self, batch: Batch, position: int | None = None) -> TensorBatch:
        """Return the batch as tensors on the same memory."""
        values = {name: self._value(batch, name) for name in batch}
        return TensorBatch(values, len(batch), position=position, ok=batch.ok, bad=batch.bad)

    def _value(self, batch: Batch, name: str) -> Any:
        if name in self.fields:
            return _images(batch[name], name in self.channels_first)
        # Keys and text are made when somebody asks for them.
        return Deferred(lambda: _column(batch[name]))


def _images(value: Any, channels_first: bool) -> Any:
    """Return the tensor of an N·H·W·C array with its channels first; in a list, that of each image."""
    if isinstance(value, list):
        return [None if each is None else _tensor(each, each.ndim == 3 and not channels_first) for each in value]
    return _tensor(value, value.ndim == 4 and not channels_first) if isinstance(value, np.ndarray) else value


def _tensor(array: NDArray[Any], has_channels_last: bool = False) -> torch.Tensor:
    if array.dtype == np.uint16:
        tensor = torch.from_numpy(array.astype(np.int32))
    elif array.dtype.name == "bfloat16":
        # NumPy's bfloat16 is a type of ml_dtypes, which torch does not know; the bits are the same.
        tensor = torch.from_numpy(array.view(np.int16)).view(torch.bfloat16)
    else:
        tensor = torch.from_numpy(array)
    return tensor.movedim(-1, -3) if has_channels_last else tensor


def _column(value: Any) -> Any:
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "biuf":
        return value
    whole = value.dtype.kind in "iu" and value.dtype != np.uint64
    return torch.from_numpy(np.require(value, np.int64 if whole else None, ["W"]))


class Batches:
    """An iterable of TensorBatch; each pass over it is the loader's next epoch.

    workers: 0 reads in threads of this process, which is fastest unless a Python function is among the transforms. More are processes
    that take turns, each with its share of the CPUs, and give the same batches in the same order; they stay from one pass to the next,
    and a pass that begins ends the one before. One that dies is a WorkerDiedError that names it. start_method: None is Python's default.
    rank, world_size: whose share this is; by default the loader's, or torch.distributed's where that runs and the loader has no ranks.
    pin_memory: page-locked memory; by default where CUDA is there.
    """

    def __init__(
        self,
        loader: Loader,
        *,
        workers: int = 0,
        start_method: StartMethod | None = None,
        rank: int | None = None,
        world_size: int | None = None,
        pin_memory: bool | None = None,
    ) -> None:
        if workers < 0:
            raise InvalidInputError(f"workers is {workers}: 0 for threads of this process, or how many processes")
        self.loader = _ranked(loader, rank, world_size)
        self._workers = workers
        self._start_method = start_method
        self._pins = torch.cuda.is_available() if pin_memory is None else pin_memory
        self._processes: data.DataLoader[TensorBatch] | None = None
        self._passes = 0

    def __len__(self) -> int:
        """How many batches a whole epoch has, the same for every rank."""
        return len(self.loader)

    def __iter__(self) -> Iterator[TensorBatch]:
        batches = self._from_workers() if self._workers else self._from_threads()
        return (batch.pin_memory() for batch in batches) if self._pins else batches

    @property
    def epoch(self) -> int:
        """The epoch that is being read, or the next one where none is."""
        return self.loader.epoch

    def set_epoch(self, epoch: int) -> None:
        """Let the next pass be this epoch, from its beginning."""
        self.loader.set_epoch(epoch)

    def state_dict(self) -> dict[str, int]:
        """Return where the epoch stands, by the batches that were handed out here, whatever workers have made in advance."""
        return self.loader.state_dict()

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        """Let the next pass be the rest of the epoch that a `state_dict()` speaks of, also one of other ranks, workers or batch sizes."""
        self.loader.load_state_dict(state)
        # The workers' loaders have the seed of before.
        self.close()

    def close(self) -> None:
        """End the worker processes; the next pass starts others."""
        self._passes += 1
        processes, self._processes = self._processes, None
        if processes is not None and processes._iterator is not None:
            # Left to the garbage collector, which may take a queue before the process that waits for its end, this takes 5 seconds.
            processes._iterator._shutdown_workers()

    def _from_threads(self) -> Iterator[TensorBatch]:
        layout = _Layout.of(self.loader)
        for batch in self.loader:
            yield layout.tensors(batch, self.loader.state_dict()["position"])

    def _from_workers(self) -> Iterator[TensorBatch]:
        epoch, position = self.loader.begin()
        self._passes += 1
        number = self._passes
        for batch in self._received(epoch, position):
            self.loader.delivered(epoch, batch.position)
            yield batch
            if number != self._passes:
                raise InvalidInputError("this pass has ended, as its workers were closed or began another: iterate anew")
        self.loader.finished(epoch)

    def _received(self, epoch: int, position: int) -> Iterator[Any]:
        if self._processes is None:
            self._processes = self._start_workers()
        self._processes.dataset.start_at(epoch, position)
        try:
            yield from self._processes
        except Exception as error:
            dead: list[str] = []
            # Torch's handler of SIGCHLD raises wherever this process is, and again when another worker ends.
            with suppress(RuntimeError):
                dead = self._dead_workers(error)
            with suppress(RuntimeError):
                dead = dead or self._dead_workers(error)
                self.close()
            if dead:
                raise WorkerDiedError(f"{', '.join(dead)}; where memory ran out, take fewer workers or smaller batches") from error
            raise

    def _dead_workers(self, error: Exception) -> list[str]:
        iterator = None if self._processes is None else self._processes._iterator
        workers = [] if iterator is None else iterator._workers
        if isinstance(error, EOFError | OSError):
            # A broken pipe is noticed before the end of the process behind it.
            ended = connection.wait([each.sentinel for each in workers], timeout=1)
            for each in workers:
                each.join(1 if each.sentinel in ended else 0)
        return [f"worker process {each.pid} ended with status {each.exitcode}" for each in workers if each.exitcode is not None]

    def _start_workers(self) -> data.DataLoader[TensorBatch]:
        options = self.loader.options
        return data.DataLoader(
            StreamDataset(self.loader, rank=options.rank, world_size=options.world_size),
            batch_size=None,
            num_workers=self._workers,
            multiprocessing_context=self._start_method,
            persistent_workers=True,
        )


class _Shared:
    """A loader for a DataLoader's processes: each has its share of the CPUs, all begin where the main process says."""

    def __init__(self, loader: Loader) -> None:
        self.loader = loader
        self._for_worker: Loader | None = None
        # Shared memory, as a worker that stays from epoch to epoch has a copy of everything else.
        self.start = torch.tensor([loader.epoch, loader.state_dict()["position"]], dtype=torch.int64).share_memory_()

    def here(self) -> Loader:
        """Return the loader as this process uses it."""
        worker = data.get_worker_info()
        if worker is None or self.loader.options.threads is not None:
            return self.loader
        if self._for_worker is None:
            self._for_worker = self.loader.replace(threads=max(1, usable_cpus() // worker.num_workers))
        return self._for_worker


class StreamDataset(data.IterableDataset[TensorBatch]):  # type: ignore[misc]
    """The batches of a loader for `DataLoader(StreamDataset(loader), batch_size=None, num_workers=2)`, whose workers share them.

    Each worker makes every workers-th batch, so that taking turns gives the order of one process. As with torch's DistributedSampler,
    call `set_epoch` before each pass. rank, world_size: as for Batches.
    """

    def __init__(self, loader: Loader, *, rank: int | None = None, world_size: int | None = None) -> None:
        self._shared = _Shared(_ranked(loader, rank, world_size))

    @property
    def loader(self) -> Loader:
        """The loader of this rank."""
        return self._shared.loader

    def __len__(self) -> int:
        return len(self.loader)

    def set_epoch(self, epoch: int) -> None:
        """Let the next pass be this epoch, from its beginning."""
        self.start_at(epoch, 0)

    def start_at(self, epoch: int, position: int) -> None:
        """Let the next pass be this epoch, from `position` on, which counts samples over all ranks."""
        self._shared.start[0], self._shared.start[1] = epoch, position

    def __iter__(self) -> Iterator[TensorBatch]:
        loader = self._shared.here()
        worker = data.get_worker_info()
        number, count = (0, 1) if worker is None else (worker.id, worker.num_workers)
        layout = _Layout.of(loader)
        epoch, position = self._shared.start.tolist()
        for batch, end in loader.batches(epoch, position, worker=number, workers=count):
            yield layout.tensors(batch, end)


class MapDataset(data.Dataset[TensorBatch]):  # type: ignore[misc]
    """The rows of a loader's dataset, transformed as that loader does, for samplers of torch: a whole batch is one native call.

    dataset = MapDataset(ds.loader(64, transforms=[RandomResizedCrop(224)]))
    DataLoader(dataset, batch_size=64, sampler=DistributedSampler(dataset), collate_fn=pixstore.torch.collate)

    The sampler decides on rows and batches, not the loader. Random transforms depend on (seed, epoch, row): call `set_epoch` before each
    pass.
    """

    def __init__(self, loader: Loader) -> None:
        self._shared = _Shared(loader)

    def __len__(self) -> int:
        """How many rows there are."""
        return self._shared.loader.row_count

    def set_epoch(self, epoch: int) -> None:
        """Let random transforms be those of this epoch, in running workers too."""
        self._shared.start[0] = epoch

    def __getitem__(self, row: int | Sequence[int]) -> Any:
        """Return one row as a dict, its fields without the batch axis; of a list of rows, a TensorBatch. Raises RowNotFoundError."""
        if not isinstance(row, int | np.integer):
            return self.__getitems__(row)
        return {name: value[0] for name, value in self.__getitems__([int(row)]).items()}

    def __getitems__(self, rows: Sequence[int]) -> TensorBatch:
        """Return these rows as one batch, in the order asked."""
        asked, count = np.asarray(rows, np.int64), len(self)
        if len(asked) and not -count <= asked.min() <= asked.max() < count:
            raise RowNotFoundError(f"rows {asked.min()} to {asked.max()} are not all within this dataset of {count:,} samples")
        loader = self._shared.here()
        return _Layout.of(loader).tensors(loader.read_rows(np.where(asked < 0, asked + count, asked), int(self._shared.start[0])))


def collate(batch: Any) -> Any:
    """Return a batch that a MapDataset read at once as it is, anything else as torch's default_collate: the collate_fn for DataLoader."""
    return batch if isinstance(batch, TensorBatch) else data.default_collate(batch)


def _ranked(loader: Loader, rank: int | None, world_size: int | None) -> Loader:
    if (rank is None) != (world_size is None):
        raise InvalidInputError(f"rank={rank}, world_size={world_size}: give both, or neither")
    if rank is not None and world_size is not None:
        return loader.replace(rank=rank, world_size=world_size)
    if loader.options.world_size == 1 and distributed.is_available() and distributed.is_initialized():
        return loader.replace(rank=distributed.get_rank(), world_size=distributed.get_world_size())
    return loader
