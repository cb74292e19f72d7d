"""Utilisation at a demand: how much of its time a consumer that takes N images per second waits for images."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from pixstore.bench import words
from pixstore.bench.lab.chart import Chart
from pixstore.bench.lab.consumer import AHEAD, Taken, consume, made_ahead
from pixstore.bench.lab.lab import Lab
from pixstore.bench.lab.leaders import last, leaders, named
from pixstore.bench.lab.question import Observed, Question, Trial
from pixstore.bench.measurements import Measurements, Observation, Value
from pixstore.bench.memory import hand_out_memory
from pixstore.bench.statistics import Spread
from pixstore.bench.ways.base import Way, Work

SMALL_DEMANDS = (7_000, 50_000, 200_000)
LARGE_DEMANDS = (100, 1_000, 7_000)
LARGE_BYTES = 64_000
"""Decoded images above this size are asked for more slowly."""
APPETITES = (
    "About 1,000 a second is what one NVIDIA V100 takes when it trains ResNet-50 on 224 × 224 pixels in mixed precision (893 published), "
    "7,000 what eight of them take (6,889 published: NVIDIA, DeepLearningExamples, ResNet50 v1.5 for PyTorch, container 19.10); other "
    "numbers are round ones and no particular machine's."
)
ENOUGH = 0.1
"""A consumer that waits for more than this part of its time is not fed well."""
SECONDS = 0.35
"""How long the consumer is looked at in one repeat; longer where that would be few batches."""
BATCHES = 6
LEAD = 0.5
"""Of that time, what goes by before: our loader makes several small batches at once, and the first of them would look like speed."""
MOST_BYTES = 32_000_000
"""Of decoded images in a store; they come again and again."""
MOST_IMAGES = 2_000_000
"""Taken in one repeat."""
LEAST_BATCH, MOST_BATCH, MOST_BATCH_BYTES = 8, 256, 8_000_000
FREE = "as fast as they come"
CEILING = "ceiling_images_per_second"


class Demand(Question):
    name = "demand"
    title = "Utilisation at a demand"
    weight = 1.7
    asks = (
        "Does reading keep up with a training? A consumer takes shuffled batches and computes on each for as long as its demand says, "
        f"without a CPU, as a GPU does, and the next is fetched meanwhile; {AHEAD} more are made: by our loader in the background, "
        "with every other way by one background thread, as a data loader with one worker does. Images come from memory, decoded and "
        "not transformed; the tutorial's HDF5 holds all of them in memory of its own. Waiting is the share of its time, once the work "
        f"is under way, in which the consumer has nothing to compute on. {APPETITES} A way's ceiling is the demand at which a consumer "
        f"waits {ENOUGH:.0%} of its time: the rate of a consumer that does nothing but take, divided by {1 - ENOUGH:g}. The first "
        "batches of every repeat are compared with what was stored."
    )

    def trials(self, lab: Lab) -> list[Trial]:
        mean, count = lab.sample.mean_bytes, _count(lab)
        demands = LARGE_DEMANDS if mean > LARGE_BYTES else SMALL_DEMANDS
        found = []
        for way in lab.ways:
            for demand in demands:
                batch = batch_size(demand, mean)
                setting: dict[str, Value] = {"demand": demand, "batch": batch}
                found.append(Trial(way.name, count, setting, partial(_at_a_demand, lab, way, demand, batch)))
            batch = batch_size(demands[-1], mean)
            found.append(Trial(way.name, count, {"pace": FREE, "batch": batch}, partial(_free, lab, way, batch)))
        return found

    def charts(self, answers: Sequence[Observation]) -> list[Chart]:
        title = f"Demand at which a consumer waits {ENOUGH:.0%} of its time"
        return [
            Chart("demand", "Share of its time that a consumer waits", "demand", "waiting_share"),
            Chart("demand-ceiling", title, "pace", CEILING, "bars", is_log=True),
        ]

    def sentences(self, answers: Sequence[Observation], run: Measurements) -> list[str]:
        ceilings = {each.way: each.measures[CEILING] for each in answers if CEILING in each.measures}
        if not ceilings:
            return []
        best, worst = leaders(ceilings), last(ceilings)
        said = [
            f"A consumer that takes {words.rounded(ceilings[best[0]].median)} images per second waits {ENOUGH:.0%} of its time with "
            f"{named(best, run)}"
            + (f"; with {named(worst, run)} one that takes {words.rounded(ceilings[worst[0]].median)} does." if worst else ".")
        ]
        demand, shares = _telling(answers)
        if shares:
            fed = [way for way, share in shares.items() if share.median <= ENOUGH]
            hungriest = last(shares, most=False)
            said.append(
                f"At {demand:,} images per second {len(fed)} of {len(shares)} ways keep its waiting to {ENOUGH:.0%} or less"
                + (f"; with {named(hungriest, run)} it waits {shares[hungriest[0]].median:.0%} of its time." if hungriest else ".")
            )
        return said


def _telling(answers: Sequence[Observation]) -> tuple[int, dict[str, Spread]]:
    """Return the largest demand that some way meets, the smallest where none does, and what is waited there with each way."""
    found: dict[int, dict[str, Spread]] = {}
    for each in answers:
        if "waiting_share" in each.measures:
            found.setdefault(int(each.setting["demand"]), {})[each.way] = each.measures["waiting_share"]
    met = [demand for demand, shares in found.items() if any(share.median <= ENOUGH for share in shares.values())]
    demand = max(met, default=min(found, default=0))
    return demand, found.get(demand, {})


def _count(lab: Lab) -> int:
    return lab.count(most_bytes=MOST_BYTES)


def batch_size(demand: int, mean_bytes: float) -> int:
    """Return a power of two, as trainings have it: so small that a short repeat has several, and that a batch is of some megabytes."""
    most = min(MOST_BATCH, demand * SECONDS / BATCHES, MOST_BATCH_BYTES / mean_bytes)
    return max(LEAST_BATCH, 1 << int(math.log2(max(most, 1))))


def _at_a_demand(lab: Lab, way: Way, demand: int, batch: int) -> Observed:
    seconds = max(SECONDS, BATCHES * batch / demand)
    taken = _taken(lab, way, demand, int(demand * seconds * (1 + LEAD)) + batch, batch, seconds)
    return _observed(lab, taken, {"waiting_share": taken.waiting_share, "reached_images_per_second": taken.rate})


def _free(lab: Lab, way: Way, batch: int) -> Observed:
    # More images than any way reads in the time: no epoch ends, as none does in a long training.
    taken = _taken(lab, way, math.inf, MOST_IMAGES, batch, SECONDS)
    return _observed(lab, taken, {"free_images_per_second": taken.rate, CEILING: taken.rate / (1 - ENOUGH)})


def _observed(lab: Lab, taken: Taken, measures: dict[str, float]) -> Observed:
    """Return what was measured; the seconds are those that all images of a cell take at this rate."""
    return Observed(_count(lab) / taken.rate, measures, {"images_taken": taken.images, "seconds_taken": taken.seconds})


def _taken(lab: Lab, way: Way, demand: float, images: int, batch: int, seconds: float) -> Taken:
    """Return what a consumer got of so many images in these seconds; what was kept of it is compared."""
    work = lab.work(_count(lab))
    rows = _rows(work, images)
    hand_out_memory(work.pixel_bytes * batch // len(work) * (AHEAD + 2))
    with made_ahead(lab, way, work, rows, batch) as batches:
        taken = consume(batches, demand, seconds, seconds * LEAD)
    for number, found in enumerate(taken.kept):
        lab.check(way, found, work, rows[number * batch : (number + 1) * batch])
    return taken


def _rows(work: Work, count: int) -> NDArray[np.int64]:
    """Return rows in a random order, from epoch to epoch another; none comes again before all others have come."""
    random = np.random.default_rng(count)
    return np.concatenate([random.permutation(len(work)) for _ in range(-(-count // len(work)))])[:count]


QUESTION = Demand()
