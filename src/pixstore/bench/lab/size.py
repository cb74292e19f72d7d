"""Image size: the same bytes as many small images and as few large ones, and what LMDB's overflow pages cost."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from functools import cache, partial
from pathlib import Path

import numpy as np

from pixstore.bench import disk, words
from pixstore.bench.images import Sample
from pixstore.bench.lab import pictures, whole
from pixstore.bench.lab.chart import Chart
from pixstore.bench.lab.lab import Lab
from pixstore.bench.lab.leaders import leaders, named
from pixstore.bench.lab.question import Observed, Question, Trial
from pixstore.bench.lab.ratios import ends, ratios
from pixstore.bench.lab.whole import MEGABYTES
from pixstore.bench.measurements import Measurements, Observation
from pixstore.bench.statistics import Spread
from pixstore.bench.ways.base import Way, Work
from pixstore.bench.ways.lmdb_pages import PageCounts, page_counts

SIZES = (32, 128, 256, 512)
CELL_BYTES = 16_000_000
"""Of decoded images in a cell: about the 5,000 images of 32 × 32 that other questions read."""
LEAST_IMAGES = 8
SAME_LOAD = 1.0
"""Cells have about as many bytes as each other, however many images these are."""
SCALED = "one size"
OWN = "as they are"
STORE = "store"
READ = "read shuffled"
DISK = "disk_bytes_per_pixel_byte"
WASTED = "wasted_bytes_per_image"
WASTED_SHARE = "wasted_share"
"""The same, of what lies on those pages."""


class Size(Question):
    name = "size"
    title = "Image size"
    weight = 1.5

    def __init__(self, sizes: Sequence[int] = SIZES, cell_bytes: int = CELL_BYTES) -> None:
        self._sizes = sizes
        self._cell_bytes = cell_bytes
        self.asks = (
            f"What do larger images change? Pictures of {', '.join(map(str, sizes))} pixels to each side, about {words.size(cell_bytes)} "
            "of them decoded each time, stored and read shuffled from memory, the whole job with opening. Built-in pictures are drawn in "
            "each size; of one's own images the middle square is scaled down (Lanczos), small ones stand side by side, and encoded ones "
            "are encoded again (JPEG quality 90 or PNG). Images of mixed sizes are measured as they are too."
        )

    def trials(self, lab: Lab) -> list[Trial]:
        sample = lab.sample
        # The works live as long as their trials: stores are shared by the identity of a work.
        made = cache(partial(self._made, sample))
        found = []
        for size in self._sizes:
            images = self._count(size * size * _pixel_bytes(sample))
            for way in lab.ways:
                if way.stores:
                    found += _trials(lab, way, images, {"size": size, "pictures": SCALED}, partial(made, size))
        if not isinstance(sample.images, np.ndarray):
            images = lab.count(most_bytes=self._cell_bytes)
            side = round(math.sqrt(sum(math.prod(image.shape[:2]) for image in sample.images) / len(sample)))
            for way in lab.ways:
                found += _trials(lab, way, images, {"size": side, "pictures": OWN}, partial(lab.work, images))
        return found

    def _made(self, sample: Sample, size: int) -> Work:
        return pictures.sized(sample, size, self._count(size * size * _pixel_bytes(sample)))

    def _count(self, image_bytes: int) -> int:
        return max(LEAST_IMAGES, self._cell_bytes // image_bytes)

    def charts(self, answers: Sequence[Observation]) -> list[Chart]:
        scaled = {"pictures": SCALED}
        found = [
            Chart("size-read", "Reading shuffled, by image size", "size", MEGABYTES, "lines", True, {**scaled, "action": READ}),
            Chart("size-store", "Storing, by image size", "size", MEGABYTES, "lines", True, {**scaled, "action": STORE}),
            Chart("size-disk", "Disk per byte of pixels, by image size", "size", DISK, "lines", True, {**scaled, "action": STORE}),
        ]
        if any(WASTED in each.measures for each in answers):
            fixed = {**scaled, "action": STORE}
            found.append(
                Chart(
                    "size-overflow", "Unused on LMDB's overflow pages, next to what they hold", "size", WASTED_SHARE, "bars", False, fixed
                )
            )
        if any(each.setting.get("pictures") == OWN for each in answers):
            found.append(Chart("size-own", "Images as they are, mixed sizes", "action", MEGABYTES, "dots", True, {"pictures": OWN}))
        return found

    def sentences(self, answers: Sequence[Observation], run: Measurements) -> list[str]:
        scaled = [each for each in answers if each.setting.get("pictures") == SCALED]
        return [text for text in (_change(scaled, run), _overflow(scaled, run) or _disk(scaled, run)) if text]


def _pixel_bytes(sample: Sample) -> int:
    """Return the bytes of one pixel of the first image."""
    first = sample.images[0]
    return int(first.nbytes // math.prod(first.shape[:2]))


def _trials(lab: Lab, way: Way, images: int, setting: Mapping[str, str | int], work: Callable[[], Work]) -> list[Trial]:
    reading = Trial(way.name, images, {**setting, "action": READ}, partial(_read, lab, way, work), SAME_LOAD)
    if not way.stores:
        return [reading]
    return [Trial(way.name, images, {**setting, "action": STORE}, partial(_store, lab, way, work), SAME_LOAD), reading]


def _store(lab: Lab, way: Way, made: Callable[[], Work]) -> Observed:
    work = made()
    counts: list[PageCounts] = []

    def look(place: Path) -> dict[str, float]:
        measures = {DISK: disk.usage(place).allocated / work.pixel_bytes}
        pages = page_counts(place)
        if pages is None:
            return measures
        counts.append(pages)
        wasted = {WASTED: pages.wasted_bytes / len(work), WASTED_SHARE: pages.wasted_bytes / max(pages.overflow_bytes, 1)}
        return measures | wasted | {"overflow_pages": float(pages.overflow)}

    seen = whole.store(lab, way, work, look)
    return replace(seen, proof={"lmdb_pages": asdict(counts[0])}) if counts else seen


def _read(lab: Lab, way: Way, made: Callable[[], Work]) -> Observed:
    return whole.read(lab, way, made())


def _values(answers: Sequence[Observation], action: str, measure: str) -> dict[tuple[str, int], Spread]:
    return {
        (each.way, int(each.setting["size"])): each.measures[measure]
        for each in answers
        if each.setting.get("action") == action and measure in each.measures
    }


def _change(answers: Sequence[Observation], run: Measurements) -> str:
    rates = _values(answers, READ, MEGABYTES)
    sizes = sorted({size for _, size in rates})
    ways = (
        [way for way in dict.fromkeys(each.way for each in answers) if {(way, sizes[0]), (way, sizes[-1])} <= rates.keys()] if sizes else []
    )
    if not ways or len(sizes) < 2:
        return ""
    small, large = sizes[0], sizes[-1]
    at_small, at_large = ({way: rates[way, size] for way in ways} for size in (small, large))
    best_small, best_large = (
        f"{named(ahead := leaders(each), run)} ({words.rounded(each[ahead[0]].median)} MB/s)" for each in (at_small, at_large)
    )
    gains = ratios(at_large, at_small, "the rate")
    return (
        f"From {small} to {large} pixels a side, reading as many pixels shuffled gains {ends(gains, run)}; "
        f"fastest at {small} is {best_small}, at {large} {best_large}."
    )


def _overflow(answers: Sequence[Observation], run: Measurements) -> str:
    wasted, shares = (_values(answers, STORE, measure) for measure in (WASTED, WASTED_SHARE))
    parts = {place: each.median for place, each in shares.items() if each.median > 0}
    if not parts:
        return ""
    way, dearest = max(parts, key=lambda place: parts[place])
    largest = max(size for other, size in parts if other == way)
    text = (
        f"Overflow pages cost {run.title(way)} most at {dearest} pixels a side: whole pages for each record leave "
        f"{_waste(wasted[way, dearest].median, parts[way, dearest])}"
    )
    if largest == dearest:
        return text + "."
    return text + f"; at {largest} pixels {_waste(wasted[way, largest].median, parts[way, largest])}."


def _waste(wasted: float, part: float) -> str:
    return f"{words.size(wasted)} an image unused, {part:.1%} of what they hold"


def _disk(answers: Sequence[Observation], run: Measurements) -> str:
    used = _values(answers, STORE, DISK)
    if not used:
        return ""
    least, most = min(used, key=lambda place: used[place].median), max(used, key=lambda place: used[place].median)
    return (
        f"On disk a byte of pixels takes least with {run.title(least[0])} at {least[1]} pixels a side, {used[least].median:.2f} bytes, and "
        f"most with {run.title(most[0])} at {most[1]}, {used[most].median:.2f}."
    )


QUESTION = Size()
