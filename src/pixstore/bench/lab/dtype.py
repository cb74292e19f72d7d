"""Sample type: the same pictures as 8-bit and 16-bit integers and as 32-bit floats, which take one, two and four bytes a value."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, partial

import numpy as np

from pixstore.bench import disk, naming, words
from pixstore.bench.lab import pictures, whole
from pixstore.bench.lab.chart import RATE, Chart, value_of
from pixstore.bench.lab.lab import Lab
from pixstore.bench.lab.leaders import leaders, named
from pixstore.bench.lab.question import Observed, Question, Trial
from pixstore.bench.lab.ratios import ends, ratios
from pixstore.bench.measurements import Measurements, Observation
from pixstore.bench.statistics import Spread
from pixstore.bench.ways import ours
from pixstore.bench.ways.base import Way, Work

CELL_BYTES = 12_000_000
"""Of 8-bit pixels in a cell; as floats they are four times as many."""
STORE = "store"
READ = "read shuffled"
RAW = "raw"
PNG = "png"
BYTES = "disk_bytes_per_image"


class Dtype(Question):
    name = "dtype"
    title = "8 bits, 16 bits, floats"
    asks = (
        "What does it cost to keep the same pictures as uint16 (each 8-bit value × 257) or as float32 (divided by 255) instead of uint8? "
        "Stored, and read shuffled from memory, the whole job with opening; raw, and as PNG where that holds the type. The tutorial's ways "
        "hold 8 bits alone, JPEG too. Of encoded images the decoded pixels are taken."
    )

    def trials(self, lab: Lab) -> list[Trial]:
        if lab.sample.images[0].dtype not in (np.uint8, np.uint16):
            return []
        images = lab.count(most_bytes=CELL_BYTES)
        # The works live as long as their trials: stores are shared by the identity of a work.
        made = cache(lambda dtype: pictures.typed(lab.work(images), dtype))
        found = []
        for way in array_ways(lab):
            for dtype in pictures.DTYPES:
                if _holds(way.name, lab.sample.images[0].shape, dtype):
                    work, load = partial(made, dtype), float(images * np.dtype(dtype).itemsize)
                    found.append(Trial(way.name, images, {"type": dtype, "action": STORE}, partial(_store, lab, way, work), load))
                    found.append(Trial(way.name, images, {"type": dtype, "action": READ}, partial(_read, lab, way, work), load))
        return found

    def charts(self, answers: Sequence[Observation]) -> list[Chart]:
        return [
            Chart("dtype-read", "Reading shuffled, by type", "type", RATE, "dots", True, {"action": READ}),
            Chart("dtype-store", "Storing, by type", "type", RATE, "dots", True, {"action": STORE}),
            Chart("dtype-disk", "Disk per image, by type", "type", BYTES, "dots", True, {"action": STORE}),
        ]

    def sentences(self, answers: Sequence[Observation], run: Measurements) -> list[str]:
        read = [each for each in answers if each.setting.get("action") == READ]
        stored = [each for each in answers if each.setting.get("action") == STORE]
        return [text for text in (_reading(read, run), _keeping(stored, run)) if text]


def array_ways(lab: Lab) -> list[Way]:
    """Return the lab's ways as far as they keep arrays; one of ours that keeps encoded bytes stands for the same engine, raw."""
    found: dict[str, Way] = {}
    for way in lab.ways:
        if isinstance(way, ours.StoreWay) and way.codec == "keep":
            raw = ours.parse(way.name.replace("/keep", f"/{RAW}"), lab.cpus)
            found.setdefault(raw.name, raw)
        elif way.stores and not (lab.sample.is_encoded and naming.is_by_hand(way.name)):
            found.setdefault(way.name, way)
    return list(found.values())


def _holds(way: str, shape: tuple[int, ...], dtype: str) -> bool:
    """Return whether this way keeps images of such a shape as this type without loss."""
    if naming.is_lossy(way):
        return False
    if naming.is_tutorial(way) or naming.codec(way) in naming.BYTE_CODECS:
        return dtype == "uint8"
    if naming.is_by_hand(way) and naming.codec(way) == PNG:
        # Pillow writes 16 bits of one channel only.
        return dtype == "uint8" or (dtype == "uint16" and (len(shape) == 2 or shape[2] == 1))
    return naming.codec(way) != PNG or dtype != "float32"


def _store(lab: Lab, way: Way, made: Callable[[], Work]) -> Observed:
    work = made()
    return whole.store(lab, way, work, lambda place: {BYTES: disk.usage(place).allocated / len(work)})


def _read(lab: Lab, way: Way, made: Callable[[], Work]) -> Observed:
    return whole.read(lab, way, made())


def _reading(read: Sequence[Observation], run: Measurements) -> str:
    rates: dict[str, dict[str, Spread]] = {dtype: {} for dtype in pictures.DTYPES}
    for each in read:
        rate = value_of(each, RATE)
        if rate is not None:
            rates[str(each.setting["type"])][each.way] = rate
    usual, *others = pictures.DTYPES
    # The time, not the rate: how much longer the same picture takes.
    costs = {dtype: ratios(rates[usual], rates[dtype], "the time") for dtype in others}
    parts = [f"as {dtype} {ends(each, run)}" for dtype, each in costs.items() if each]
    if not parts:
        return ""
    text = f"Next to reading as {usual}, the same pictures cost, {'; '.join(parts)}"
    fastest = rates["float32"]
    return text + (f"; floats are read fastest with {named(leaders(fastest), run)}." if fastest else ".")


def _keeping(stored: Sequence[Observation], run: Measurements) -> str:
    used = {(each.way, str(each.setting["type"])): each.measures[BYTES].median for each in stored if BYTES in each.measures}
    grown = {way: used[way, "uint16"] / used[way, "uint8"] for way, dtype in used if dtype == "uint16" and (way, "uint8") in used}
    if not grown:
        return ""
    least, most = min(grown, key=lambda way: grown[way]), max(grown, key=lambda way: grown[way])
    sizes = f"{words.size(used[least, 'uint8'])} → {words.size(used[least, 'uint16'])} an image"
    text = f"The same picture in 16 bits takes {words.times(grown[least])} the disk of 8 bits with {run.title(least)} ({sizes})"
    if words.times(grown[least]) == words.times(grown[most]):
        return text + (", as with all others." if len(grown) > 1 else ".")
    return text + f", the least, and {words.times(grown[most])} with {run.title(most)}, the most."


QUESTION = Dtype()
