"""Runs the experiments: interleaved repeats, within a budget of time and disk, every read compared with the input."""

from __future__ import annotations

import contextlib
import gc
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from pixstore.bench import check, experiments, machine, naming, physical, words
from pixstore.bench.experiments import EXPERIMENTS, Stage
from pixstore.bench.images import Sample, built_in, from_source
from pixstore.bench.plan import CellKey, Plan
from pixstore.bench.results import Bytes, Cell, Results, Seconds
from pixstore.bench.ways import catalog
from pixstore.bench.ways.base import Found, Way, Work
from pixstore.bench.ways.source import SourceWay
from pixstore.errors import InvalidInputError

DEFAULT_REPEATS = 5
DEFAULT_BUDGET_SECONDS = 120.0
DRAWING_SECONDS = 12.0
"""Kept of the budget for the physical limits, the plots and the report."""
WARM_UP_IMAGES = 10
SYNC_BYTES = 8_000_000
"""From so many bytes of pixels on, everything written before reaches the disk before each store is timed; below, once per turn."""
LOSSY_CODECS = ("jpeg",)


@dataclass(frozen=True)
class Progress:
    """How far a run is: what it does now, seconds gone, and seconds left as far as known."""

    doing: str
    seconds: float
    seconds_left: float


Report = Callable[[Progress], None]


def run(
    source: str | Path | None = None,
    *,
    ways: Sequence[str] | None = None,
    experiments: Sequence[str] = EXPERIMENTS,
    cutoffs: Sequence[int] | None = None,
    repeats: int = DEFAULT_REPEATS,
    budget_seconds: float = DEFAULT_BUDGET_SECONDS,
    max_disk_bytes: int | None = None,
    out: str | Path | None = None,
    progress: Report | None = None,
) -> Results:
    """Measure ways of keeping images, on built-in ones or on those at `source`, and return the results.

    With `out`, stores are written below that folder and the results are saved in it, also when the run is interrupted; without,
    a temporary folder is used. No store is left behind. A way that fails is a cell with an error, not an exception. Raises
    InvalidInputError for unknown names and numbers out of range, and what `pixstore.open` raises.
    """
    if repeats < 1 or budget_seconds <= 0 or any(each < 1 for each in cutoffs or [1]):
        raise InvalidInputError(f"repeats {repeats}, budget {budget_seconds} s, cutoffs {cutoffs}: all must be positive")
    started = time.monotonic()
    _check_names(ways, experiments)
    sample = _sample(source, cutoffs)
    with contextlib.closing(sample), _folder(out) as folder:
        names = list(ways) if ways is not None else catalog.default_names(is_built_in=sample.dataset is None, is_encoded=sample.is_encoded)
        bench = _Bench(sample, names, folder, started, repeats, budget_seconds, max_disk_bytes, progress)
        stages = _stages(experiments, cutoffs, sample)
        try:
            bench.run(stages)
        except KeyboardInterrupt:
            bench.results.run["interrupted"] = True
            raise
        finally:
            gc.unfreeze()
            bench.finish()
            if out is not None:
                bench.results.save(Path(out))
    return bench.results


def _stages(names: Sequence[str], cutoffs: Sequence[int] | None, sample: Sample) -> list[Stage]:
    wanted = cutoffs or experiments.default_cutoffs(None if sample.dataset is None else sample.total)
    return experiments.stages(names, wanted)


def _check_names(ways: Sequence[str] | None, names: Sequence[str]) -> None:
    if ways is not None:
        catalog.check(ways)
    experiments.check(names)


def _sample(source: str | Path | None, cutoffs: Sequence[int] | None) -> Sample:
    largest = max(cutoffs or [experiments.default_cutoffs(None)[-1]])
    return built_in(largest) if source is None else from_source(Path(source), largest)


