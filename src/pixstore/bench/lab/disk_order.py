"""Order on disk: the same images stored as they came, sorted by label and shuffled, each read in order and shuffled, cold and warm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from pixstore.bench import naming, words
from pixstore.bench.lab.caching import COLD, WARM, Cache, files_of, read_from
from pixstore.bench.lab.chart import RATE, Chart, value_of
from pixstore.bench.lab.lab import Lab
from pixstore.bench.lab.leaders import leaders, named
from pixstore.bench.lab.question import Observed, Question, Trial
from pixstore.bench.lab.ratios import ends, ratios
from pixstore.bench.measurements import Measurements, Observation
from pixstore.bench.mixing import label_clumping
from pixstore.bench.statistics import Spread
from pixstore.bench.ways.base import Found, Way, Work

BATCH, LEAST_BATCH = 256, 8
MOST_BATCH_BYTES = 8_000_000
CAME, BY_LABEL, SHUFFLED = "as they came", "by label", "shuffled"
STORED = (CAME, BY_LABEL, SHUFFLED)
IN_ORDER = "in order"
READS = (IN_ORDER, SHUFFLED)
CACHES: tuple[Cache, ...] = (COLD, WARM)
CLUMPING = "label_clumping"


class DiskOrder(Question):
    name = "disk-order"
    title = "Order on disk"
    asks = (
        "Does it help to put the images in another order before they are stored (pixstore convert --order)? The same images are stored as "
        "they came, by label, and shuffled; each store is opened anew and read, once in order and once shuffled, "
        f"{BATCH} at once; each of these cold (out of this system's memory, which is checked; the disk or a host may hold the data) and "
        "warm (from memory). Label clumping says how unlike the batches are: 1 as drawn at random, 0 all alike; above 1 a batch holds few "
        "classes. Read in order, a shuffled store has random batches at the price of reading in order, but the same ones in every epoch. "
        "Left out: the tutorial's ways, files by hand."
    )

    def trials(self, lab: Lab) -> list[Trial]:
        images = lab.count()
        batch = max(LEAST_BATCH, min(BATCH, int(MOST_BATCH_BYTES / lab.sample.mean_bytes)))
        stores = _Stores(lab, images)
        return [
            Trial(
                way.name, images, {"stored": stored, "read": read, "cache": each}, partial(_measure, stores, way, stored, read, each, batch)
            )
            for way in lab.ways
            if is_asked(way)
            for stored in stores.orders
            for read in READS
            for each in CACHES
        ]

    def charts(self, answers: Sequence[Observation]) -> list[Chart]:
        return [
            Chart("disk-order", "Read in order, cold", "stored", fixed={"read": IN_ORDER, "cache": COLD}, is_log=True),
            Chart("disk-order-shuffled", "Read shuffled, cold", "stored", fixed={"read": SHUFFLED, "cache": COLD}, is_log=True),
            Chart("disk-order-clumping", "Label clumping of batches", "stored", value=CLUMPING, fixed={"read": IN_ORDER, "cache": COLD}),
        ]

    def sentences(self, answers: Sequence[Observation], run: Measurements) -> list[str]:
        plain, ready = _rates(answers, CAME, SHUFFLED), _rates(answers, SHUFFLED, IN_ORDER)
        gains = ratios(ready, plain, "as many images per second")
        if not gains:
            return []
        ahead = leaders(ready)
        said = [
            f"From a cold cache, random batches read in order from a store shuffled beforehand, instead of shuffling while reading, give "
            f"{ends(gains, run)}; fastest is {named(ahead, run)}, {words.rounded(ready[ahead[0]].median)} images per second."
        ]
        clumped = {each.setting["stored"]: each.measures[CLUMPING].median for each in answers if _is_clumped(each)}
        if BY_LABEL in clumped and SHUFFLED in clumped:
            said.append(
                "Read in order, batches of the shuffled store differ in their labels "
                f"{words.rounded(clumped[SHUFFLED])} times as much as batches drawn at random, those of the store sorted by label "
                f"{words.rounded(clumped[BY_LABEL])} times."
            )
        return said


def is_asked(way: Way) -> bool:
    """Return whether a way stores, is not the tutorial's, and keeps images together; of files one by one ours stand for all."""
    return way.stores and not naming.is_tutorial(way.name) and (naming.family(way.name) != "files" or not naming.is_by_hand(way.name))


def _is_clumped(answer: Observation) -> bool:
    return answer.setting.get("read") == IN_ORDER and CLUMPING in answer.measures


def _rates(answers: Sequence[Observation], stored: str, read: str) -> Mapping[str, Spread]:
    chosen = [
        each
        for each in answers
        if (each.setting.get("stored"), each.setting.get("read"), each.setting.get("cache")) == (stored, read, COLD)
    ]
    return {each.way: rate for each in chosen if (rate := value_of(each, RATE)) is not None}


class _Stores:
    """The works in each order, one object each: the lab keeps a store for every one of them."""

    def __init__(self, lab: Lab, images: int) -> None:
        self.lab = lab
        self._images = images
        self._works: dict[str, Work] = {}

    @property
    def orders(self) -> tuple[str, ...]:
        """Sorting by label says nothing where all labels are the same."""
        return STORED if len(np.unique(self.lab.sample.labels)) > 1 else (CAME, SHUFFLED)

    def work(self, stored: str) -> Work:
        if stored not in self._works:
            work = self.lab.work(self._images)
            self._works[stored] = work if stored == CAME else in_order_of(work, order_of(work.labels, stored))
        return self._works[stored]


def order_of(labels: NDArray[np.int64], stored: str) -> NDArray[np.int64]:
    """Return the rows in the order that they are stored in."""
    if stored == BY_LABEL:
        return np.argsort(labels, kind="stable")
    # Another seed than that of the order of reading, or the one would undo the other.
    return np.random.default_rng((len(labels), 1)).permutation(len(labels)) if stored == SHUFFLED else np.arange(len(labels))


def in_order_of(work: Work, rows: NDArray[np.int64]) -> Work:
    """Return the same images in this order."""
    images = work.images[rows] if isinstance(work.images, np.ndarray) else [work.images[row] for row in rows.tolist()]
    encoded = None if work.encoded is None else [work.encoded[row] for row in rows.tolist()]
    return Work(images, work.labels[rows], encoded, None if work.rows is None else work.rows[rows])


def _measure(stores: _Stores, way: Way, stored: str, read: str, state: Cache, batch: int) -> Observed:
    lab, work = stores.lab, stores.work(stored)
    files = files_of(lab, way, work)
    rows = np.arange(len(work)) if read == IN_ORDER else work.order
    found = read_from(state, files, lambda: _read_all(lab, way, work, rows, batch), work.pixel_bytes)
    for number, each in enumerate(found.result):
        lab.check(way, each, work, rows[number * batch : (number + 1) * batch])
    clumping = label_clumping(work.labels[rows], batch)
    return Observed(found.timing.seconds, {**found.measures, **({} if clumping is None else {CLUMPING: clumping})}, found.proof)


def _read_all(lab: Lab, way: Way, work: Work, rows: NDArray[np.int64], batch: int) -> list[Found]:
    reader = way.reader(lab.stored(way, work), work)
    try:
        return [reader.read(rows[start : start + batch]) for start in range(0, len(rows), batch)]
    finally:
        reader.close()


QUESTION = DiskOrder()
