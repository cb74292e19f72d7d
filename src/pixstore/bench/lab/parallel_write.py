"""Parallel writers: threads of one program, and processes with a store each."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from pixstore.bench.lab import sharing
from pixstore.bench.lab.chart import RATE, Chart
from pixstore.bench.lab.lab import Lab, kept_bytes
from pixstore.bench.lab.parallel_read import fastest, gained, rates_of
from pixstore.bench.lab.question import Observed, Question, Trial
from pixstore.bench.lab.sharing import APART, THREADS
from pixstore.bench.lab.workers import Share, Workers
from pixstore.bench.measurements import Measurements, Observation
from pixstore.bench.timing import timed
from pixstore.bench.ways.base import Way
from pixstore.bench.ways.hand_files import HandFiles

MOST_IMAGES = 2_000


class ParallelWrite(Question):
    name = "parallel-write"
    title = "Parallel writers"
    asks = (
        f"What do more writers gain? Up to {MOST_IMAGES:,} images are stored by one writer and shared among several: threads, where a way "
        "has them (ours encode on so many threads into one store, files by hand are written by as many), and processes of one thread each "
        "that store their part into a store of their own. LMDB and HDF5 let one writer at a time into a store. Images are in memory; "
        "nobody waits for the disk but LMDB of the tutorial and by hand."
    )

    def trials(self, lab: Lab) -> list[Trial]:
        images, workers = lab.count(most=MOST_IMAGES), Workers(lab)
        found = []
        for way in lab.ways:
            if not way.stores:
                continue
            for count in sharing.worker_counts(lab.cpus, images):
                many = HandFiles(count) if isinstance(way, HandFiles) else sharing.with_threads(way, count)
                if many is not None:
                    found.append(Trial(way.name, images, {"workers": count, "with": THREADS}, partial(_by_threads, lab, many, images)))
                by_processes = partial(_by_processes, lab, way, images, count, workers)
                found.append(Trial(way.name, images, {"workers": count, "with": APART}, by_processes))
        return found

    def charts(self, answers: Sequence[Observation]) -> list[Chart]:
        return [
            Chart("parallel-write", "Storing by processes with a store each", "workers", RATE, "lines", True, {"with": APART}),
            Chart("parallel-write-threads", "Storing by threads into one store", "workers", RATE, "lines", True, {"with": THREADS}),
        ]

    def sentences(self, answers: Sequence[Observation], run: Measurements) -> list[str]:
        rates = rates_of(answers)
        return [text for text in (fastest(rates, run, "stored"), gained(rates, run, "storing")) if text]


def _by_threads(lab: Lab, way: Way, images: int) -> Observed:
    work = lab.work(images)
    place = lab.fresh(way.name, kept_bytes(way, work))
    try:
        timing, _ = timed(lambda: way.store_many(place, work), work.pixel_bytes)
        lab.check(way, way.read_many(place, work), work, np.arange(images))
    finally:
        lab.remove(place)
    return Observed(timing.seconds, {"cpu_seconds": timing.cpu_seconds})


def _by_processes(lab: Lab, way: Way, images: int, count: int, workers: Workers) -> Observed:
    work = lab.work(images)
    place = lab.fresh(way.name, kept_bytes(way, work))
    try:
        shares = [Share(str(place / f"{start}"), start, stop) for start, stop in sharing.bounds(images, count)]
        for share in shares:
            Path(share.folder).mkdir()
        together = workers.work("store", way, work, shares)
    finally:
        lab.remove(place)
    return Observed(together.seconds, {"cpu_seconds": together.cpu_seconds}, {"processes": together.processes})


QUESTION = ParallelWrite()
