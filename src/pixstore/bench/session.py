"""One run's state: its clock and budget, its ways, and what has been measured so far."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pixstore.bench import machine, naming, suites, words
from pixstore.bench.experiments import EXPERIMENTS, Stage
from pixstore.bench.folders import StoreFolders
from pixstore.bench.images import Sample
from pixstore.bench.lab.asking import Answer
from pixstore.bench.measurements import Bytes, Cell, Measurements
from pixstore.bench.plan import REMOVAL, TURN, CellKey, Plan, Repeats
from pixstore.bench.statistics import Spread
from pixstore.bench.ways import catalog
from pixstore.bench.ways.base import Way
from pixstore.bench.ways.source import SourceWay
from pixstore.errors import InvalidInputError


@dataclass(frozen=True)
class Progress:
    """How far a run is: what it does now, seconds gone, and seconds left as far as known."""

    doing: str
    seconds: float
    seconds_left: float


Report = Callable[[Progress], None]


@dataclass(frozen=True)
class Limits:
    """What a run may use: repeats of each cell, seconds in all, bytes of disk at once (half of what is free for None).

    repeats: None for as many as it takes to know the median. classic_seconds: what of the budget is the classic experiment's, None
    for all of it.
    """

    repeats: int | None
    budget_seconds: float
    max_disk_bytes: int | None = None
    classic_seconds: float | None = None

    def __post_init__(self) -> None:
        has_repeats = self.repeats is None or self.repeats >= 1
        if not has_repeats or not self.budget_seconds > 0 or (self.max_disk_bytes is not None and self.max_disk_bytes < 0):
            raise InvalidInputError(f"{self}: all must be positive")


class Session:
    """Holds the sample, the ways, the plan and the cells; knows what is left of the budget and when to stop."""

    def __init__(self, sample: Sample, names: Sequence[str], folder: Path, limits: Limits, started: float, report: Report | None) -> None:
        self.sample = sample
        self.folder = folder
        self.folders = StoreFolders(folder)
        self.plan = Plan(Repeats.of(limits.repeats))
        self.waiting: list[Stage] = []
        self._started = started
        self._budget = limits.budget_seconds
        self._classic = limits.budget_seconds if limits.classic_seconds is None else limits.classic_seconds
        self.max_disk_bytes = shutil.disk_usage(folder).free // 2 if limits.max_disk_bytes is None else limits.max_disk_bytes
        self._report = report
        cpus = machine.usable_cpus()
        self._cpus = cpus
        self._source = None if sample.dataset is None else SourceWay(sample.dataset, sample.image_field, cpus)
        self.ways = [catalog.find(name, self._source, cpus) for name in names]
        self._cells: dict[tuple[str, str, int], Cell] = {}
        self._runs: dict[tuple[str, str, int], list[float]] = {}
        self.results = Measurements(machine.describe(folder), sample.describe(), self._conditions())

    def _conditions(self) -> dict[str, Any]:
        return {
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "repeats": self.plan.repeats.least,
            "most_repeats": self.plan.repeats.most,
            "budget_seconds": self._budget,
            "max_disk_bytes": self.max_disk_bytes,
            "ways": {way.name: self._description(way) for way in self.ways},
            "conditions": list(words.CONDITIONS),
            "notes": [f"{way.name} is lossy: its pixels are not compared" for way in self.ways if naming.is_lossy(way.name)],
            "limits": {},
            "interrupted": False,
        }

    def _description(self, way: Way) -> dict[str, Any]:
        return {"title": naming.title(way.name, kept=self.sample.codec), "threads": way.threads}

    def add_ways(self, names: Sequence[str]) -> list[Way]:
        """Return the ways of these names, for the lab; the results know their titles too."""
        known = {way.name: way for way in self.ways}
        found = [known.get(name) or catalog.find(name, self._source, self._cpus) for name in names]
        for way in found:
            self.results.run["ways"].setdefault(way.name, self._description(way))
        return found

    def add_answer(self, question: str, answer: Answer) -> None:
        """Note what a question of the lab gave."""
        self.results.observations += answer.observations
        self.results.run["lab"][question] = answer.asked
        if answer.differences:
            self.results.run.setdefault("differences", []).extend(answer.differences)

    def finish(self) -> None:
        """Bring everything measured into the results."""
        for key, runs in self._runs.items():
            cell = self._cells.get(key, Cell(*key))
            self._cells[key] = replace(cell, seconds=Spread.of(runs)) if cell.error is None else cell
        position = {name: number for number, name in enumerate(EXPERIMENTS)}
        order = {way.name: number for number, way in enumerate(self.ways)}
        self.results.cells = sorted(self._cells.values(), key=lambda cell: (position[cell.experiment], cell.images, order[cell.way]))
        self.results.run["seconds"] = round(self.seconds_gone(), 1)

    def forget(self) -> None:
        """Drop everything measured; what it cost stays known to the plan."""
        self._cells.clear()
        self._runs.clear()
        self.results.run.pop("differences", None)

    def fail(self, experiment: str, way: str, images: int, reason: str) -> None:
        self._cells[experiment, way, images] = Cell(experiment, way, images, error=reason)

    def add_time(self, experiment: str, way: str, images: int, seconds: float) -> None:
        self._runs.setdefault((experiment, way, images), []).append(seconds)

    def add_disk(self, experiment: str, way: str, images: int, used: Bytes) -> None:
        cell = self._cells.get((experiment, way, images), Cell(experiment, way, images))
        self._cells[experiment, way, images] = replace(cell, bytes=used)

    def differ(self, experiment: str, way: str, images: int, problem: str) -> None:
        """Note that a way read back other pixels or labels than were stored: the cell has failed, and with it the run."""
        self.results.run.setdefault("differences", []).append(f"{way}, {experiment}, {words.count(images, 'image')}: {problem}")
        self.fail(experiment, way, images, f"the read-back differs from the input: {problem}")

    def note(self, text: str) -> None:
        self.results.run["notes"].append(text)

    @property
    def largest(self) -> int:
        """The largest number of images with a time, 0 where there is none yet."""
        return max((images for _, _, images in self._runs), default=0)

    def is_known(self, experiment: str, way: str, images: int) -> bool:
        """Return whether this cell needs no further repeats: its median is known well enough, or it has failed."""
        cell, runs = self._cells.get((experiment, way, images)), self._runs.get((experiment, way, images))
        return (cell is not None and cell.error is not None) or (runs is not None and Spread.of(runs).is_narrow)

    def seconds_gone(self) -> float:
        return time.monotonic() - self._started

    def seconds_left(self) -> float:
        """Return what is left of the classic experiment's budget, without what drawing will take."""
        return self._classic - self._drawing_seconds() - self.seconds_gone()

    def _drawing_seconds(self) -> float:
        return suites.drawing_seconds([suites.CLASSIC], self._classic)

    def keys(self, stage: Stage) -> list[CellKey]:
        """Return the cells of a stage that cost time: storing, whether timed or not, and every read."""
        stored = [(stage.store, way.name) for way in self.ways if way.stores]
        return stored + [(experiment, way.name) for experiment in stage.reads for way in self.ways]

    def tell(self, doing: str, stage: Stage | None = None, repeats_left: int = 0) -> None:
        """Report what is being done, and the time left for this stage and those that wait."""
        if self._report is None:
            return
        planned = sum(self.plan.rest_seconds(self.keys(each), [each.images]) for each in self.waiting)
        if stage is not None:
            planned += repeats_left * self.plan.round_seconds(self.keys(stage), stage.images)
        left = max(0.0, min(planned, self.seconds_left())) + self._drawing_seconds() + self._budget - self._classic
        self._report(Progress(doing, self.seconds_gone(), left))

    def tell_lab(self, doing: str) -> None:
        """Report what the lab is doing; it uses all that is left of the budget."""
        if self._report is not None:
            self._report(Progress(doing, self.seconds_gone(), max(0.0, self._budget - self.seconds_gone())))

    def reason_to_stop(self, stage: Stage) -> str | None:
        """Return why this number of images would pass a limit, None where it would not."""
        if stage.images > self.sample.largest:
            return f"so many decoded images, {words.size(self.sample.mean_bytes)} each, are more than the 1 GB that a run holds"
        needed = self.plan.round_seconds([*self.keys(stage), TURN, REMOVAL], stage.images)
        left = self.seconds_left()
        if needed > left and self._runs:
            have = f"{words.duration(left)} are left" if left > 0 else "nothing is left"
            return f"once every way would take about {words.duration(needed)}, of the budget {have}; see --budget"
        space = self._predicted_disk(stage)
        if space > self.max_disk_bytes:
            return f"the stores would need about {words.size(space)}, more than the {words.size(self.max_disk_bytes)} of --max-disk"
        return None

    def _predicted_disk(self, stage: Stage) -> float:
        measured = {cell.images: 0 for cell in self._cells.values() if cell.experiment == "disk" and cell.bytes}
        if not measured:
            return stage.images * self.sample.mean_bytes * sum(way.stores for way in self.ways)
        images = max(measured)
        cells = [cell for cell in self._cells.values() if cell.experiment == "disk" and cell.images == images]
        return sum(cell.bytes.allocated for cell in cells if cell.bytes) * stage.images / images
