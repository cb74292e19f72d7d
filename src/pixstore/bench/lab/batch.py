"""Batch size: what asking for more images at once is worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from pixstore.bench import words
from pixstore.bench.lab.batches import reads_in_parts, timed_batches
from pixstore.bench.lab.chart import RATE, Chart, value_of
from pixstore.bench.lab.lab import Lab
from pixstore.bench.lab.leaders import leaders, named
from pixstore.bench.lab.question import Observed, Question, Trial
from pixstore.bench.lab.ratios import ends, ratios
from pixstore.bench.measurements import Measurements, Observation
from pixstore.bench.statistics import Spread
from pixstore.bench.ways.base import Way

BATCHES = (1, 8, 32, 128, 512)


class Batch(Question):
    name = "batch"
    title = "Batch size"
    asks = (
        f"What is it worth to ask for several images at once? All images are read once, shuffled, {', '.join(map(str, BATCHES[:-1]))} or "
        f"{BATCHES[-1]} at a time, from an open store and from memory. Opening is not timed; the tutorial's HDF5, which reads everything "
        "when it opens, is left out."
    )

    def trials(self, lab: Lab) -> list[Trial]:
        images = lab.count()
        return [
            Trial(way.name, images, {"batch": batch}, partial(_read, lab, way, images, batch))
            for way in filter(reads_in_parts, lab.ways)
            for batch in BATCHES
            if batch == BATCHES[0] or batch <= images
        ]

    def charts(self, answers: Sequence[Observation]) -> list[Chart]:
        return [Chart("batch", "Reading shuffled, by batch size", "batch", RATE, "lines", True)]

    def sentences(self, answers: Sequence[Observation], run: Measurements) -> list[str]:
        rates = {(each.way, int(each.setting["batch"])): rate for each in answers if (rate := value_of(each, RATE))}
        if not rates:
            return []
        smallest, largest = min(batch for _, batch in rates), max(batch for _, batch in rates)
        ways = [way for way in dict.fromkeys(way for way, _ in rates) if {(way, smallest), (way, largest)} <= rates.keys()]
        if not ways or smallest == largest:
            return []
        return [_fastest(rates, ways, (smallest, largest), run), _worth(rates, ways, (smallest, largest), run)]


def _fastest(rates: Mapping[tuple[str, int], Spread], ways: Sequence[str], batches: tuple[int, int], run: Measurements) -> str:
    found = []
    for batch in batches:
        ahead = leaders(_rates(rates, ways, batch))
        found.append(f"{_at(batch)} {named(ahead, run)}, {words.rounded(rates[ahead[0], batch].median)} images per second")
    return f"Fastest {found[0]}; {found[1]}."


def _worth(rates: Mapping[tuple[str, int], Spread], ways: Sequence[str], batches: tuple[int, int], run: Measurements) -> str:
    small, large = batches
    gains = ratios(_rates(rates, ways, large), _rates(rates, ways, small), "the rate")
    return f"{large} at a time instead of {small} are worth {ends(gains, run)}."


def _rates(rates: Mapping[tuple[str, int], Spread], ways: Sequence[str], batch: int) -> dict[str, Spread]:
    return {way: rates[way, batch] for way in ways}


def _at(batch: int) -> str:
    return "one by one is" if batch == 1 else f"{batch} at a time"


def _read(lab: Lab, way: Way, images: int, batch: int) -> Observed:
    timing = timed_batches(lab, way, images, lab.work(images).order, batch)
    return Observed(timing.seconds, {"cpu_seconds": timing.cpu_seconds})


QUESTION = Batch()
