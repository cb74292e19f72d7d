"""Disk use: what an image takes, of few images and of many, and how many bytes are written to get it there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from pixstore.bench import disk, words
from pixstore.bench.lab import whole
from pixstore.bench.lab.chart import Chart
from pixstore.bench.lab.lab import Lab
from pixstore.bench.lab.question import Observed, Question, Trial
from pixstore.bench.lab.written import written_bytes
from pixstore.bench.measurements import Measurements, Observation
from pixstore.bench.ways.base import Way

LEAST_IMAGES = 10
CELL_BYTES = 32_000_000
AXIS = "images"
ALLOCATED = "allocated_bytes_per_image"
APPARENT = "apparent_bytes_per_image"
OWN = "own_bytes_per_image"
WRITTEN = "write_amplification"
SAME = words.times(1.0)


class Disk(Question):
    name = "disk-use"
    title = "Disk use"
    weight = 0.7
    is_counted = True
    asks = (
        f"What do stored images take on disk, {LEAST_IMAGES} of them and many? Apparent is the length of all files; allocated is what the "
        "file system has set aside for them, in whole blocks, folders included. Write amplification: bytes written while storing, for each "
        "byte of the images as they came (encoded where they are, else pixels), as the system counts them for this process (write_bytes of "
        "/proc/self/io): pages of files made dirty, through maps too, without the file system's own journal and tables."
    )

    def trials(self, lab: Lab) -> list[Trial]:
        most = lab.count(most_bytes=CELL_BYTES)
        return [
            Trial(way.name, images, {AXIS: images}, partial(_store, lab, way, images))
            for images in counts(most)
            for way in lab.ways
            if way.stores
        ]

    def charts(self, answers: Sequence[Observation]) -> list[Chart]:
        largest = {AXIS: max((each.images for each in answers), default=0)}
        many = words.count(largest[AXIS], "image")
        return [
            Chart("disk-use-images", "Disk allocated per image, by the number of images", AXIS, ALLOCATED, "lines", True),
            Chart("disk-use-allocated", f"Disk allocated per image, {many}", AXIS, ALLOCATED, "bars", False, largest),
            Chart("disk-use-apparent", f"Length of the files per image, {many}", AXIS, APPARENT, "bars", False, largest),
            Chart("disk-use-written", f"Bytes written per byte of image, {many}", AXIS, WRITTEN, "bars", False, largest),
        ]

    def sentences(self, answers: Sequence[Observation], run: Measurements) -> list[str]:
        return [text for text in (_taken(answers, run), _written(answers, run)) if text]


def counts(most: int) -> list[int]:
    """Return 10, 100, 1,000 … and `most`."""
    found = []
    images = LEAST_IMAGES
    while images < most:
        found.append(images)
        images *= 10
    return [*found, most]


def _store(lab: Lab, way: Way, images: int) -> Observed:
    work = lab.work(images)
    own = work.pixel_bytes if work.encoded is None else sum(map(len, work.encoded))
    before = written_bytes()

    def look(place: Path) -> dict[str, float]:
        after = written_bytes()
        used = disk.usage(place)
        measures = {ALLOCATED: used.allocated / images, APPARENT: used.apparent / images, OWN: own / images}
        # Nothing at all is counted where the file system lies in memory.
        if before is not None and after is not None and after > before:
            measures[WRITTEN] = (after - before) / own
        return measures

    return whole.store(lab, way, work, look)


def _by_way(answers: Sequence[Observation], images: int, measure: str) -> dict[str, float]:
    return {each.way: each.measures[measure].median for each in answers if each.images == images and measure in each.measures}


def _largest(answers: Sequence[Observation], measure: str) -> int | None:
    """Return the largest number of images measured with as many ways as any other."""
    ways = Counter(each.images for each in answers if measure in each.measures)
    return max((images for images, count in ways.items() if count == max(ways.values())), default=None)


def _taken(answers: Sequence[Observation], run: Measurements) -> str:
    many = _largest(answers, ALLOCATED)
    if many is None:
        return ""
    used, own = (_by_way(answers, many, measure) for measure in (ALLOCATED, OWN))
    least, most = min(used, key=lambda way: used[way]), max(used, key=lambda way: used[way])
    text = f"Of {words.count(many, 'image')}, {words.size(own[least])} each, one takes {words.size(used[least])} on disk with "
    text += run.title(least)
    ratio = words.times(used[most] / used[least])
    if ratio == SAME:
        text += ", about as much as with any other" if least != most else ""
    else:
        text += f", the least, and {words.size(used[most])} with {run.title(most)}, the most ({ratio})"
    few = min(each.images for each in answers if ALLOCATED in each.measures)
    before = _by_way(answers, few, ALLOCATED)
    grown = {way: before[way] / used[way] for way in before if way in used}
    if few < many and grown:
        dearest = max(grown, key=lambda way: grown[way])
        ratio = "as much as" if words.times(grown[dearest]) == SAME else words.times(grown[dearest])
        text += f"; of {few:,} alone one takes {words.size(before[dearest])} with {run.title(dearest)}, {ratio} that"
    return text + "."


def _written(answers: Sequence[Observation], run: Measurements) -> str:
    many = _largest(answers, WRITTEN)
    if many is None:
        return ""
    written = _by_way(answers, many, WRITTEN)
    least, most = min(written, key=lambda way: written[way]), max(written, key=lambda way: written[way])
    text = f"For each byte of these images {written[least]:.2f} bytes are written with {run.title(least)}"
    if f"{written[least]:.2f}" == f"{written[most]:.2f}":
        return text + (", as with all others." if least != most else ".")
    return text + f", the least, and {written[most]:.2f} with {run.title(most)}, the most."


QUESTION = Disk()