@contextlib.contextmanager
def _folder(out: str | Path | None) -> Iterator[Path]:
    """Yield a private folder for the stores, on the file system of `out`; it is removed whatever happens."""
    if out is not None:
        Path(out).mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=".stores-", dir=out))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class _Bench:
    """One run: its clock, its folder and what it has measured so far."""

    def __init__(
        self,
        sample: Sample,
        names: list[str],
        folder: Path,
        started: float,
        repeats: int,
        budget_seconds: float,
        max_disk_bytes: int | None,
        progress: Report | None,
    ) -> None:
        self._sample = sample
        self._folder = folder
        self._started = started
        self._budget = budget_seconds
        self._max_disk = shutil.disk_usage(folder).free // 2 if max_disk_bytes is None else max_disk_bytes
        self._progress = progress
        self._plan = Plan(repeats)
        self._waiting: list[Stage] = []
        cpus = machine.usable_cpus()
        source = None if sample.dataset is None else SourceWay(sample.dataset, sample.image_field, cpus)
        self._ways = [catalog.find(name, source, cpus) for name in names]
        self._cells: dict[tuple[str, str, int], Cell] = {}
        self._runs: dict[tuple[str, str, int], list[float]] = {}
        self.results = Results(machine.describe(folder), sample.describe(), self._conditions())

    def _conditions(self) -> dict[str, Any]:
        return {
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "repeats": self._plan.repeats,
            "budget_seconds": self._budget,
            "max_disk_bytes": self._max_disk,
            "ways": {way.name: {"title": naming.title(way.name, kept=self._sample.codec), "threads": way.threads} for way in self._ways},
            "conditions": list(words.CONDITIONS),
            "notes": [],
            "limits": {},
            "interrupted": False,
        }

    def run(self, stages: list[Stage]) -> None:
        self._warm_up(stages)
        for number, stage in enumerate(stages):
            self._waiting = stages[number + 1 :]
            reason = self._reason_to_stop(stage)
            if reason:
                rest = ", ".join(f"{each.images:,}" for each in stages[number:])
                self._note(f"stopped before {rest} images: {reason}")
                break
            _StageRun(self, stage).run(self._plan.repeats)
        self._measure_limits()

    def finish(self) -> None:
        """Bring everything measured into the results."""
        for key, runs in self._runs.items():
            cell = self._cells.get(key, Cell(*key))
            self._cells[key] = replace(cell, seconds=Seconds.of(runs)) if cell.error is None else cell
        position = {name: number for number, name in enumerate(EXPERIMENTS)}
        order = {way.name: number for number, way in enumerate(self._ways)}
        self.results.cells = sorted(self._cells.values(), key=lambda cell: (position[cell.experiment], cell.images, order[cell.way]))
        self.results.run["seconds"] = round(time.monotonic() - self._started, 1)

    def fail(self, experiment: str, way: str, images: int, reason: str) -> None:
        self._cells[experiment, way, images] = Cell(experiment, way, images, error=reason)

    def add_time(self, experiment: str, way: str, images: int, seconds: float) -> None:
        self._runs.setdefault((experiment, way, images), []).append(seconds)

    def add_disk(self, experiment: str, way: str, images: int, used: Bytes) -> None:
        cell = self._cells.get((experiment, way, images), Cell(experiment, way, images))
        self._cells[experiment, way, images] = replace(cell, bytes=used)

    @property
    def ways(self) -> list[Way]:
        return self._ways

    @property
    def sample(self) -> Sample:
        return self._sample

    @property
    def plan(self) -> Plan:
        return self._plan

    @property
    def folder(self) -> Path:
        return self._folder

    def seconds_left(self) -> float:
        """Return what is left of the budget, without what drawing will take."""
        reserve = min(DRAWING_SECONDS, self._budget / 5)
        return self._budget - reserve - (time.monotonic() - self._started)

    def keys(self, stage: Stage) -> list[CellKey]:
        stored = [(stage.store, way.name) for way in self._ways if way.stores]
        return stored + [(experiment, way.name) for experiment in stage.reads for way in self._ways]

    def tell(self, doing: str, stage: Stage | None = None, repeats_left: int = 0) -> None:
        if self._progress is None:
            return
        planned = sum(self._plan.rest_seconds(self.keys(each), [each.images]) for each in self._waiting)
        if stage is not None:
            planned += repeats_left * self._plan.round_seconds(self.keys(stage), stage.images)
        left = max(0.0, min(planned, self.seconds_left())) + min(DRAWING_SECONDS, self._budget / 5)
        self._progress(Progress(doing, time.monotonic() - self._started, left))

    def _warm_up(self, stages: list[Stage]) -> None:
        """Do every experiment with a few images, twice, and drop the times: no cell pays for loading a library.

        What it cost the second time tells the plan what more images will cost.
        """
        reads = tuple(dict.fromkeys(read for stage in stages for read in stage.reads if read != "read-one"))
        for _ in range(2):
            self._plan.forget()
            _StageRun(self, Stage(WARM_UP_IMAGES, "store-many", reads, True, True)).run(repeats=1)
        self._cells.clear()
        self._runs.clear()
        self.results.run.pop("differences", None)

    def _reason_to_stop(self, stage: Stage) -> str | None:
        if stage.images > self._sample.largest:
            return f"so many decoded images, {words.size(self._sample.mean_bytes)} each, are more than the 1 GB that a run holds"
        needed = self._plan.round_seconds(self.keys(stage), stage.images)
        left = self.seconds_left()
        if needed > left and self._runs:
            have = words.duration(max(left, 0))
            return f"once every way would take about {words.duration(needed)}, of the budget {have} are left; see --budget"
        space = self._predicted_disk(stage)
        if space > self._max_disk:
            return f"the stores would need about {words.size(space)}, more than the {words.size(self._max_disk)} of --max-disk"
        return None

    def _predicted_disk(self, stage: Stage) -> float:
        measured = {cell.images: 0 for cell in self._cells.values() if cell.experiment == "disk" and cell.bytes}
        if not measured:
            return stage.images * self._sample.mean_bytes * sum(way.stores for way in self._ways)
        images = max(measured)
        cells = [cell for cell in self._cells.values() if cell.experiment == "disk" and cell.images == images]
        return sum(cell.bytes.allocated for cell in cells if cell.bytes) * stage.images / images

    def _measure_limits(self) -> None:
        largest = max((images for (experiment, _, images) in self._runs if experiment.startswith(("read-", "store-"))), default=0)
        if largest:
            self.tell("measuring what the machine can do at best")
            self.results.run["limits"] = physical.measure(self._sample.work(largest), self._folder)

    def _note(self, text: str) -> None:
        self.results.run["notes"].append(text)


