"""A consumer that takes so many images per second, as a GPU in training does, and what it had to wait."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

import pixstore
from pixstore.bench.lab.lab import Lab
from pixstore.bench.lab.parts import mixes_channels
from pixstore.bench.ways.base import Found, Reader, Way, Work
from pixstore.bench.ways.ours import COLUMNS, StoreReader
from pixstore.bench.ways.source import SourceReader
from pixstore.errors import InvalidInputError
from pixstore.loader.prefetch import prefetch

AHEAD = 2
"""Batches made in advance, by our loader and for every other way."""
COMPARED = 4
"""Batches that are kept to be compared afterwards: holding all would take memory that a training does not take."""


@dataclass
class Taken:
    """What a consumer got after its first batch: how many images in how many seconds, of which it waited so many."""

    images: int = 0
    seconds: float = 0.0
    waited: float = 0.0
    kept: list[Found] = field(default_factory=list)

    @property
    def waiting_share(self) -> float:
        """Of the seconds, what it waited: 0 … 1."""
        return self.waited / self.seconds

    @property
    def rate(self) -> float:
        """Images per second that it reached."""
        return self.images / self.seconds


def consume(batches: Iterator[Found], images_per_second: float, seconds: float, lead_seconds: float) -> Taken:
    """Return what a consumer got that computes on each batch for as long as its demand says, and stopped after these seconds.

    As a GPU does, it leaves the CPU alone while it computes, and the next batch is fetched meanwhile; it waits where that is not there in
    time. Counted is from `lead_seconds` after the first batch on: by then what was made before anybody asked is used up, if it can
    be. `images_per_second` may be infinite: then it does nothing but take. Raises InvalidInputError where there are too few
    batches to tell anything.
    """
    batch = next(batches)
    taken = Taken(kept=[batch])
    counted_from = starts = time.perf_counter()
    leads_until = starts + lead_seconds
    while starts - counted_from < seconds:
        early = starts - time.perf_counter()
        if early > 0:
            time.sleep(early)
        following = next(batches, None)
        if following is None:
            break
        came, ends = time.perf_counter(), starts + len(batch.labels) / images_per_second
        starts = max(came, ends)
        taken.images += len(batch.labels)
        taken.waited += starts - ends
        taken.seconds = starts - counted_from
        if counted_from < leads_until <= starts:
            taken.images, taken.waited, taken.seconds, counted_from = 0, 0.0, 0.0, starts
        if len(taken.kept) < COMPARED:
            taken.kept.append(following)
        batch = following
    if not taken.images:
        raise InvalidInputError("too few batches to tell how they follow each other; take more of them")
    return taken


@contextmanager
def made_ahead(lab: Lab, way: Way, work: Work, rows: NDArray[np.int64], batch: int) -> Iterator[Iterator[Found]]:
    """Yield the batches of these rows, in their order, made in the background.

    By our loader where the way is ours or the data as it lies; else by one thread that reads one batch after the other. So are ours
    where channels are mixed: the loader hands such images over as RGB alone, the others as they are.
    """
    reader = way.reader(lab.stored(way, work), work)
    try:
        is_loaded = not mixes_channels(work.images)
        if is_loaded and isinstance(reader, StoreReader):
            with _loaded(reader.dataset, "image", rows, batch, way.threads) as batches:
                yield (Found(each["image"], each["label"]) for each in batches)
        elif is_loaded and isinstance(reader, SourceReader) and lab.sample.dataset is not None and work.rows is not None:
            name = lab.sample.image_field
            with _loaded(lab.sample.dataset, name, work.rows[rows], batch, way.threads) as batches:
                # The labels of a source lie in its table, which opening has read.
                yield (Found(each[name], work.labels[rows[start : start + batch]]) for start, each in _counted(batches, batch))
        else:
            with prefetch(_read(reader, rows, batch), ahead=AHEAD) as found:
                yield found
    finally:
        reader.close()


def _read(reader: Reader, rows: NDArray[np.int64], batch: int) -> Iterator[Found]:
    for start in range(0, len(rows), batch):
        yield reader.read(rows[start : start + batch])


@contextmanager
def _loaded(dataset: pixstore.Dataset, name: str, rows: NDArray[np.int64], batch: int, threads: int) -> Iterator[Iterator[pixstore.Batch]]:
    """Yield the batches of our loader, with pixels as they are stored: no colours changed, nothing turned."""
    columns = [each for each in COLUMNS if each in dataset.table.column_names]
    loader = dataset.select(rows).loader(
        batch, fields=[name], columns=columns, color="keep", orientation="ignore", threads=threads, ahead=AHEAD
    )
    passing = iter(loader)
    try:
        yield passing
    finally:
        passing.close()


def _counted(batches: Iterator[pixstore.Batch], batch: int) -> Iterator[tuple[int, pixstore.Batch]]:
    for number, each in enumerate(batches):
        yield number * batch, each
