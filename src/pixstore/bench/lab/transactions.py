"""Images per transaction: what it costs to make every image safe by itself, and what to make many safe at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np

import pixstore
from pixstore.bench import words
from pixstore.bench.lab.chart import RATE, Chart, value_of
from pixstore.bench.lab.lab import Lab, kept_bytes
from pixstore.bench.lab.leaders import leaders, named
from pixstore.bench.lab.question import Observed, Question, Trial
from pixstore.bench.lab.ratios import Ratio
from pixstore.bench.measurements import Measurements, Observation
from pixstore.bench.statistics import Spread
from pixstore.bench.timing import timed
from pixstore.bench.ways import hand_hdf5, hand_lmdb, tutorial_lmdb
from pixstore.bench.ways.base import Way, Work
from pixstore.bench.ways.ours import STORE, StoreWay
from pixstore.errors import InvalidInputError

SYNCED, UNSYNCED = "synced", "not synced"
ONE, SOME, ALL = "1", "100", "all"
MOST = {ONE: 100, SOME: 1_000}
"""Images of a cell: at 1 image per commit each waits for the disk, and commits of ours write files of their own."""
COMMIT_LOAD = 500
"""A commit costs about as much as storing so many small images: from this the time of a cell is foretold."""
OURS = ("lmdb", "packed")

Store = Callable[[Path, Work], None]


@dataclass(frozen=True)
class _Manner:
    """One way of committing: how many images between two commits, in words and as a number, and whether each waits for the disk."""

    per_commit: str
    count: int
    sync: str
    store: Store


class Transactions(Question):
    name = "transactions"
    title = "Images per transaction"
    asks = (
        f"What does it cost to commit often? Storing with a commit after every image ({MOST[ONE]} of them), after every 100 (up to "
        f"{MOST[SOME]:,}), and once after all; each synced, so that a commit waits for the disk and survives a power cut, and not synced, "
        "so that it survives the end of the program only. A commit is a transaction of LMDB, a flush of HDF5 (which never waits for the "
        "disk), a version of ours."
    )

    def trials(self, lab: Lab) -> list[Trial]:
        found = []
        for way in _chosen(lab.ways):
            for manner in _manners(way, lab.count()):
                images = min(lab.count(), MOST.get(manner.per_commit, lab.count()))
                setting = {"commit after": manner.per_commit, "sync": manner.sync}
                load = images + COMMIT_LOAD * (images // manner.count)
                found.append(Trial(way.name, images, setting, partial(_store, lab, way, manner.store, images), load))
        if not found:
            raise InvalidInputError(f"none of these ways commits; add hand-lmdb, hand-hdf5, tutorial-lmdb, {' or '.join(OURS)} to --ways")
        return found

    def charts(self, answers: Sequence[Observation]) -> list[Chart]:
        return [
            Chart("transactions", "Storing, each commit waits for the disk", "commit after", fixed={"sync": SYNCED}, is_log=True),
            Chart("transactions-unsynced", "Storing, no commit waits for the disk", "commit after", fixed={"sync": UNSYNCED}, is_log=True),
        ]

    def sentences(self, answers: Sequence[Observation], run: Measurements) -> list[str]:
        return [text for text in (_cost(answers, run), _sync(answers, run)) if text]


def _cost(answers: Sequence[Observation], run: Measurements) -> str:
    one, every = _rates(answers, ONE, SYNCED), _rates(answers, ALL, SYNCED)
    if not one or not every:
        return ""
    best, best_all = leaders(one), leaders(every)
    return (
        f"A synced commit after every image stores at most {words.rounded(one[best[0]].median)} images per second, with "
        f"{named(best, run)}; one commit for all stores {words.rounded(every[best_all[0]].median)}, with {named(best_all, run)}."
    )


def _sync(answers: Sequence[Observation], run: Measurements) -> str:
    """Return what a wait for the disk takes per commit, where the way that commits fastest was measured with and without."""
    synced, unsynced = _rates(answers, ONE, SYNCED), _rates(answers, ONE, UNSYNCED)
    ways = [way for way in synced if way in unsynced]
    if not ways:
        return ""
    way = leaders({way: synced[way] for way in ways})[0]
    waits = 1 / synced[way].median, 1 / unsynced[way].median
    some = _rates(answers, SOME, SYNCED).get(way)
    text = f"With {run.title(way)} a commit of one image takes {words.duration(waits[0])} synced and {words.duration(waits[1])} not synced"
    gain = Ratio.of(some, synced[way], "as many a second") if some else None
    if gain is None:
        return f"{text}."
    return f"{text}; 100 images per commit {f'change {gain}' if gain.is_noise else f'store {gain}'}."


def _rates(answers: Sequence[Observation], per_commit: str, sync: str) -> Mapping[str, Spread]:
    chosen = [each for each in answers if (each.setting.get("commit after"), each.setting.get("sync")) == (per_commit, sync)]
    return {each.way: rate for each in chosen if (rate := value_of(each, RATE)) is not None}


def _chosen(ways: Sequence[Way]) -> Iterator[Way]:
    """Yield the ways that commit: by hand, the tutorial's LMDB, and of ours the first of each of two engines."""
    seen = set()
    for way in ways:
        if way.name in (hand_lmdb.WAY.name, hand_hdf5.WAY.name, tutorial_lmdb.WAY.name):
            yield way
        elif isinstance(way, StoreWay) and way.engine in OURS and way.engine not in seen:
            seen.add(way.engine)
            yield way


def _manners(way: Way, images: int) -> Iterator[_Manner]:
    """Yield every manner of committing that this way knows and that so many images tell apart."""
    if way.name == tutorial_lmdb.WAY.name:
        yield _Manner(ALL, images, SYNCED, way.store_many)
        return
    for per_commit, count in ((ONE, 1), (SOME, 100), (ALL, images)):
        if per_commit == SOME and images <= count:
            continue
        if isinstance(way, StoreWay):
            yield _Manner(per_commit, count, SYNCED, partial(_commit, way, "power", count))
            yield _Manner(per_commit, count, UNSYNCED, partial(_commit, way, "process", count))
        elif way.name == hand_lmdb.WAY.name:
            yield _Manner(per_commit, count, SYNCED, hand_lmdb.HandLmdb(per_transaction=count, sync="commit").store_many)
            yield _Manner(per_commit, count, UNSYNCED, hand_lmdb.HandLmdb(per_transaction=count, sync="never").store_many)
        else:
            yield _Manner(per_commit, count, UNSYNCED, hand_hdf5.HandHdf5(way.name, flush_every=count).store_many)


def _commit(way: StoreWay, durability: Literal["power", "process"], count: int, folder: Path, work: Work) -> None:
    images: Any = work.encoded if way.codec == "keep" and work.encoded is not None else work.images
    with pixstore.Writer(folder / STORE, engine=way.engine, codec=way.codec, durability=durability, threads=way.threads) as writer:
        for start in range(0, len(work), count):
            writer.add_batch(images[start : start + count], label=work.labels[start : start + count])
            writer.commit()


def _store(lab: Lab, way: Way, store: Store, images: int) -> Observed:
    work = lab.work(images)
    place = lab.fresh(way.name, kept_bytes(way, work))
    try:
        timing, _ = timed(lambda: store(place, work), work.pixel_bytes)
        lab.check(way, way.read_many(place, work), work, np.arange(images))
    finally:
        lab.remove(place)
    return Observed(timing.seconds, {"cpu_seconds": timing.cpu_seconds})


QUESTION = Transactions()
