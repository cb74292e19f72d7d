"""Cost: where the time of reading goes, part by part, and how much processor time each way takes as a whole."""

from __future__ import annotations

import gc
from collections import deque
from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np

from pixstore.bench import words
from pixstore.bench.lab.batches import reads_in_parts, timed_batches
from pixstore.bench.lab.chart import Chart
from pixstore.bench.lab.lab import Lab
from pixstore.bench.lab.leaders import last, leaders, named
from pixstore.bench.lab.parts import PARTS, Apart, LoaderParts, Part, PillowParts, files_in_order, mixes_channels
from pixstore.bench.lab.question import Observed, Question, Trial
from pixstore.bench.measurements import Measurements, Observation
from pixstore.bench.memory import hand_out_memory
from pixstore.bench.statistics import Spread
from pixstore.bench.ways.base import Way, Work
from pixstore.bench.ways.ours import StoreReader, StoreWay
from pixstore.bench.ways.source import SourceWay

BATCH = 256
MOST_BATCH_BYTES, LEAST_BATCH = 8_000_000, 8
MOST_IMAGES, MOST_BYTES = 2_000, 32_000_000
LARGEST_SIZE = 224
MOST_NAMED = 4
PILLOW_FILES = ("tutorial-png", "hand-files")
DOING = {"fetch": "fetching", "check": "checking", "decode": "decoding", "transform": "transforming", "batch": "handing over"}
PER_1000 = "seconds_per_1000_images"
CPU_PER_1000 = "cpu_seconds_per_1000_images"


class Cost(Question):
    name = "cost"
    title = "Where the time goes"
    asks = (
        f"What does reading cost, part by part? The same shuffled images, on one thread, from memory, in batches of up to {BATCH}; "
        "shown is processor time. Ours does a batch in one go, so its parts are differences between stages done in turns: decode is "
        "decoding bytes that lie in memory; fetch what finding and reading them in the store adds; check what comparing checksums "
        "adds; batch what the loader adds, with order, labels and keys; transform what a random part, scaled and mirrored at random, "
        "adds. A difference below 0 is shown as 0. For files by hand the steps are timed one by one, with Pillow; LMDB and HDF5 by "
        "hand have no such steps. And as a whole: what each way takes, all threads together, as it is usually used, without "
        "transforms. The tutorial's HDF5, which reads everything when it opens, is left out."
    )

    def trials(self, lab: Lab) -> list[Trial]:
        images = lab.count(MOST_IMAGES, MOST_BYTES)
        batch = max(LEAST_BATCH, min(BATCH, int(MOST_BATCH_BYTES / lab.sample.mean_bytes)))
        found = []
        for way in filter(reads_in_parts, lab.ways):
            if isinstance(way, StoreWay | SourceWay) or way.name in PILLOW_FILES:
                turns = _Turns(lab, way, images, batch)
                parts = [part for part in PARTS if part != "check" or isinstance(way, StoreWay)]
                found += [Trial(way.name, images, {"part": part, "batch": batch}, partial(turns.observe, part)) for part in parts]
            found.append(Trial(way.name, images, {"threads": way.threads, "batch": batch}, partial(_whole, lab, way, images, batch)))
        return found

    def charts(self, answers: Sequence[Observation]) -> list[Chart]:
        return [
            Chart("cost", "Processor time for 1,000 images, by part, on one thread", "part", PER_1000),
            Chart("cost-cpu", "Processor time for 1,000 images, all threads", "threads", CPU_PER_1000, is_log=True),
        ]

    def sentences(self, answers: Sequence[Observation], run: Measurements) -> list[str]:
        shares = _shares(answers)
        said = []
        if shares:
            said.append(f"On one thread, transforms included, {_most_time(_largest(shares), run)}.")
        cpu = {each.way: each.measures[CPU_PER_1000] for each in answers if CPU_PER_1000 in each.measures}
        if cpu:
            least, most = leaders(cpu, most=False), last(cpu, most=False)
            behind = f" and {words.duration(cpu[most[0]].median)} with {named(most, run)}" if most else ""
            said.append(
                f"Read and decoded without transforms, 1,000 images take {words.duration(cpu[least[0]].median)} of processor time with "
                f"{named(least, run)}{behind}."
            )
        return said


