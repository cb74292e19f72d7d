"""The cells that matter for a use, as a question of the lab: every candidate in turns, until each is known or the time is spent."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

import pixstore
from pixstore.bench import disk
from pixstore.bench.advice.candidates import Candidate
from pixstore.bench.advice.editing import Edit
from pixstore.bench.advice.figures import FULL, WINDOW, EditRate, Use
from pixstore.bench.advice.reading import Read, batch_bytes, cold
from pixstore.bench.lab.asking import INTERRUPTED, SPENT, TOO_LONG, Asking, Tell
from pixstore.bench.lab.chart import Chart
from pixstore.bench.lab.lab import DifferenceError, Lab
from pixstore.bench.lab.question import Observed, Question, Trial
from pixstore.bench.measurements import Measurements, Observation, Value
from pixstore.bench.statistics import Spread
from pixstore.bench.timing import timed
from pixstore.bench.ways.base import Way, Work
from pixstore.bench.ways.ours import STORE

NO_TURN = (SPENT, TOO_LONG, INTERRUPTED)
"""What a cell says that never had its turn: it has not failed."""
FIRST_LOADS = (0.98, 0.99)
"""Of the data as it lies, without which nothing can be compared, and of the simplest store: with the least load they come first."""

LATER = 1e-3
"""What the load of each further cell of a way is more."""


@dataclass
class Measured:
    """What was measured of one candidate, in seconds per image; see `figures.Figures`. sample_bytes: of the sample's store."""

    seconds: dict[int, Spread] = field(default_factory=dict)
    cold_seconds: dict[str, Spread] = field(default_factory=dict)
    edit_seconds: Spread | None = None
    verify_seconds: float | None = None
    opening_seconds: float = 0.0
    sample_bytes: int | None = None
    error: str | None = None
    differs: bool = False
    notes: dict[str, None] = field(default_factory=dict)
    """What went wrong, each once."""


@dataclass(frozen=True)
class Wanted:
    """What is asked of every candidate. has_cold: whether something may not fit memory, so that reading from the medium counts."""

    use: Use
    edit: EditRate
    has_cold: bool
    cpus: int


class Asked(Question):
    """The cells of `advise`."""

    name = "advice"
    title = "Advice"
    asks = "Which way of keeping these images is best for the stated use?"

    def __init__(self, candidates: Sequence[Candidate], wanted: Wanted) -> None:
        self._candidates = candidates
        self._wanted = wanted

    def trials(self, lab: Lab) -> list[Trial]:
        loads = (*FIRST_LOADS, *[1.0] * len(self._candidates))
        return [trial for each, load in zip(self._candidates, loads, strict=False) for trial in self._of(lab, each, load)]

    def charts(self, answers: Sequence[Observation]) -> list[Chart]:
        return []

    def sentences(self, answers: Sequence[Observation], run: Measurements) -> list[str]:
        return []

    def _of(self, lab: Lab, candidate: Candidate, load: float) -> list[Trial]:
        images, way, wanted = len(lab.sample), candidate.way, self._wanted
        read = Read(lab, way, wanted.use)
        cells: list[tuple[dict[str, Value], Callable[[], Observed]]] = [
            ({"threads": each.threads}, partial(read, each)) for each in (way, candidate.single) if each
        ]
        if wanted.has_cold:
            modes = (FULL, WINDOW) if wanted.use == "train" else (FULL,)
            cells += [({"cold": mode}, partial(cold, lab, way, wanted.use, mode)) for mode in modes]
        if wanted.edit == "often" and way.stores:
            cells.append(({"job": "edit"}, Edit(lab, way)))
        if wanted.use == "archive" and way.stores:
            cells.append(({"job": "verify"}, partial(_verify, lab, way)))
        # What a repeat takes hardly goes by images: most of the first is storing. All threads come first: if time is short, they are known.
        return [Trial(way.name, images, setting, action, load=load + LATER * place) for place, (setting, action) in enumerate(cells)]


def measure(
    lab: Lab, candidates: Sequence[Candidate], wanted: Wanted, seconds: float, most_seconds: float, tell: Tell
) -> tuple[list[Measured], list[str]]:
    """Return what was measured of each candidate, in their order, and what was read back other than it was stored.

    Takes about `seconds`, in no case much more than `most_seconds`.
    """
    asking = Asking(lab, Asked(candidates, wanted))
    asking.run(seconds, most_seconds, tell)
    answer = asking.answer()
    answers = answer.observations
    refused = next((each.error for each in answers if not each.way), None)
    found = []
    for candidate in candidates:
        mine = [each for each in answers if each.way == candidate.way.name]
        differs = any(each.startswith(f"{candidate.way.name}, ") for each in answer.differences)
        found.append(_gathered(lab, candidate, mine, differs=differs) if refused is None else Measured(error=refused))
    return found, answer.differences


def _gathered(lab: Lab, candidate: Candidate, answers: Sequence[Observation], *, differs: bool) -> Measured:
    measured = Measured(differs=differs)
    for each in answers:
        setting = dict(each.setting)
        if each.seconds is None:
            measured.notes[f"{candidate.title}: {each.error}"] = None
            if ("threads" in setting or differs) and each.error not in NO_TURN:
                measured.error = measured.error or each.error
        elif "threads" in setting:
            measured.seconds[int(setting["threads"])] = each.seconds
        elif "cold" in setting:
            measured.cold_seconds[str(setting["cold"])] = each.seconds
        elif setting.get("job") == "edit":
            measured.edit_seconds = each.seconds
        else:
            measured.verify_seconds = each.seconds.median
    if measured.seconds and not differs:
        # With one number of threads it reads.
        measured.error = None
    if measured.seconds and candidate.way.stores:
        work = lab.work(len(lab.sample))
        place = lab.stored(candidate.way, work)
        measured.sample_bytes = disk.usage(place).allocated
        measured.opening_seconds = _opening(candidate.way, lab, work)
    return measured


def _opening(way: Way, lab: Lab, work: Work) -> float:
    started = time.perf_counter()
    reader = way.reader(lab.stored(way, work), work)
    seconds = time.perf_counter() - started
    reader.close()
    return seconds


def _verify(lab: Lab, way: Way) -> Observed:
    """Return the seconds of one image that proving the whole store takes."""
    work = lab.work(len(lab.sample))
    place = lab.stored(way, work) / STORE
    timing, report = timed(lambda: pixstore.verify(place), batch_bytes(work))
    if not report.ok:
        raise DifferenceError(f"verify found damage in a store just made: {report.findings[:1]}")
    return Observed(timing.seconds / len(work))
