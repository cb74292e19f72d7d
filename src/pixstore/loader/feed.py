"""Rows to batches: everything of a loader that is neither order nor thread."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pixstore import codec
from pixstore.errors import BadRow, LimitExceededError, PixstoreError, RecordError
from pixstore.loader.described import Descriptions
from pixstore.loader.draws import Draws
from pixstore.loader.gather import Columns
from pixstore.loader.pool import BufferPool
from pixstore.loader.recipe import FieldResult, Recipe
from pixstore.loader.stored import FormatTable, Stored
from pixstore.records import Io
from pixstore.rows import Extents, Indices, Records, Rows, Slices
from pixstore.samples import Batch
from pixstore.schema import Format

Part: TypeAlias = tuple[int, int]
"""The rows of a batch in its chunk, half-open."""

GROUP_BYTES = 16 << 20
"""Batches are read several at once up to this size: each read costs about as much Python as copying a megabyte takes."""


@dataclass(frozen=True)
class Reading:
    """How records are read and what becomes of those that cannot be."""

    io: Io = "map"
    threads: int | None = None
    verify: bool = True
    exact: bool = False
    masks_errors: bool = False


@dataclass(frozen=True)
class Chunk:
    """Many rows, located at once; batches are parts of it."""

    places: Indices
    """Row numbers in the dataset: what order speaks of and draws depend on."""
    rows: Indices
    """The same rows as the dataset's origin numbers them."""
    located: Mapping[str, Records] | None
    """By field; without those whose records can only be read: each batch reads its own, as thousands may not fit into memory.

    None where one of the rows cannot be located: then each batch locates its own, and the one with that row tells.
    """
    numbers: Mapping[str, NDArray[Any]]
    """The columns that are numbers."""


Work: TypeAlias = Mapping[str, tuple[Records, FieldResult]]
"""Each field's records, and what is done with them."""


@dataclass(frozen=True)
class Plan:
    """What is to be done for one or several batches; `error` says why it cannot be done."""

    chunk: Chunk
    parts: Sequence[Part]
    seed: int
    epoch: int
    work: Work
    error: PixstoreError | None = None


@dataclass
class Counts:
    """What was read so far, over all epochs."""

    rows: int = 0
    bad_rows: int = 0
    alpha_images: int = 0
    """Images that had an alpha channel, which was laid over white."""


