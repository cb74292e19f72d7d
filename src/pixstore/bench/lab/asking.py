"""Asking a question: all its cells in turns, again and again, until each is known well enough or the time is spent."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pixstore.bench.lab.lab import DifferenceError, Lab
from pixstore.bench.lab.question import Observed, Question, Trial
from pixstore.bench.measurements import Observation
from pixstore.bench.statistics import Spread

MOST_REPEATS = 30
WARM_UP_PART = 1 / 6
"""The first round is dropped where it took no more than this part of the time: it pays for loading and for making stores."""
SPENT = "not measured: the budget was spent before its turn; see --budget"
TOO_LONG = "not measured: one repeat would have taken longer than was left of the time for this question; see --budget"
INTERRUPTED = "not measured: the run was interrupted before its turn"

Tell = Callable[[str], None]


@dataclass
class _Cell:
    trial: Trial
    seen: list[Observed] = field(default_factory=list)
    warm_up: list[Observed] = field(default_factory=list)
    costs: list[float] = field(default_factory=list)
    """Seconds each repeat took with all that goes with it, as comparing; without making a store that others then have too."""
    error: str | None = None
    reason: str | None = None
    """Why it was not begun."""
    differs: bool = False

    @property
    def is_done(self) -> bool:
        if self.error is not None or len(self.seen) >= MOST_REPEATS:
            return True
        return bool(self.seen) and Spread.of([each.seconds for each in self.seen]).is_narrow

    @property
    def load(self) -> float:
        return max(self.trial.images, 1) if self.trial.load is None else self.trial.load

    @property
    def kept(self) -> list[Observed]:
        """The repeats that count: the warm-up's only where there was no other."""
        return self.seen or self.warm_up


@dataclass(frozen=True)
class Answer:
    """What a question gave: its cells; how it was asked, for results.json; and what was read back other than it was stored."""

    observations: list[Observation]
    asked: dict[str, Any]
    differences: list[str]


class Asking:
    """A question being asked; `answer` tells what is known so far, at any moment, also after an interruption."""

    def __init__(self, lab: Lab, question: Question) -> None:
        self._lab = lab
        self._question = question
        self._started = time.monotonic()
        self._rounds = 0
        self._has_warmed_up = False
        self._has_ended = False
        self._cells: list[_Cell] = []
        self._refused = ""
        try:
            trials = question.trials(lab)
        except Exception as error:
            self._refused = f"{type(error).__name__}: {error}"
            return
        self._refused = lab.reason_to_refuse(trials) or ""
        if not self._refused:
            self._cells = [_Cell(trial, error=lab.reason_to_leave_out(trial)) for trial in trials]

    def run(self, seconds: float, most_seconds: float, tell: Tell) -> None:
        """Measure all cells in turns, for about so many seconds; a cell's first time also later, up to `most_seconds`.

        No repeat begins that would probably end after that.
        """
        random = np.random.default_rng(len(self._cells))
        while pending := [cell for cell in self._cells if not cell.is_done]:
            measured = 0
            turn = [pending[place] for place in random.permutation(len(pending))]
            if self._rounds == 0:
                turn = _first_turn(turn)
            for cell in turn:
                if self._fits(cell, (seconds if cell.kept else most_seconds) - self._seconds_gone()):
                    tell(f"{self._question.title}: {cell.trial.way}, {_setting(cell.trial)}, repeat {len(cell.seen) + 1}")
                    self._measure(cell)
                    measured += 1
            self._rounds += 1
            if measured == 0 or self._seconds_gone() >= seconds:
                break
            if self._rounds == 1 and self._seconds_gone() <= WARM_UP_PART * seconds:
                self._drop_warm_up()
        self._has_ended = True

    def answer(self) -> Answer:
        """Return every cell as far as it is known; one never measured says why."""
        name = self._question.name
        asked = {
            "title": self._question.title,
            "asks": self._question.asks,
            "seconds": round(self._seconds_gone(), 1),
            "rounds": self._rounds,
            "warmed_up": self._has_warmed_up,
        }
        if self._refused:
            return Answer([Observation(name, "", 0, {}, error=self._refused)], asked, [])
        differences = [f"{cell.trial.way}, {name}, {_setting(cell.trial)}: {cell.error}" for cell in self._cells if cell.differs]
        return Answer([self._observation(cell) for cell in self._cells], asked, differences)

    def _measure(self, cell: _Cell) -> None:
        started, storing = time.monotonic(), self._lab.storing_seconds
        try:
            cell.seen.append(cell.trial.measure())
        except Exception as error:
            cell.error = f"{type(error).__name__}: {error}"
            cell.differs = isinstance(error, DifferenceError)
        else:
            cell.costs.append(time.monotonic() - started - (self._lab.storing_seconds - storing))

    def _seconds_gone(self) -> float:
        return time.monotonic() - self._started

    def _drop_warm_up(self) -> None:
        self._has_warmed_up = True
        for cell in self._cells:
            cell.warm_up, cell.seen = cell.seen, []

    def _fits(self, cell: _Cell, seconds_left: float) -> bool:
        """Return whether one more repeat of this cell will probably end in time; note why where not."""
        if seconds_left <= 0:
            return False
        fits = self._predict(cell) <= seconds_left
        if not fits:
            cell.reason = TOO_LONG
        return fits

    def _predict(self, cell: _Cell) -> float:
        """Return the seconds that a repeat of this cell will probably take; 0 where nothing like it has been measured.

        From its own repeats; before the first, from cells of the same way by their load, or where it is the first of its way, from
        those of the same setting.
        """
        if cell.costs:
            return min(cell.costs)
        same_way = [each for each in self._cells if each.trial.way == cell.trial.way]
        same_setting = [each for each in self._cells if each.trial.setting == cell.trial.setting]
        return (_pace(same_way) or _pace(same_setting)) * cell.load

    def _observation(self, cell: _Cell) -> Observation:
        trial, kept = cell.trial, cell.kept
        name, setting = self._question.name, dict(trial.setting)
        if cell.error is not None or not kept:
            reason = cell.error or cell.reason or (SPENT if self._has_ended else INTERRUPTED)
            return Observation(name, trial.way, trial.images, setting, error=reason)
        names = dict.fromkeys(name for seen in kept for name in seen.measures)
        measures = {name: Spread.of([seen.measures[name] for seen in kept if name in seen.measures]) for name in names}
        seconds = Spread.of([seen.seconds for seen in kept])
        return Observation(name, trial.way, trial.images, setting, seconds, measures, dict(kept[-1].proof))


def _first_turn(cells: Sequence[_Cell]) -> list[_Cell]:
    """Return the cells with the least load first, of the same load one way after the other.

    The first tell what the others will cost; and where the time ends within the round, some ways can be compared in all their settings,
    not all in some.
    """
    ways = list(dict.fromkeys(cell.trial.way for cell in cells))
    return sorted(cells, key=lambda cell: (cell.load, ways.index(cell.trial.way)))


def _pace(cells: Sequence[_Cell]) -> float:
    """Return the median seconds per unit of load of those cells that have been measured, 0 where none has."""
    costs = [min(cell.costs) / cell.load for cell in cells if cell.costs]
    return statistics.median(costs) if costs else 0.0


def _setting(trial: Trial) -> str:
    return ", ".join(f"{name} {value}" for name, value in trial.setting.items())