def _shares(answers: Sequence[Observation]) -> dict[str, dict[str, Spread]]:
    """Return for each way taken apart the time of each part; only ways of which every part was measured and some took time."""
    found: dict[str, dict[str, Spread]] = {}
    incomplete = {each.way for each in answers if "part" in each.setting and PER_1000 not in each.measures}
    for each in answers:
        if "part" in each.setting and each.way not in incomplete:
            found.setdefault(each.way, {})[str(each.setting["part"])] = each.measures[PER_1000]
    return {way: parts for way, parts in found.items() if any(part.median for part in parts.values())}


def _largest(parts: Mapping[str, Mapping[str, Spread]]) -> dict[str, dict[str, float]]:
    """Return by part the ways of which it is the largest, each with its share; under "" those where it is not told."""
    found: dict[str, dict[str, float]] = {}
    for way, times in parts.items():
        ahead = leaders(times)
        share = times[ahead[0]].median / sum(each.median for each in times.values())
        found.setdefault(ahead[0] if len(ahead) == 1 else "", {})[way] = share
    return {part: found[part] for part in (*PARTS, "") if part in found}


def _most_time(largest: Mapping[str, Mapping[str, float]], run: Measurements) -> str:
    """Return into what most of the time goes, by groups of ways."""
    groups = [f"{DOING[part]} with {_listed(ways, run)}" for part, ways in largest.items() if part]
    text = f"the largest part of the time goes into {'; into '.join(groups)}" if groups else ""
    if "" not in largest:
        return text
    unclear = f"with {words.count(len(largest['']), 'way')} no part is told to be the largest"
    return f"{text}; {unclear}" if text else unclear


def _listed(ways: Mapping[str, float], run: Measurements) -> str:
    named = [f"{run.title(way)} ({share:.0%})" for way, share in ways.items()]
    shown = named if len(named) <= MOST_NAMED else [*named[: MOST_NAMED - 1], f"{len(named) - MOST_NAMED + 1} more"]
    return ", ".join(shown)


class _Turns:
    """The parts of one way: measured together, so that they are differences of the same moments, and handed out one by one."""

    def __init__(self, lab: Lab, way: Way, images: int, batch: int) -> None:
        self._lab = lab
        self._way = way
        self._images = images
        self._batch = batch
        self._waiting: dict[str, deque[Part]] = {part: deque() for part in PARTS}

    def observe(self, part: str) -> Observed:
        """Return one measurement of this part that nobody has seen; the seconds are those of the stage that ends with it."""
        if not self._waiting[part]:
            for name, measured in self._measure().items():
                self._waiting[name].append(measured)
        found = self._waiting[part].popleft()
        measures = {PER_1000: found.seconds / self._images * 1000}
        return Observed(found.stage_seconds, measures, {"difference_seconds": found.difference})

    def _measure(self) -> Mapping[str, Part]:
        work = self._lab.work(self._images)
        place = self._lab.stored(self._way, work)
        size, is_mixed = _size(work), mixes_channels(work.images)
        if not isinstance(self._way, StoreWay | SourceWay):
            files = files_in_order(place)
            return _measured(PillowParts([files[row] for row in work.order.tolist()], self._batch, size, is_mixed=is_mixed), work)
        dataset, field, rows = self._lab.sample.dataset, self._lab.sample.image_field, work.rows
        reader = self._way.reader(place, work)
        try:
            if isinstance(reader, StoreReader):
                dataset, field, rows = reader.dataset, "image", np.arange(len(work))
            assert dataset is not None and rows is not None
            return _measured(LoaderParts(dataset, field, rows[work.order], self._batch, size, is_mixed=is_mixed), work)
        finally:
            reader.close()


def _measured(apart: Apart, work: Work) -> Mapping[str, Part]:
    gc.collect()
    hand_out_memory(work.pixel_bytes)
    gc.freeze()
    return apart.measure()


def _size(work: Work) -> int:
    """Return the side of what a transform makes: that of the smallest image, 224 for larger ones."""
    return min(LARGEST_SIZE, *(int(min(image.shape[:2])) for image in work.images))


def _whole(lab: Lab, way: Way, images: int, batch: int) -> Observed:
    timing = timed_batches(lab, way, images, lab.work(images).order, batch)
    return Observed(timing.seconds, {CPU_PER_1000: timing.cpu_seconds / images * 1000})


QUESTION = Cost()
