"""Latency: how long one random image takes from an open store, how long opening takes, and when the first batch is there."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from pixstore.bench import words
from pixstore.bench.lab.chart import Chart
from pixstore.bench.lab.lab import Lab
from pixstore.bench.lab.leaders import last, leaders, named
from pixstore.bench.lab.question import Observed, Question, Trial
from pixstore.bench.measurements import Measurements, Observation
from pixstore.bench.memory import hand_out_memory
from pixstore.bench.ways.base import Found, Reader, Way, Work

READS = 1_000
BATCH = 256
LEAST = 20
MOST_BYTES = 120_000_000
"""Of pixels read one by one in one repeat; larger images are read less often."""
MOST_STORED_BYTES = 32_000_000
PERCENTILES = (50, 95, 99)
CHARTS = (
    ("latency-p50", "One random image, median", "p50_seconds"),
    ("latency-p99", "One random image, 99th percentile", "p99_seconds"),
    ("latency-open", "Opening the store", "open_seconds"),
    ("latency-first-batch", "Opening and the first shuffled batch", "first_batch_seconds"),
)
Result = TypeVar("Result")


class Latency(Question):
    name = "latency"
    title = "One image, and the first batch"
    asks = (
        f"How long does one random image take? Up to {READS:,} images, shuffled, are read one at a time from a store that stays open, from "
        "memory, each timed by itself; p99 is what one read in a hundred exceeds, and is left out below 100 reads. "
        "And how long until work can begin: opening the store and nothing else, opening and reading one image, opening and reading "
        f"a shuffled batch of up to {BATCH}. A way that reads everything when it opens, as the tutorial's HDF5, pays there and answers "
        "from memory afterwards. The source as it lies was opened when the run began: how long that takes is not asked here."
    )

    def trials(self, lab: Lab) -> list[Trial]:
        reads = how_many(READS, lab.sample.mean_bytes)
        batch = how_many(BATCH, lab.sample.mean_bytes)
        setting = {"reads": reads, "first batch": batch}
        return [Trial(way.name, reads, setting, partial(_measure, lab, way, reads, batch)) for way in lab.ways]

    def charts(self, answers: Sequence[Observation]) -> list[Chart]:
        return [Chart(name, title, "reads", value, "bars", is_log=True) for name, title, value in CHARTS]

    def sentences(self, answers: Sequence[Observation], run: Measurements) -> list[str]:
        found = {each.way: each.measures for each in answers if each.seconds}
        if not found:
            return []
        percent = 99 if all("p99_seconds" in measures for measures in found.values()) else 95
        tails = {way: measures[f"p{percent}_seconds"] for way, measures in found.items()}
        best, worst = leaders(tails, most=False), last(tails, most=False)
        opening = found[best[0]].get("open_seconds")
        said = [
            f"{percent} of 100 random reads take no more than {words.duration(tails[best[0]].median)} with {named(best, run)}"
            + (f", which opens in {words.duration(opening.median)}" if opening else "")
            + (f"; with {named(worst, run)} no more than {words.duration(tails[worst[0]].median)}." if worst else ".")
        ]
        batches = {way: measures["first_batch_seconds"] for way, measures in found.items() if "first_batch_seconds" in measures}
        if batches:
            soonest = leaders(batches, most=False)
            said.append(
                f"The first shuffled batch of {answers[0].setting['first batch']} is there soonest with {named(soonest, run)}: "
                f"{words.duration(batches[soonest[0]].median)} after the store is asked for."
            )
        return said


def how_many(limit: int, mean_bytes: float) -> int:
    """Return how many images are read: `limit`, fewer where they are large, and no fewer than a tail can be told from."""
    return max(LEAST, min(limit, int(MOST_BYTES / mean_bytes)))


def _measure(lab: Lab, way: Way, reads: int, batch: int) -> Observed:
    work = lab.work(lab.count(most_bytes=MOST_STORED_BYTES))
    random = np.random.default_rng(reads)
    single, together = _rows(random, len(work), reads), _rows(random, len(work), batch)
    place = lab.stored(way, work)
    hand_out_memory(work.pixel_bytes)
    opened, reader = clocked(lambda: way.reader(place, work))
    try:
        times = _single_reads(lab, way, reader, work, single)
    finally:
        reader.close()
    tails = {f"p{each}_seconds": float(np.percentile(times, each)) for each in PERCENTILES if reads * (100 - each) >= 100}
    if not way.stores:
        # The reader of the source stands on what has been open since the run began.
        return Observed(float(times.sum()), tails)
    firsts = {"first_image_seconds": single[:1], "first_batch_seconds": together}
    waited = {name: _first(lab, way, place, work, rows) for name, rows in firsts.items()}
    return Observed(float(times.sum()), {**tails, "open_seconds": opened, **waited})


def _rows(random: np.random.Generator, total: int, count: int) -> NDArray[np.int64]:
    """Return rows in a random order; none comes again before all others have come."""
    return np.concatenate([random.permutation(total) for _ in range(-(-count // total))])[:count]


def _single_reads(lab: Lab, way: Way, reader: Reader, work: Work, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the seconds that each row took, read by itself; what came is compared between two timings."""
    reader.read(rows[-1:])
    gc.collect()
    hand_out_memory(work.pixel_bytes // len(work))
    gc.freeze()
    times = np.empty(len(rows))
    for number in range(len(rows)):
        one = rows[number : number + 1]
        started = time.perf_counter_ns()
        found = reader.read(one)
        times[number] = (time.perf_counter_ns() - started) / 1e9
        lab.check(way, found, work, one)
    return times


def _first(lab: Lab, way: Way, place: Path, work: Work, rows: NDArray[np.int64]) -> float:
    """Return the seconds from asking for the store until these rows are there."""
    hand_out_memory(work.pixel_bytes)
    seconds, (reader, found) = clocked(lambda: _opened_and_read(way, place, work, rows))
    reader.close()
    lab.check(way, found, work, rows)
    return seconds


def _opened_and_read(way: Way, place: Path, work: Work, rows: NDArray[np.int64]) -> tuple[Reader, Found]:
    reader = way.reader(place, work)
    return reader, reader.read(rows)


def clocked(action: Callable[[], Result]) -> tuple[float, Result]:
    """Return the seconds an action took, and its result."""
    started = time.perf_counter()
    result = action()
    return time.perf_counter() - started, result


QUESTION = Latency()
