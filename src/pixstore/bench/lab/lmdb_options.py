"""LMDB's options for readers: read-ahead on and off, values copied by py-lmdb and looked at in place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from pixstore.bench import words
from pixstore.bench.lab.batches import check_batches, read_in_batches
from pixstore.bench.lab.caching import COLD, WARM, Cache, files_of, read_from
from pixstore.bench.lab.chart import RATE, Chart, value_of
from pixstore.bench.lab.lab import Lab
from pixstore.bench.lab.question import Observed, Question, Trial
from pixstore.bench.lab.ratios import Ratio
from pixstore.bench.measurements import Measurements, Observation, Value
from pixstore.bench.statistics import Spread
from pixstore.bench.ways.base import Found, Way, Work
from pixstore.bench.ways.hand_lmdb import WAY, HandLmdbReader
from pixstore.errors import InvalidInputError

BATCH = 256
IN_ORDER, SHUFFLED = "in order", "shuffled"
ON, OFF = "on", "off"


@dataclass(frozen=True)
class _Options:
    """One cell: LMDB's two options, the order, and where the pages lie."""

    readahead: str
    buffers: str
    order: str
    cache: Cache

    @property
    def setting(self) -> Mapping[str, Value]:
        return {"readahead": self.readahead, "buffers": self.buffers, "order": self.order, "cache": self.cache}


class LmdbOptions(Question):
    name = "lmdb"
    title = "LMDB: readahead and buffers"
    weight = 0.5
    asks = (
        f"What do py-lmdb's options do for a reader? readahead=False asks the system to read from the disk only the pages that are looked "
        "at; buffers=True has values looked at where they lie in the map, instead of copied first. The environment is opened, all images "
        f"are read, {BATCH} at a time, each copied into an array, and it is closed: from memory, and cold, after every page of the file "
        "was dropped from this system's page cache."
    )

    def trials(self, lab: Lab) -> list[Trial]:
        way = next((way for way in lab.ways if way.name == WAY.name), None)
        if way is None:
            raise InvalidInputError(f"this question is about {WAY.name}; add it to --ways")
        images = lab.count()
        return [Trial(way.name, images, each.setting, partial(_measure, lab, way, images, each)) for each in _all()]

    def charts(self, answers: Sequence[Observation]) -> list[Chart]:
        return [
            Chart("lmdb", "LMDB from memory", "order", RATE, "bars", False, {"cache": WARM}),
            Chart("lmdb-cold", "LMDB from a cold cache", "order", RATE, "bars", False, {"cache": COLD, "buffers": ON}),
        ]

    def sentences(self, answers: Sequence[Observation], run: Measurements) -> list[str]:
        rates = {_place(each): rate for each in answers if (rate := value_of(each, RATE)) is not None}
        return [text for text in (_buffers(rates), _readahead(rates)) if text]


def _all() -> list[_Options]:
    """Return every cell: both options from memory, read-ahead alone where it matters, when pages come from the disk."""
    warm = [_Options(ahead, buffers, order, WARM) for order in (IN_ORDER, SHUFFLED) for ahead in (ON, OFF) for buffers in (ON, OFF)]
    return warm + [_Options(ahead, ON, order, COLD) for order in (IN_ORDER, SHUFFLED) for ahead in (ON, OFF)]


def _place(answer: Observation) -> tuple[Value, ...]:
    return tuple(answer.setting[name] for name in ("readahead", "buffers", "order", "cache"))


def _buffers(rates: Mapping[tuple[Value, ...], Spread]) -> str:
    found = [_compared(rates, f"buffers=True {order}", (ON, ON, order, WARM), (ON, OFF, order, WARM)) for order in (IN_ORDER, SHUFFLED)]
    return f"From memory, {' and '.join(each for each in found if each)}." if any(found) else ""


def _readahead(rates: Mapping[tuple[Value, ...], Spread]) -> str:
    found = [_compared(rates, f"readahead=False {order}", (OFF, ON, order, COLD), (ON, ON, order, COLD)) for order in (IN_ORDER, SHUFFLED)]
    return f"From a cold cache, {' and '.join(each for each in found if each)}." if any(found) else ""


def _compared(rates: Mapping[tuple[Value, ...], Spread], what: str, changed: tuple[Value, ...], usual: tuple[Value, ...]) -> str:
    if changed not in rates or usual not in rates:
        return ""
    ratio, shown = Ratio.of(rates[changed], rates[usual], "as many images per second"), words.rounded(rates[changed].median)
    if ratio is None or ratio.is_noise:
        return f"{what} changes nothing beyond the noise ({shown} images per second)"
    return f"{what} reads {ratio} ({shown})"


def _measure(lab: Lab, way: Way, images: int, options: _Options) -> Observed:
    work = lab.work(images)
    rows = np.arange(images) if options.order == IN_ORDER else work.order
    files = files_of(lab, way, work)

    def read() -> list[Found]:
        return _read(lab, way, work, rows, options)

    found = read_from(options.cache, files, read, work.pixel_bytes)
    check_batches(lab, way, found.result, work, rows, BATCH)
    return Observed(found.timing.seconds, found.measures, found.proof)


def _read(lab: Lab, way: Way, work: Work, rows: NDArray[np.int64], options: _Options) -> list[Found]:
    reader = HandLmdbReader(lab.stored(way, work), readahead=options.readahead == ON, has_buffers=options.buffers == ON)
    try:
        return read_in_batches(reader, rows, BATCH)
    finally:
        reader.close()


QUESTION = LmdbOptions()
