"""Parallel readers: threads and processes, on one store and on a store for each process."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from threading import Barrier

import numpy as np
from numpy.typing import NDArray

from pixstore.bench import words
from pixstore.bench.lab import sharing
from pixstore.bench.lab.batches import check_batches, read_in_batches, reads_in_parts
from pixstore.bench.lab.chart import RATE, Chart, value_of
from pixstore.bench.lab.lab import Lab
from pixstore.bench.lab.leaders import leaders, named
from pixstore.bench.lab.question import Observed, Question, Trial
from pixstore.bench.lab.ratios import Ratio, ends, ratios
from pixstore.bench.lab.sharing import APART, PROCESSES, THREADS
from pixstore.bench.lab.workers import Workers
from pixstore.bench.measurements import Measurements, Observation
from pixstore.bench.statistics import Spread
from pixstore.bench.timing import timed
from pixstore.bench.ways.base import Found, Reader, Way, Work
from pixstore.bench.ways.source import SourceWay

BATCH = 256
KINDS = (THREADS, PROCESSES, APART)


class ParallelRead(Question):
    name = "parallel-read"
    title = "Parallel readers"
    weight = 2.8
    asks = (
        f"What do more readers gain? The same images, shuffled, {BATCH} at a time and from memory, are read by one reader and shared among "
        "several: threads of one program (ours decode on so many threads themselves, elsewhere so many threads read from one open store), "
        "processes of one thread each that read one store, and processes that have a store each with their part of the images. Stores "
        "are open and every reader has read its share once before the clock starts; it ends with the last reader. "
        "The tutorial's HDF5, which reads everything when it opens, is left out."
    )

    def trials(self, lab: Lab) -> list[Trial]:
        images, workers = lab.count(), Workers(lab)
        # Every way stores the same parts, and keeps them as long as its cells are measured.
        parts = cache(partial(_parts, lab, images))
        found = []
        for way in filter(reads_in_parts, lab.ways):
            for count in sharing.worker_counts(lab.cpus, images):
                measures: dict[str, Callable[[], Observed]] = {THREADS: partial(_by_threads, lab, way, images, count)}
                if sharing.has_processes(way):
                    one_store = partial(_by_processes, lab, way, images, count, workers)
                    measures[PROCESSES] = one_store
                    measures[APART] = (
                        partial(_by_processes_apart, lab, way, images, workers, partial(parts, count)) if count > 1 else one_store
                    )
                found += [Trial(way.name, images, {"workers": count, "with": kind}, measure) for kind, measure in measures.items()]
        return found

    def charts(self, answers: Sequence[Observation]) -> list[Chart]:
        titles = ("threads", "processes on one store", "processes with a store each")
        return [
            Chart(
                f"parallel-read-{number}" if number else "parallel-read",
                f"Reading by {title}",
                "workers",
                RATE,
                "lines",
                True,
                {"with": kind},
            )
            for number, (kind, title) in enumerate(zip(KINDS, titles, strict=True))
        ]

    def sentences(self, answers: Sequence[Observation], run: Measurements) -> list[str]:
        rates = rates_of(answers)
        first, gains = fastest(rates, run, "read"), gained(rates, run, "reading")
        together = f"{first[:-1]}; {gains[0].lower()}{gains[1:]}" if gains else first
        return [text for text in (together, _apart(rates, run)) if text]


Place = tuple[str, str, int]
"""Way, kind of workers, how many."""


def rates_of(answers: Sequence[Observation]) -> dict[Place, Spread]:
    """Return images per second by way, kind and number of workers, of all that were measured."""
    return {(each.way, str(each.setting["with"]), int(each.setting["workers"])): rate for each in answers if (rate := value_of(each, RATE))}


def fastest(rates: Mapping[Place, Spread], run: Measurements, deed: str) -> str:
    """Return the sentence that says who does most per second with how many workers, and what it did with one."""
    if not rates:
        return ""
    best = {way: max((place for place in rates if place[0] == way), key=lambda place: rates[place].median) for way, _, _ in rates}
    ahead = leaders({way: rates[place] for way, place in best.items()})
    _, kind, count = place = best[ahead[0]]
    text = f"Most images per second are {deed} with {named(ahead, run)}, {_workers(count, kind)}: {words.rounded(rates[place].median)}"
    alone = rates.get((ahead[0], kind, 1))
    return f"{text}, alone {words.rounded(alone.median)}." if count > 1 and alone else f"{text}."


def gained(rates: Mapping[Place, Spread], run: Measurements, doing: str) -> str:
    """Return the sentence that says which way gains most and which least by the most workers of a kind, and by which kind."""
    gains: dict[str, Ratio] = {}
    for (way, kind, count), rate in rates.items():
        alone = rates.get((way, kind, 1))
        gain = Ratio.of(rate, alone, f"with {_workers(count, kind)}") if count > 1 and alone else None
        if gain and (way not in gains or gain.median > gains[way].median):
            gains[way] = gain
    return f"{doing.capitalize()} in parallel, each way at its best, gains {ends(gains, run)}." if gains else ""


def _apart(rates: Mapping[Place, Spread], run: Measurements) -> str:
    """Return the sentence that says what a store for each process is worth, next to one for all."""
    most = max((count for _, kind, count in rates if kind == APART), default=0)
    apart, together = ({way: rate for (way, *place), rate in rates.items() if place == [kind, most]} for kind in (APART, PROCESSES))
    worth = ratios(apart, together, "the rate")
    return f"For {most} processes a store each, next to one for all, is worth {ends(worth, run)}." if worth else ""


def _workers(count: int, kind: str) -> str:
    one = {THREADS: "1 thread", PROCESSES: "1 process", APART: "1 process"}
    return one[kind] if count == 1 else f"{count} {'processes with a store each' if kind == APART else kind}"


def _by_threads(lab: Lab, way: Way, images: int, count: int) -> Observed:
    work = lab.work(images)
    place, rows = lab.stored(way, work), sharing.rows_of_each(work.order, count)
    many = _with_threads(lab, way, count)
    if many is not None:
        rows = [work.order]
    reader = (many or way).reader(place, work)
    try:
        read_in_batches(reader, work.order, BATCH)
        seconds, cpu_seconds, found = _together(reader, rows, work.pixel_bytes)
    finally:
        reader.close()
    for batches, these in zip(found, rows, strict=True):
        check_batches(lab, way, batches, work, these, BATCH)
    return Observed(seconds, {"cpu_seconds": cpu_seconds})


def _with_threads(lab: Lab, way: Way, count: int) -> Way | None:
    if isinstance(way, SourceWay) and lab.sample.dataset is not None:
        return SourceWay(lab.sample.dataset, lab.sample.image_field, count)
    return sharing.with_threads(way, count)


def _together(reader: Reader, rows: Sequence[NDArray[np.int64]], pixel_bytes: int) -> tuple[float, float, list[list[Found]]]:
    """Return seconds and CPU seconds of threads that read these rows side by side, and what each has read."""
    barrier = Barrier(len(rows) + 1)

    def read(these: NDArray[np.int64]) -> list[Found]:
        barrier.wait()
        return read_in_batches(reader, these, BATCH)

    with ThreadPoolExecutor(len(rows)) as pool:
        waiting = [pool.submit(read, these) for these in rows]

        def release() -> list[list[Found]]:
            barrier.wait()
            return [each.result() for each in waiting]

        timing, found = timed(release, pixel_bytes)
    return timing.seconds, timing.cpu_seconds, found


def _by_processes(lab: Lab, way: Way, images: int, count: int, workers: Workers) -> Observed:
    work = lab.work(images)
    shares = sharing.shares_of_one(str(lab.stored(way, work)), work.order, count)
    together = workers.work("read", way, work, shares, batch=BATCH)
    return Observed(together.seconds, {"cpu_seconds": together.cpu_seconds}, {"processes": together.processes})


def _by_processes_apart(lab: Lab, way: Way, images: int, workers: Workers, parts: Callable[[], list[Work]]) -> Observed:
    shares = sharing.shares_apart([str(lab.stored(way, part)) for part in parts()], images)
    together = workers.work("read", way, lab.work(images), shares, batch=BATCH)
    return Observed(together.seconds, {"cpu_seconds": together.cpu_seconds}, {"processes": together.processes})


def _parts(lab: Lab, images: int, count: int) -> list[Work]:
    work = lab.work(images)
    return [sharing.part_of(work, start, stop) for start, stop in sharing.bounds(images, count)]


QUESTION = ParallelRead()
