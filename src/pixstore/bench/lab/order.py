"""Order of access: in order, strided, shuffled, shuffled within windows; one image at a time and many at once."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

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

BATCH = 256
STRIDE = 10
WINDOW = 1024
ONE = "one by one"
ONE_OF = 5
"""One by one, the first of so many parts of the order is read: it takes many times as long."""
MANY = f"{BATCH} at once"


class Order(Question):
    name = "order"
    title = "Order of access"
    asks = (
        f"What does it cost to read images in another order than they lie in? In order; strided, as [i::{STRIDE}]; shuffled as a whole; "
        f"shuffled within windows of {WINDOW:,}. {BATCH} images at once, and one at a time (the first fifth of each order), from an "
        "open store, from memory. "
        "Opening is not timed; the tutorial's HDF5, which reads everything when it opens, is left out."
    )

    def trials(self, lab: Lab) -> list[Trial]:
        images = lab.count()
        found = []
        for way in filter(reads_in_parts, lab.ways):
            for order, rows in orders(images).items():
                for access, at_once, asked in ((MANY, BATCH, rows), (ONE, 1, rows[: images // ONE_OF])):
                    setting = {"order": order, "access": access}
                    measure = partial(_read, lab, way, images, asked, at_once)
                    found.append(Trial(way.name, len(asked), setting, measure, stored_images=images))
        return found

    def charts(self, answers: Sequence[Observation]) -> list[Chart]:
        return [
            Chart("order", f"Order of access, {MANY}", "order", fixed={"access": MANY}),
            Chart("order-one", "Order of access, one image at a time", "order", fixed={"access": ONE}),
        ]

    def sentences(self, answers: Sequence[Observation], run: Measurements) -> list[str]:
        shuffled, in_order, single = (_rates(answers, *place) for place in (("shuffled", MANY), ("in order", MANY), ("shuffled", ONE)))
        # The time, not the rate: how much longer the same images take.
        costs = ratios(in_order, shuffled, "the time of reading in order")
        if not costs:
            return []
        ahead = leaders({way: shuffled[way] for way in costs})
        said = [
            f"Shuffled reading of {BATCH} at once is fastest with {named(ahead, run)}, {words.rounded(shuffled[ahead[0]].median)} images "
            f"per second; shuffling costs {ends(costs, run)}."
        ]
        gains = ratios(shuffled, single, "as many images per second")
        if gains:
            said.append(f"Asking for {BATCH} images at once instead of one gives {ends(gains, run)}.")
        return said


def _rates(answers: Sequence[Observation], order: str, access: str) -> dict[str, Spread]:
    """Return images per second by way, of reading in this order and so many at once."""
    chosen = [each for each in answers if (each.setting.get("order"), each.setting.get("access")) == (order, access)]
    return {each.way: rate for each in chosen if (rate := value_of(each, RATE)) is not None}


def orders(images: int) -> dict[str, NDArray[np.int64]]:
    """Return the rows in each order, seeded; every order reads every row once."""
    rows = np.arange(images)
    random = np.random.default_rng(images)
    windows = [random.permutation(rows[start : start + WINDOW]) for start in range(0, images, WINDOW)]
    return {
        "in order": rows,
        "strided": np.concatenate([rows[start::STRIDE] for start in range(STRIDE)]),
        "shuffled in windows": np.concatenate(windows),
        "shuffled": random.permutation(rows),
    }


def _read(lab: Lab, way: Way, images: int, rows: NDArray[np.int64], at_once: int) -> Observed:
    timing = timed_batches(lab, way, images, rows, at_once)
    return Observed(timing.seconds, {"cpu_seconds": timing.cpu_seconds})


QUESTION = Order()
