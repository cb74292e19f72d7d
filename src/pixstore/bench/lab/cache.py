"""Cache cold and warm: what the first read after a start costs, and what every later one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from pixstore.bench import words
from pixstore.bench.lab.caching import COLD, WARM, Cache, files_of, read_from
from pixstore.bench.lab.chart import RATE, Chart, value_of
from pixstore.bench.lab.lab import Lab
from pixstore.bench.lab.leaders import leaders, named
from pixstore.bench.lab.question import Observed, Question, Trial
from pixstore.bench.lab.ratios import ends, ratios
from pixstore.bench.measurements import Measurements, Observation
from pixstore.bench.statistics import Spread
from pixstore.bench.ways.base import Found, Way, Work

BATCH = 256
IN_ORDER, SHUFFLED = "in order", "shuffled"
CACHES: tuple[Cache, ...] = (COLD, WARM)
DISK = "disk_read_bytes"


class CacheColdAndWarm(Question):
    name = "cache"
    title = "Cache cold and warm"
    asks = (
        f"What does the first read cost, from the disk, and what a later one, from memory? The store is opened anew, all images are read, "
        f"{BATCH} at once, in order or shuffled, and it is closed. Cold: before each repeat every page of the store's files was dropped "
        "from this system's page cache, and that was checked; names and places of files stay in memory, and a disk, or the host of a "
        "virtual machine, may still hold the data. Warm: every page was read before. Only the source as it lies is open beforehand."
    )

    def trials(self, lab: Lab) -> list[Trial]:
        # None twice: the second reading of a file would come from memory.
        images = min(lab.count(), len(lab.sample))
        return [
            Trial(way.name, images, {"cache": cache, "order": order}, partial(_measure, lab, way, images, cache, order))
            for way in lab.ways
            for order in (IN_ORDER, SHUFFLED)
            for cache in CACHES
        ]

    def charts(self, answers: Sequence[Observation]) -> list[Chart]:
        return [
            Chart("cache", "Cold and warm, shuffled", "cache", fixed={"order": SHUFFLED}, is_log=True),
            Chart("cache-in-order", "Cold and warm, in order", "cache", fixed={"order": IN_ORDER}, is_log=True),
            Chart("cache-disk", "Read from the disk when cold", "order", value=DISK, fixed={"cache": COLD}),
        ]

    def sentences(self, answers: Sequence[Observation], run: Measurements) -> list[str]:
        cold, warm = (_rates(answers, cache, SHUFFLED) for cache in CACHES)
        costs = ratios(warm, cold, "the time of a warm one")
        if not costs:
            return []
        ahead = leaders(cold)
        return [
            f"Shuffled from a cold cache, {named(ahead, run)} is fastest with {words.rounded(cold[ahead[0]].median)} images per second.",
            f"A cold cache costs {ends(costs, run)}.",
        ]


def _rates(answers: Sequence[Observation], cache: str, order: str) -> Mapping[str, Spread]:
    chosen = [each for each in answers if each.setting.get("cache") == cache and each.setting.get("order") == order]
    return {each.way: rate for each in chosen if (rate := value_of(each, RATE)) is not None}


def _measure(lab: Lab, way: Way, images: int, cache: Cache, order: str) -> Observed:
    work = lab.work(images)
    files = files_of(lab, way, work)
    rows = np.arange(len(work)) if order == IN_ORDER else work.order
    read = read_from(cache, files, lambda: _read_all(lab, way, work, rows), work.pixel_bytes)
    for number, batch in enumerate(read.result):
        lab.check(way, batch, work, rows[number * BATCH : (number + 1) * BATCH])
    return Observed(read.timing.seconds, read.measures, read.proof)


def _read_all(lab: Lab, way: Way, work: Work, rows: NDArray[np.int64]) -> list[Found]:
    reader = way.reader(lab.stored(way, work), work)
    try:
        return [reader.read(rows[start : start + BATCH]) for start in range(0, len(rows), BATCH)]
    finally:
        reader.close()


QUESTION = CacheColdAndWarm()
