"""Shard size: the same images in many files or in one, with each of our engines."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from typing import TypeAlias

import pixstore
from pixstore.bench.lab import whole
from pixstore.bench.lab.chart import RATE, SECONDS, Chart, value_of
from pixstore.bench.lab.lab import Lab
from pixstore.bench.lab.question import Observed, Question, Trial
from pixstore.bench.lab.ratios import Ratio, ends, ratios
from pixstore.bench.lab.stores import VariedStore
from pixstore.bench.measurements import Measurements, Observation
from pixstore.bench.statistics import Spread
from pixstore.bench.timing import timed
from pixstore.bench.ways import ours
from pixstore.bench.ways.base import Way

MEGABYTE = 1 << 20
SHARD_MEGABYTES = (1, 4, 16, 64, 1024)
"""The last is our default."""
CELL_BYTES = 24_000_000
MOST_IMAGES = 8_000
AXIS = "shard megabytes"
STORE = "store"
OPEN = "open"
READ = "read shuffled"
FILES = "files"


class Shards(Question):
    name = "shards"
    title = "Shard size"
    asks = (
        "What do smaller shards cost, which are easier to copy, to check and to share among workers? The same images in shards of "
        f"{', '.join(map(str, SHARD_MEGABYTES[:-1]))} MiB and of 1 GiB, as far as they make a difference, with each of our engines: "
        "storing, opening, and reading shuffled from the open store, from memory."
    )

    def trials(self, lab: Lab) -> list[Trial]:
        images = lab.count(MOST_IMAGES, CELL_BYTES)
        found = []
        for way in our_ways(lab):
            for megabytes in sizes(lab, way, images):
                varied = VariedStore(way, shard_bytes=megabytes * MEGABYTE)
                setting = {AXIS: megabytes}
                found += [
                    Trial(way.name, images, {**setting, "action": STORE}, partial(_store, lab, varied, images)),
                    Trial(way.name, images, {**setting, "action": OPEN}, partial(_open, lab, varied, images)),
                    Trial(way.name, images, {**setting, "action": READ}, partial(_read, lab, varied, images)),
                ]
        return found

    def charts(self, answers: Sequence[Observation]) -> list[Chart]:
        return [
            Chart("shards-read", "Reading shuffled, by shard size", AXIS, RATE, "lines", True, {"action": READ}),
            Chart("shards-store", "Storing, by shard size", AXIS, RATE, "lines", True, {"action": STORE}),
            Chart("shards-open", "Opening, by shard size", AXIS, SECONDS, "lines", True, {"action": OPEN}),
            Chart("shards-files", "Files, by shard size", AXIS, FILES, "lines", True, {"action": STORE}),
        ]

    def sentences(self, answers: Sequence[Observation], run: Measurements) -> list[str]:
        rates = _by_size(answers, READ, RATE), _by_size(answers, STORE, RATE)
        opening, files = _by_size(answers, OPEN, SECONDS), _by_size(answers, STORE, FILES)
        return [text for text in (_speeds(*rates, run), _opening(opening, files, run)) if text]


def our_ways(lab: Lab) -> list[ours.StoreWay]:
    """Return those of the lab's ways that are ours, one for each engine: the first."""
    found: dict[str, ours.StoreWay] = {}
    for way in lab.ways:
        if isinstance(way, ours.StoreWay):
            found.setdefault(way.engine, way)
    return list(found.values())


def sizes(lab: Lab, way: ours.StoreWay, images: int) -> list[int]:
    """Return the shard sizes in MiB that make a difference: those below what the images may take, and the largest."""
    sample = lab.sample
    mean = sum(map(len, sample.encoded)) / len(sample) if sample.encoded and way.codec == "keep" else sample.mean_bytes
    return [each for each in SHARD_MEGABYTES[:-1] if each * MEGABYTE < images * mean] + [SHARD_MEGABYTES[-1]]


def _store(lab: Lab, way: Way, images: int) -> Observed:
    return whole.store(lab, way, lab.work(images), lambda place: {FILES: float(sum(len(names) for _, _, names in os.walk(place)))})


def _open(lab: Lab, way: Way, images: int) -> Observed:
    place = lab.stored(way, lab.work(images)) / ours.STORE
    timing, dataset = timed(lambda: pixstore.open(place), 0)
    with dataset:
        return Observed(timing.seconds, {}, {"samples": len(dataset)})


def _read(lab: Lab, way: Way, images: int) -> Observed:
    work = lab.work(images)
    reader = way.reader(lab.stored(way, work), work)
    try:
        timing, found = timed(lambda: reader.read(work.order), work.pixel_bytes)
    finally:
        reader.close()
    lab.check(way, found, work, work.order)
    return Observed(timing.seconds, {whole.MEGABYTES: work.pixel_bytes / 1e6 / timing.seconds})


Cells: TypeAlias = dict[str, dict[int, Spread]]


def _by_size(answers: Sequence[Observation], action: str, value: str) -> Cells:
    """Return by way and shard size what was measured, for ways with two sizes or more."""
    found: Cells = {}
    for each in answers:
        spread = value_of(each, value)
        if each.setting.get("action") == action and spread is not None:
            found.setdefault(each.way, {})[int(each.setting[AXIS])] = spread
    return {way: cells for way, cells in found.items() if len(cells) > 1}


def _changes(cells: Cells, unit: str, *, is_rate: bool = True) -> dict[str, Ratio]:
    """Return by way how much longer it takes with the smallest shards than with the largest."""
    small, large = ({way: each[choose(each)] for way, each in cells.items()} for choose in (min, max))
    return ratios(large, small, unit) if is_rate else ratios(small, large, unit)


def _speeds(read: Cells, stored: Cells, run: Measurements) -> str:
    if not read or not stored:
        return ""
    sizes = next(iter(read.values()))
    return (
        f"In shards of {_size(min(sizes))} instead of {_size(max(sizes))}, reading shuffled costs {ends(_changes(read, 'the time'), run)}; "
        f"storing costs {ends(_changes(stored, 'the time'), run)}."
    )


def _opening(opening: Cells, files: Cells, run: Measurements) -> str:
    longer = _changes(opening, "the time", is_rate=False)
    if not longer:
        return ""
    text = f"Opening costs {ends(longer, run)}"
    counts = {way: each[min(each)].median / each[max(each)].median for way, each in files.items() if each[max(each)].median}
    if not counts:
        return text + "."
    way = max(counts, key=lambda way: counts[way])
    few, many = (files[way][choose(files[way])].median for choose in (max, min))
    return f"{text}; the store of {run.title(way)} is {many:,.0f} files instead of {few:,.0f}."


def _size(megabytes: int) -> str:
    return "1 GiB" if megabytes == 1024 else f"{megabytes} MiB"


QUESTION = Shards()
