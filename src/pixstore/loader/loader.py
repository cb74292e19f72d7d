"""The loader: batches of an epoch in order, made ahead in the background, resumable at any of them."""

from __future__ import annotations

import itertools
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import cached_property, partial
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa

from pixstore import codec
from pixstore.errors import InvalidInputError, PixstoreError, SchemaError
from pixstore.loader.feed import Counts, Feed, Part, Plan, Reading
from pixstore.loader.options import LoaderOptions
from pixstore.loader.order import FullShuffle, InOrder, Order, WindowShuffle, randomness
from pixstore.loader.prefetch import Prefetched, prefetch_made
from pixstore.loader.ranks import Steps
from pixstore.loader.recipe import Recipe
from pixstore.loader.sampling import Bucketed, Weighted, balanced_weights
from pixstore.records import Io
from pixstore.rows import Indices, Rows
from pixstore.samples import Batch

ROWS_LOCATED_AT_ONCE = 16_384
PAGES_OF_A_WINDOW = 64
READERS = 2
"""Threads that make batches in advance, each with its share of the core's."""


Planned: TypeAlias = tuple[Plan, list[int]]
"""What is to be done for some batches, and the position after each."""


Read: TypeAlias = tuple[list[tuple[Batch, int]], Exception | None]
"""Batches, each with the position after it, and why there is no further one."""


class UnevenRanksWarning(UserWarning):
    """The last step has fewer rows than there are ranks."""