class _StageRun:
    """All repeats of one number of images."""

    def __init__(self, bench: _Bench, stage: Stage) -> None:
        self._bench = bench
        self._stage = stage
        self._work = bench.sample.work(stage.images)
        self._order = np.arange(stage.images)
        self._share = 0.0
        self._broken: dict[str, str] = {}

    def run(self, repeats: int) -> None:
        ways = self._bench.ways
        for way in ways:
            title = way.title(self._work)
            if title:
                self._bench.results.run["ways"][way.name]["title"] = title
        for repeat in range(repeats):
            # Another way begins each time, so that none always follows the same neighbour.
            turn = ways[repeat % len(ways) :] + ways[: repeat % len(ways)]
            self._share = self._bench.plan.share(
                self._keys(), self._stage.images, self._bench.plan.repeats - repeat, self._bench.seconds_left()
            )
            self._store_all(turn, repeat)
            self._read_all(turn, repeat)
        for way in ways:
            shutil.rmtree(self._place(way), ignore_errors=True)
        os.sync()

    def _store_all(self, turn: list[Way], repeat: int) -> None:
        os.sync()
        for way in turn:
            key = (self._stage.store, way.name)
            wanted = self._stage.times_store or repeat == 0
            if way.stores and wanted and way.name not in self._broken and self._fits(key, repeat):
                self._tell(way, self._stage.store, repeat)
                self._paid(key, self._store, way)
        os.sync()
        if repeat == 0:
            self._measure_disk()

    def _read_all(self, turn: list[Way], repeat: int) -> None:
        reads = self._stage.reads
        if not reads and repeat == 0:
            # Nothing is believed unread.
            for way in turn:
                if way.name not in self._broken and way.stores:
                    self._read(way, "read-one" if self._stage.store == "store-one" else "read-many", is_timed=False)
        for experiment in reads:
            for way in turn:
                if way.name in self._broken and repeat == 0:
                    self._bench.fail(experiment, way.name, self._stage.images, f"nothing to read: {self._broken[way.name]}")
                key = (experiment, way.name)
                if way.name not in self._broken and self._fits(key, repeat):
                    self._tell(way, experiment, repeat)
                    self._paid(key, self._read, way, experiment)

    def _store(self, way: Way) -> None:
        place = self._place(way)
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        if self._work.pixel_bytes >= SYNC_BYTES:
            # Whoever syncs would otherwise pay for what others have written before.
            os.sync()
        store = way.store_one if self._stage.store == "store-one" else way.store_many
        try:
            seconds, _ = _timed(lambda: store(place, self._work))
        except Exception as error:
            self._broken[way.name] = f"{type(error).__name__}: {error}"
            self._bench.fail(self._stage.store, way.name, self._stage.images, self._broken[way.name])
            if self._stage.measures_disk:
                self._bench.fail("disk", way.name, self._stage.images, f"nothing stored: {self._broken[way.name]}")
            return
        if self._stage.times_store:
            self._bench.add_time(self._stage.store, way.name, self._stage.images, seconds)

    def _read(self, way: Way, experiment: str, *, is_timed: bool = True) -> None:
        order = {"read-one": self._order[:1], "read-shuffled": self._work.order}.get(experiment, self._order)
        read: Callable[[Path, Work], Found] = getattr(way, experiment.replace("-", "_"))
        try:
            seconds, found = _timed(lambda: read(self._place(way), self._work))
        except Exception as error:
            self._bench.fail(experiment, way.name, self._stage.images, f"{type(error).__name__}: {error}")
            return
        problem = check.difference(found, self._work, order, is_lossy=naming.codec(way.name) in LOSSY_CODECS)
        if problem:
            what = f"{way.name}, {experiment}, {words.count(self._stage.images, 'image')}: {problem}"
            self._bench.results.run.setdefault("differences", []).append(what)
            self._bench.fail(experiment, way.name, self._stage.images, f"the read-back differs from the input: {problem}")
        elif is_timed:
            self._bench.add_time(experiment, way.name, self._stage.images, seconds)

    def _measure_disk(self) -> None:
        for way in self._bench.ways:
            used = None if way.name in self._broken else way.usage(self._place(way), self._work)
            if used is None:
                continue
            if self._stage.measures_disk:
                self._bench.add_disk("disk", way.name, self._stage.images, used)
            if self._stage.store == "store-one" and self._stage.times_store:
                self._bench.add_disk("store-one", way.name, 1, used)

    def _keys(self) -> list[CellKey]:
        """Return the cells that further repeats are for."""
        return [key for key in self._bench.keys(self._stage) if self._stage.times_store or key[0] != self._stage.store]

    def _fits(self, key: CellKey, repeat: int) -> bool:
        """Return whether one more repeat of this cell fits its share of the budget; the first is always made."""
        if repeat == 0:
            return True
        cost = self._bench.plan.predict(key, self._stage.images)
        return cost <= self._share + 1e-9 and cost <= self._bench.seconds_left()

    def _paid(self, key: CellKey, action: Callable[..., None], *arguments: Any) -> None:
        """Do it, and count all it takes — deleting, flushing, comparing — against the cell's budget."""
        started = time.monotonic()
        action(*arguments)
        self._bench.plan.record(key, self._stage.images, time.monotonic() - started)

    def _tell(self, way: Way, experiment: str, repeat: int) -> None:
        repeats = self._bench.plan.repeats
        title = self._bench.results.title(way.name)
        doing = f"{words.count(self._stage.images, 'image')}, {experiment}, {title}, repeat {repeat + 1} of {repeats}"
        self._bench.tell(doing, self._stage, repeats - repeat)

    def _place(self, way: Way) -> Path:
        return self._bench.folder / way.name.replace("/", "+")


def _timed(action: Callable[[], Any]) -> tuple[float, Any]:
    gc.collect()
    # What the bench itself holds is no business of a collection inside a way's loop.
    gc.freeze()
    started = time.perf_counter()
    result = action()
    return time.perf_counter() - started, result