class Feed:
    """Reads any rows of a dataset as a batch: located, checked, decoded, transformed, in buffers that are used again."""

    def __init__(
        self, rows: Rows, selection: Indices | None, *, recipe: Recipe, fields: Sequence[str], columns: Sequence[str], reading: Reading
    ) -> None:
        self.counts = Counts()
        self._rows = rows
        self._selection = selection
        self._recipe = recipe
        self._fields = tuple(fields)
        self._columns = Columns(rows, columns)
        self._reading = reading
        self._pool = BufferPool()
        # Plans are made by one thread at a time, batches by several.
        self._lock = threading.Lock()
        self._tables: dict[str, FormatTable] = {}
        # Unknown before the first batch, which is then read alone.
        self._row_bytes = GROUP_BYTES
        self._descriptions = {name: Descriptions(len(rows), orient=recipe.orients) for name in self._fields}

    def chunk(self, places: Indices) -> Chunk:
        """Locate the records of these rows."""
        rows = places if self._selection is None else self._selection[places]
        numbers = self._columns.numbers(rows)
        try:
            located = {name: self._rows.locate(name, rows) for name in self._fields}
            return Chunk(places, rows, {name: records for name, records in located.items() if records is not None}, numbers)
        except RecordError:
            return Chunk(places, rows, None, numbers)

    def grouped(self, parts: Sequence[Part]) -> Iterator[list[Part]]:
        """Yield parts of a chunk that follow each other in groups that are best read at once: small images in larger reads."""
        group: list[Part] = []
        for each in parts:
            if group and (each[1] - group[0][0]) * self._row_bytes > GROUP_BYTES:
                yield group
                group = []
            group.append(each)
        if group:
            yield group

    def plan(self, chunk: Chunk, parts: Sequence[Part], *, seed: int, epoch: int) -> Plan:
        """Return what is to be done for these (start, stop) of the chunk's rows, which follow each other; what fails is in the plan."""
        start, stop = parts[0][0], parts[-1][1]
        rows, places = chunk.rows[start:stop], chunk.places[start:stop]
        try:
            whole = chunk.located
            located = self._locate(rows) if whole is None else self._part(whole, rows, start, stop)
            work = self._work(located, rows, self._draws(places, seed, epoch))
        except PixstoreError as error:
            return Plan(chunk, parts, seed, epoch, {}, error)
        self._row_bytes = max(1, sum(_bytes_of_one(result) for _, result in work.values()))
        return Plan(chunk, parts, seed, epoch, work)

    def read(self, plan: Plan, *, threads: int | None = None) -> list[Batch]:
        """Return a batch for each part of the plan. Raises one RecordError that names every bad row, unless they are masked."""
        start, stop = plan.parts[0][0], plan.parts[-1][1]
        bad: dict[int, BadRow] = {}
        if plan.error is None:
            values = self._load(plan.work, bad, threads or self._reading.threads)
        elif isinstance(plan.error, RecordError) and self._reading.masks_errors:
            values = self._load_others(plan, plan.error, bad, threads or self._reading.threads)
        else:
            raise plan.error
        with self._lock:
            self.counts.rows += stop - start
            self.counts.bad_rows += len(bad)
        return [self._batch(plan.chunk, each, values, start, bad) for each in plan.parts]

    def _batch(self, chunk: Chunk, own: Part, values: Mapping[str, Any], first: int, bad: Mapping[int, BadRow]) -> Batch:
        """Return the batch of one part of the rows that were read, of which the chunk's row `first` is the first."""
        start, stop = own
        mine = {name: value[start - first : stop - first] for name, value in values.items()}
        mine |= {name: numbers[start:stop] for name, numbers in chunk.numbers.items()}
        mine |= self._columns.deferred(chunk.rows[start:stop])
        bad_here = [row for row in sorted(bad) if start - first <= row < stop - first] if bad else []
        if not bad_here:
            return Batch(mine, stop - start)
        ok = np.ones(stop - start, np.bool_)
        ok[np.array(bad_here) - (start - first)] = False
        return Batch(mine, stop - start, ok=ok, bad=tuple(bad[row] for row in bad_here))

    def _draws(self, places: Indices, seed: int, epoch: int) -> Draws | None:
        return Draws(seed, epoch, places) if self._recipe.is_random else None

    def _part(self, whole: Mapping[str, Records], rows: Indices, start: int, stop: int) -> dict[str, Records]:
        """Return the records of a chunk's rows start to stop; those that can only be read are read now."""
        return {name: part(whole[name], start, stop) if name in whole else self._rows.read(name, rows) for name in self._fields}

    def _locate(self, rows: Indices) -> dict[str, Records]:
        return {name: self._rows.locate(name, rows) or self._rows.read(name, rows) for name in self._fields}

    def _work(self, located: Mapping[str, Records], rows: Indices, draws: Draws | None) -> Work:
        """Return each field's records and what is done with them. Raises RecordError naming what is no image."""
        described, stored = {}, {}
        for name, records in located.items():
            each = self._descriptions[name].describe(records, rows, threads=self._reading.threads, io=self._reading.io)
            if each.failures:
                raise codec.record_error(records, each.failures)
            described[name] = each.records
            stored[name] = self._stored(name, each.records, each.orientation)
        results = self._recipe.programs(stored, draws, lambda record: next(iter(described.values())).name(record)[1])
        return {name: (records, results[name]) for name, records in described.items()}

    def _load(self, work: Work, bad: dict[int, BadRow], threads: int | None) -> dict[str, Any]:
        """Return the array, or list of arrays, of each field; what fails while it is decoded is zero and noted in `bad`, or raised."""
        loaded = {name: self._load_field(name, records, result, bad, threads) for name, (records, result) in work.items()}
        with self._lock:
            self.counts.alpha_images += sum(alpha_images(records) for name, (records, _) in work.items() if self._recipe.flattens(name))
        return loaded

    def _stored(self, name: str, records: Records, orientation: NDArray[np.uint8] | None) -> Stored:
        table = self._tables.get(name)
        if table is None or (table.formats is not records.formats and table.formats != records.formats):
            table = self._tables[name] = FormatTable(records.formats)
        return table.stored(records.format, orientation)

    def _load_field(self, name: str, records: Records, result: FieldResult, bad: dict[int, BadRow], threads: int | None) -> Any:
        out = self._slots(result, len(records)) if len(records) else self._nothing(name)
        how = self._reading
        failures = codec.load(records, result.steps, out, exact=how.exact, threads=threads, verify=how.verify, io=how.io)
        if failures and not how.masks_errors:
            raise codec.record_error(records, failures)
        for (record, _, _), row in zip(failures, codec.bad_rows(records, failures), strict=True):
            bad[record] = row
        return out

    def _slots(self, result: FieldResult, count: int) -> Any:
        try:
            if result.shape is not None and result.dtype is not None:
                return self._pool.array((count, *result.shape), result.dtype)
            return [np.empty(result.shape_of(record), result.dtype_of(record)) for record in range(count)]
        except MemoryError as error:
            raise LimitExceededError(f"a batch of {count} images does not fit into memory ({error}): make the batch smaller") from error

    def _nothing(self, name: str) -> Any:
        """Return a batch of no images, of the shape that others have where that is known."""
        shape, dtype = self._recipe.static_shapes()[name]
        if shape is None or dtype is None or None in shape:
            return []
        return np.empty((0, *(size for size in shape if size is not None)), dtype)

    def _load_others(self, plan: Plan, error: RecordError, bad: dict[int, BadRow], threads: int | None) -> dict[str, Any]:
        """Return what `_load` does where some rows cannot even be located or described: those are zero, or None in a list."""
        own = slice(plan.parts[0][0], plan.parts[-1][1])
        rows, places = plan.chunk.rows[own], plan.chunk.places[own]
        wrong: dict[int, BadRow] = {}
        failed: RecordError | None = error
        while failed is not None:
            wrong |= {each.row: each for each in failed.bad_rows}
            good = np.flatnonzero(~np.isin(rows, list(wrong)))
            try:
                work = self._work(self._locate(rows[good]), rows[good], self._draws(places[good], plan.seed, plan.epoch))
                failed = None
            except RecordError as another:
                # Each error names a row that was taken for good before.
                failed = another
        found: dict[int, BadRow] = {}
        loaded = self._load(work, found, threads)
        bad |= {int(good[place]): row for place, row in found.items()}
        bad |= {place: wrong[row] for place, row in enumerate(rows.tolist()) if row in wrong}
        return {name: _spread(arrays, good, len(rows)) for name, arrays in loaded.items()}


