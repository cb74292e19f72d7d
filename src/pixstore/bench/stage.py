"""All repeats of one number of images: every way stores, then every way reads, in turns."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from pixstore.bench import check, naming, words
from pixstore.bench.experiments import Stage
from pixstore.bench.plan import REMOVAL, TURN, CellKey, Repeats
from pixstore.bench.session import Session
from pixstore.bench.timing import timed
from pixstore.bench.ways.base import Found, Way, Work

SYNC_BYTES = 8_000_000
"""From so many bytes of pixels on, everything written before reaches the disk before each store is timed; below, once per turn."""
FURTHER_PART = 1 / 30
"""Of what is left of the budget, for repeats beyond the least where larger numbers of images still wait for theirs."""


class StageRun:
    """Runs one stage in the session's folder, and leaves no store behind."""

    def __init__(self, session: Session, stage: Stage) -> None:
        self._session = session
        self._stage = stage
        self._work = session.sample.work(stage.images)
        self._order = np.arange(stage.images)
        self._share = 0.0
        self._random = np.random.default_rng(stage.images)
        self._seconds = 0.0
        self._broken: dict[str, str] = {}
        self._pending: set[CellKey] = set()

    def run(self, repeats: Repeats) -> None:
        """Measure every cell as often as it has to be, fewer times where the budget is short; the first time always.

        Then those whose medians are not known well enough, until they are, as far as the time allows.
        """
        for way in self._session.ways:
            title = way.title(self._work)
            if title:
                self._session.results.run["ways"][way.name]["title"] = title
        for repeat in range(repeats.least):
            self._pending = set(self._session.keys(self._stage))
            self._round(repeat, repeats.least - repeat, self._seconds_left())
        further_until = time.monotonic() + self._further_seconds()
        for repeat in range(repeats.least, repeats.most):
            self._pending = {key for key in self._keys() if not self._session.is_known(*key, self._stage.images)}
            if not self._round(repeat, repeats.most - repeat, further_until - time.monotonic()):
                break
        self._paid(REMOVAL, self._remove)

    def _round(self, repeat: int, repeats_left: int, seconds_left: float) -> bool:
        """Measure every pending cell that fits its share of the seconds left; return whether any did."""
        plan, images, paid, started = self._session.plan, self._stage.images, self._seconds, time.monotonic()
        keys = [key for key in self._keys() if key in self._pending]
        self._share = plan.share([*keys, TURN], images, repeats_left, seconds_left)
        if repeat > 0 and not any(self._fits(key, repeat) for key in keys):
            return False
        self._store_all(repeat)
        self._read_all(repeat)
        plan.record(TURN, images, time.monotonic() - started - (self._seconds - paid))
        return True

    def _further_seconds(self) -> float:
        """Return how long this stage may go on with repeats beyond the least: larger numbers of images come first."""
        left = max(0.0, self._seconds_left())
        waiting = sum(self._session.plan.rest_seconds(self._session.keys(each), [each.images]) for each in self._session.waiting)
        return max(left - waiting, left * FURTHER_PART)

    def _turn(self) -> list[Way]:
        """Return the ways in a new order: none always follows the same neighbour, whose traces it would meet each time."""
        return [self._session.ways[place] for place in self._random.permutation(len(self._session.ways))]

    def _remove(self) -> None:
        for way in self._session.ways:
            self._session.folders.remove(way.name)
        os.sync()

    def _seconds_left(self) -> float:
        """Return what this stage may still use for its cells."""
        return self._session.seconds_left() - self._session.plan.predict(REMOVAL, self._stage.images)

    def _store_all(self, repeat: int) -> None:
        os.sync()
        for way in self._turn():
            key = (self._stage.store, way.name)
            wanted = self._stage.times_store or repeat == 0
            if key in self._pending and wanted and way.name not in self._broken and self._fits(key, repeat):
                self._tell(way, self._stage.store, repeat)
                self._paid(key, self._store, way)
        os.sync()
        if repeat == 0:
            self._measure_disk()

    def _read_all(self, repeat: int) -> None:
        reads = self._stage.reads
        if not reads and repeat == 0:
            # Nothing is believed unread.
            for way in self._turn():
                if way.name not in self._broken and way.stores:
                    self._read(way, "read-one" if self._stage.store == "store-one" else "read-many", is_timed=False)
        for experiment in reads:
            for way in self._turn():
                if way.name in self._broken and repeat == 0:
                    self._session.fail(experiment, way.name, self._stage.images, f"nothing to read: {self._broken[way.name]}")
                key = (experiment, way.name)
                if key in self._pending and way.name not in self._broken and self._fits(key, repeat):
                    self._tell(way, experiment, repeat)
                    self._paid(key, self._read, way, experiment)

    def _store(self, way: Way) -> None:
        place = self._session.folders.fresh(way.name)
        if self._work.pixel_bytes >= SYNC_BYTES:
            # Whoever syncs would otherwise pay for what others have written before.
            os.sync()
        store = way.store_one if self._stage.store == "store-one" else way.store_many
        try:
            timing, _ = timed(lambda: store(place, self._work), self._work.pixel_bytes)
        except Exception as error:
            self._broken[way.name] = f"{type(error).__name__}: {error}"
            self._session.fail(self._stage.store, way.name, self._stage.images, self._broken[way.name])
            if self._stage.measures_disk:
                self._session.fail("disk", way.name, self._stage.images, f"nothing stored: {self._broken[way.name]}")
            return
        if self._stage.times_store:
            self._session.add_time(self._stage.store, way.name, self._stage.images, timing.seconds)

    def _read(self, way: Way, experiment: str, *, is_timed: bool = True) -> None:
        order = {"read-one": self._order[:1], "read-shuffled": self._work.order}.get(experiment, self._order)
        read: Callable[[Path, Work], Found] = getattr(way, experiment.replace("-", "_"))
        try:
            timing, found = timed(lambda: read(self._session.folders.current(way.name), self._work), self._work.pixel_bytes)
        except Exception as error:
            self._session.fail(experiment, way.name, self._stage.images, f"{type(error).__name__}: {error}")
            return
        problem = check.difference(found, self._work, order, is_lossy=naming.is_lossy(way.name))
        if problem:
            self._session.differ(experiment, way.name, self._stage.images, problem)
        elif is_timed:
            self._session.add_time(experiment, way.name, self._stage.images, timing.seconds)

    def _measure_disk(self) -> None:
        for way in self._session.ways:
            used = None if way.name in self._broken else way.usage(self._session.folders.current(way.name), self._work)
            if used is None:
                continue
            if self._stage.measures_disk:
                self._session.add_disk("disk", way.name, self._stage.images, used)
            if self._stage.store == "store-one" and self._stage.times_store:
                self._session.add_disk("store-one", way.name, 1, used)

    def _keys(self) -> list[CellKey]:
        """Return the cells that further repeats are for."""
        return [key for key in self._session.keys(self._stage) if self._stage.times_store or key[0] != self._stage.store]

    def _fits(self, key: CellKey, repeat: int) -> bool:
        """Return whether one more repeat of this cell fits its share of the budget; the first is always made."""
        if repeat == 0:
            return True
        cost = self._session.plan.predict(key, self._stage.images)
        return cost <= self._share + 1e-9 and cost <= self._seconds_left()

    def _paid(self, key: CellKey, action: Callable[..., None], *arguments: Any) -> None:
        """Do it, and count all it takes — deleting, flushing, comparing — against the cell's budget."""
        started = time.monotonic()
        action(*arguments)
        seconds = time.monotonic() - started
        self._seconds += seconds
        self._session.plan.record(key, self._stage.images, seconds)

    def _tell(self, way: Way, experiment: str, repeat: int) -> None:
        repeats = self._session.plan.repeats
        title = self._session.results.title(way.name)
        doing = f"{words.count(self._stage.images, 'image')}, {experiment}, {title}, repeat {repeat + 1} of {repeats}"
        self._session.tell(doing, self._stage, max(repeats.least - repeat, 1))