class Loader:
    """An iterable of batches; each pass over it is the next epoch, in an order of its own where it is shuffled.

    A pass that ended early is not gone on with: the next one begins the next epoch. To go on where another process stopped, hand its
    `state_dict()` to `load_state_dict`: the next pass is the rest of that epoch, also with another world or batch size.
    """

    def __init__(
        self,
        rows: Rows,
        options: LoaderOptions,
        *,
        remake: Callable[[LoaderOptions], Loader],
        selection: Indices | None = None,
        io: Io = "map",
    ) -> None:
        """`remake` makes a loader of the same dataset with other options; it is what a pickle of this one holds."""
        for option, given in (("fields", options.fields), ("columns", options.columns)):
            if isinstance(given, str):
                raise InvalidInputError(f"{option}={given!r} is no list of names; write {option}=[{given!r}]")
        schema = rows.schema
        names = schema.field_names if options.fields is None else tuple(options.fields)
        fields = [schema.field(name) for name in names]
        columns = schema.columns.names if options.columns is None else list(options.columns)
        unknown = [name for name in columns if name not in rows.table.column_names]
        if unknown:
            raise SchemaError(f"no column {unknown[0]!r}; columns here: {', '.join(rows.table.column_names)}")
        self.options = options
        self._remake = remake
        self._rows = rows
        self._selection = selection
        self._fields = names
        self._recipe = Recipe(options.transforms, fields, masks=options.masks, color=options.color, orientation=options.orientation)
        self._count = len(rows) if selection is None else len(selection)
        self._steps = Steps(self._count, options.batch_size, options.world_size, options.drop_last, options.pad)
        reading = Reading(io, options.threads, options.verify, options.exact, options.on_error == "mask")
        self._feed = Feed(rows, selection, recipe=self._recipe, fields=names, columns=columns, reading=reading)
        self._seed = options.seed
        # Which images come together in a bucketed epoch depends on it, so an epoch that goes on keeps it.
        self._block_rows = options.batch_size
        self._epoch = 0
        self._position = 0
        self._begun = False
        self._prepared = self._weights()

    def __len__(self) -> int:
        """How many batches a whole epoch has, the same for every rank."""
        return self._steps.count_from(0)

    def __iter__(self) -> Pass:
        return Pass(self, *self.begin())

    def begin(self) -> tuple[int, int]:
        """Return epoch and position of a pass that begins now: the next epoch where this one was begun before."""
        if self._begun:
            self.set_epoch(self._epoch + 1)
        self._begun = True
        if self._steps.empty_ranks_from(self._position):
            message = f"the last step has fewer rows than the {self.options.world_size} ranks: some get a batch of 0 rows"
            warnings.warn(f"{message}; drop_last=True leaves that step out, pad=True fills it", UnevenRanksWarning, stacklevel=3)
        return self._epoch, self._position

    @property
    def epoch(self) -> int:
        """The epoch that is being read, or the next one where none is."""
        return self._epoch

    def set_epoch(self, epoch: int) -> None:
        """Let the next pass be this epoch, from its beginning."""
        if epoch < 0:
            raise InvalidInputError(f"epoch is {epoch}: epochs count from 0")
        self._epoch, self._position, self._begun = epoch, 0, False

    def state_dict(self) -> dict[str, int]:
        """Return where the epoch stands, by the batches that were handed out; small, and plain numbers only.

        position counts the samples handed out in this epoch over all ranks.
        """
        state = {"seed": self._seed, "epoch": self._epoch, "position": self._position, "rows": self._count}
        return state if self.options.bucket is None else {**state, "block": self._block_rows}

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        """Let the next pass be the rest of the epoch that a `state_dict()` speaks of.

        Raises InvalidInputError where the state is of a dataset with another number of rows.
        """
        missing = {"seed", "epoch", "position"} - set(state)
        if missing:
            raise InvalidInputError(f"the state has no {', '.join(sorted(missing))}: it is none of Loader.state_dict()")
        if state.get("rows", self._count) != self._count or not 0 <= state["position"] <= self._count:
            raise InvalidInputError(
                f"the state is of {state.get('rows', 'other')} rows, this dataset has {self._count}: load it where it was made"
            )
        self._seed = int(state["seed"])
        self._block_rows = int(state.get("block", self._block_rows))
        self.set_epoch(int(state["epoch"]))
        self._position = int(state["position"])

    @property
    def counts(self) -> Counts:
        """What was read so far: rows, rows that were bad, images whose alpha was laid over white."""
        return self._feed.counts

    @cached_property
    def randomness(self) -> float:
        """How well the order mixes, measured: 0 is in order, 1 a full shuffle."""
        return randomness(self._order(self._epoch), self.options.batch_size)

    @property
    def row_count(self) -> int:
        """How many rows the dataset has."""
        return self._count

    @property
    def field_names(self) -> tuple[str, ...]:
        """The fields of each batch."""
        return self._fields

    @property
    def channels_first(self) -> frozenset[str]:
        """The fields whose batches are N·C·H·W."""
        return self._recipe.channels_first

    def static_shapes(self) -> Mapping[str, tuple[tuple[int | None, ...] | None, np.dtype[Any] | None]]:
        """Return shape and dtype of one image of each field, None where they depend on the row."""
        return self._recipe.static_shapes()

    def read_step(self, step: int, epoch: int | None = None) -> Batch:
        """Return this rank's batch of one step of an epoch (the present one by default), read now; the state stays as it is.

        Raises InvalidInputError beyond the last step.
        """
        steps = len(self)
        if not 0 <= step < steps:
            raise InvalidInputError(f"step {step} is outside the {steps} of an epoch")
        # All steps but the last two are full, and the last one begins wherever the one before it ends.
        position = min(step, max(steps - 2, 0)) * self._steps.full
        if step and step == steps - 1:
            position += self._steps.take(position)
        return next(self.batches(self._epoch if epoch is None else epoch, position))[0]

    def read_rows(self, rows: Indices, epoch: int | None = None) -> Batch:
        """Return these rows of the dataset, in this order, as an epoch (the present one by default) transforms them."""
        epoch = self._epoch if epoch is None else epoch
        return self._called(self._feed.read(self._feed.plan(self._feed.chunk(rows), [(0, len(rows))], seed=self._seed, epoch=epoch))[0])

    def replace(self, **options: Any) -> Loader:
        """Return a loader of the same dataset with some options changed, at the same place of the same epoch."""
        return _restored(self._remake, replace(self.options, **options), self.state_dict())

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (self._remake, self.options, self.state_dict())

    def batches(self, epoch: int, position: int = 0, *, worker: int = 0, workers: int = 1) -> Iterator[tuple[Batch, int]]:
        """Yield this rank's batches from `position` of an epoch on, each with the position after it; nothing is made in advance.

        Of `workers` that share the rank, `worker` makes every workers-th batch, so that taking turns gives them all in order.
        """
        for planned in self.plans(epoch, position, worker=worker, workers=workers):
            batches, error = self.read(planned)
            yield from batches
            if error is not None:
                raise error

    def plans(self, epoch: int, position: int = 0, *, worker: int = 0, workers: int = 1) -> Iterator[Planned]:
        """Yield what is to be done for the batches that `batches` yields: for several at once where images are small."""
        order = self._order(epoch)
        steps_at_once, step = 1, 0
        largest = max(1, ROWS_LOCATED_AT_ONCE // self.options.batch_size)
        while self._steps.take(position):
            spans: list[Part] = []
            ends: list[int] = []
            while len(spans) < steps_at_once and (taken := self._steps.take(position)):
                if step % workers == worker:
                    spans.append(self._steps.slice(position, self.options.rank))
                    ends.append(position + taken)
                position, step = position + taken, step + 1
            if spans:
                yield from self._planned(order, spans, ends, epoch)
            # The first batch shall not wait for the rows of many others.
            steps_at_once = min(2 * steps_at_once, largest)

    def _planned(self, order: Order, spans: list[Part], ends: list[int], epoch: int) -> Iterator[Planned]:
        chunk = self._feed.chunk(order.rows(self._steps.positions(spans)))
        stops = list(itertools.accumulate(stop - start for start, stop in spans))
        parts = list(zip([0, *stops], stops, strict=False))
        position_after = dict(zip(parts, ends, strict=True))
        for group in self._feed.grouped(parts):
            yield self._feed.plan(chunk, group, seed=self._seed, epoch=epoch), [position_after[each] for each in group]

    def read(self, planned: Planned, *, threads: int | None = None) -> Read:
        """Return the batches of a plan, each with the position after it, and the error of the one that cannot be made and ends them."""
        plan, ends = planned
        done: list[tuple[Batch, int]] = []
        try:
            batches = self._feed.read(plan, threads=threads)
            done.extend((self._called(batch), end) for batch, end in zip(batches, ends, strict=True))
        except PixstoreError as error:
            if len(ends) == 1 or done:
                return done, error
            return self._read_one_by_one(planned)
        except Exception as error:  # of the user's functions
            return done, error
        return done, None

    def _read_one_by_one(self, planned: Planned) -> Read:
        plan, ends = planned
        done: list[tuple[Batch, int]] = []
        for each, end in zip(plan.parts, ends, strict=True):
            alone = self._feed.plan(plan.chunk, [each], seed=plan.seed, epoch=plan.epoch)
            read, error = self.read((alone, [end]))
            done.extend(read)
            if error is not None:
                return done, error
        return done, None

    def ahead_of(self, epoch: int, position: int) -> Iterator[Read]:
        """Yield what `read` returns from `position` of an epoch on, made in advance as the options say."""
        plans = self.plans(epoch, position)
        ahead = self.options.ahead
        if not ahead:
            return map(self.read, plans)
        # While one thread plans, which is Python, the other is in the core; a function of the user's is called in one thread, in order.
        cpus = self.options.threads or codec.usable_cpus()
        readers = 1 if self._recipe.callables or cpus == 1 else READERS
        # A loader's very first batch is somebody waiting; in later passes the buffers are warm and only the rate counts.
        is_new = self.counts.rows == 0
        return prefetch_made(plans, partial(self.read, threads=-(-cpus // readers)), ahead=ahead, threads=readers, first_alone=is_new)

    def _called(self, batch: Batch) -> Batch:
        for function in self._recipe.callables:
            batch = function(batch)
        return batch

    def delivered(self, epoch: int, position: int) -> None:
        """Note that all up to this position of the epoch was handed out."""
        if epoch == self._epoch:
            self._position = position

    def finished(self, epoch: int) -> None:
        """Note that a pass came to the end of its epoch."""
        if epoch == self._epoch:
            self.set_epoch(epoch + 1)

    def __repr__(self) -> str:
        options = self.options
        order = "in order"
        if options.weights is not None or options.balance is not None:
            order = f"drawn with replacement, {'by weights' if options.balance is None else f'each {options.balance} as often'}"
        elif options.shuffle == "window":
            order = f"shuffled in windows of {options.window:,} rows, {self.randomness:.2f} of a full shuffle"
        elif options.shuffle:
            order = "shuffled"
        ranks = f", rank {options.rank} of {options.world_size}" if options.world_size > 1 else ""
        return f"<Loader of {len(self):,} batches of {options.batch_size:,} from {self._count:,} rows, {order}{ranks}>"

    def _order(self, epoch: int) -> Order:
        options = self.options
        order: Order = InOrder(self._count)
        if options.weights is not None or options.balance is not None:
            order = Weighted(self._prepared, self._seed, epoch)
        elif options.shuffle == "window":
            page_rows = max(1, options.window // PAGES_OF_A_WINDOW)
            order = WindowShuffle(self._count, self._seed, epoch, page_rows=page_rows, window_rows=options.window)
        elif options.shuffle:
            order = FullShuffle(self._count, self._seed, epoch)
        if options.bucket is None:
            return order
        return Bucketed(order, self._pixels, self._seed, epoch, block_rows=self._block_rows)

    def _weights(self) -> Any:
        if self.options.balance is not None:
            return balanced_weights(self._column(self.options.balance), name=self.options.balance)
        if self.options.weights is None:
            return None
        weights = np.asarray(self.options.weights, np.float64)
        if weights.shape != (self._count,):
            raise InvalidInputError(f"weights has the shape {weights.shape}: one number for each of the {self._count:,} rows is needed")
        return weights

    def _column(self, name: str) -> pa.ChunkedArray:
        table = self._rows.table
        if name not in table.column_names:
            raise SchemaError(f"no column {name!r}; columns here: {', '.join(table.column_names)}")
        return table[name] if self._selection is None else table[name].take(pa.array(self._selection))

    @cached_property
    def _pixels(self) -> Indices:
        """Height times width of each row's first field; headers are read where nothing states them."""
        rows = np.arange(self._count) if self._selection is None else self._selection
        field = self._rows.schema.field_names[0]
        areas = []
        for start in range(0, self._count, ROWS_LOCATED_AT_ONCE):
            some = rows[start : start + ROWS_LOCATED_AT_ONCE]
            records = codec.probe(self._rows.locate(field, some) or self._rows.read(field, some))
            shapes = codec.stored_shapes(records)
            areas.append(shapes[:, 0].astype(np.int64) * shapes[:, 1])
        return np.concatenate(areas) if areas else np.empty(0, np.int64)


class Pass:
    """One pass over a loader: an iterator whose next batches are being made. Ends cleanly when closed, forgotten or left by `break`."""

    def __init__(self, loader: Loader, epoch: int, position: int) -> None:
        self._loader = loader
        self._epoch = epoch
        self._reads = loader.ahead_of(epoch, position)
        self._ready: deque[tuple[Batch, int]] = deque()
        self._error: Exception | None = None

    def __iter__(self) -> Pass:
        return self

    def __next__(self) -> Batch:
        while not self._ready:
            if self._error is not None:
                self.close()
                error, self._error = self._error, StopIteration()
                raise error
            try:
                batches, self._error = next(self._reads)
            except StopIteration:
                self._loader.finished(self._epoch)
                raise
            self._ready.extend(batches)
        batch, position = self._ready.popleft()
        self._loader.delivered(self._epoch, position)
        return batch

    def close(self) -> None:
        """Stop making batches; may be called more than once."""
        self._ready.clear()
        if isinstance(self._reads, Prefetched):
            self._reads.close()


def _restored(remake: Callable[[LoaderOptions], Loader], options: LoaderOptions, state: Mapping[str, int]) -> Loader:
    loader = remake(options)
    loader.load_state_dict(state)
    return loader