def _bytes_of_one(result: FieldResult) -> int:
    """Return how many bytes one image comes out as. Images that differ are not read in groups: each has memory of its own anyway."""
    if result.shape is None or result.dtype is None:
        return GROUP_BYTES
    return math.prod(result.shape) * result.dtype.itemsize


def _spread(arrays: Any, good: Indices, count: int) -> Any:
    """Return the arrays at their places among `count`."""
    if isinstance(arrays, list):
        spread: list[Any] = [None] * count
        for place, array in zip(good.tolist(), arrays, strict=True):
            spread[place] = array
        return spread
    whole = np.zeros((count, *arrays.shape[1:]), arrays.dtype)
    whole[good] = arrays
    return whole


def has_alpha(known: Format) -> bool:
    """Return whether images of this format have an alpha channel; four channels of a JPEG are CMYK."""
    return known.codec != "jpeg" and known.shape is not None and len(known.shape) == 3 and known.shape[2] in (2, 4)


def alpha_images(records: Records) -> int:
    """Return how many of the records have an alpha channel."""
    alpha = [has_alpha(each) for each in records.formats]
    return int(np.array(alpha, np.bool_)[records.format].sum()) if any(alpha) else 0


def part(records: Records, start: int, stop: int) -> Records:
    """Return records `start` to `stop`; arrays are views."""
    place = records.place
    if isinstance(place, Extents):
        taken: Any = Extents(place.paths, place.file[start:stop], place.offset[start:stop], place.length[start:stop])
    elif isinstance(place, Slices):
        taken = Slices(place.data, place.offset[start:stop], place.length[start:stop])
    else:
        taken = place[start:stop]
    return Records(
        taken,
        records.formats,
        records.format[start:stop],
        lambda record: records.name(start + record),
        None if records.checksum is None else records.checksum[start:stop],
        None if records.seed is None else records.seed[start:stop],
    )
