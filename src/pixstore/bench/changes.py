"""What became of every cell between two runs: for the terminal, for the report, as JSON."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, TypeAlias

from pixstore.bench import words
from pixstore.bench.measurements import Bytes, Value
from pixstore.bench.statistics import Spread
from pixstore.bench.table import NONE, Table

LEAST_RATIO = 1.15
"""Times that differ by less have not changed, however sure the difference is."""
HEADS = ("images kept as", "way", "what", "old", "new", "new ÷ old", "")
SHOWN = 3
FAILED_NOW = "failed in the new run"
KEPT_BACK = "apart by its repeats, but no further than the runs scatter"

Verdict: TypeAlias = Literal["faster", "slower", "smaller", "larger", "same", "cannot tell"]
Measure: TypeAlias = Literal["seconds", "bytes"]


@dataclass(frozen=True)
class Change:
    """One cell of either run, and what became of it. ratio: new ÷ old; reason: why nothing can be told, or not more."""

    experiment: str
    way: str
    images: int
    setting: Mapping[str, Value]
    measure: Measure
    before: Spread | Bytes | None
    after: Spread | Bytes | None
    verdict: Verdict
    ratio: float | None = None
    reason: str = ""

    @property
    def is_change(self) -> bool:
        return self.verdict not in ("same", "cannot tell")

    @property
    def what(self) -> str:
        """Which cell it is, without its way: "read-many, 1,000 images", "order, 5,000 images, order shuffled"."""
        settings = [f"{axis} {place}" for axis, place in self.setting.items()]
        disk = ["bytes on disk"] if self.measure == "bytes" and self.experiment != "disk" else []
        return ", ".join([self.experiment, words.count(self.images, "image"), *settings, *disk])


@dataclass(frozen=True)
class Comparison:
    """Two runs, cell by cell. thresholds: from which ratio on a time counts as changed, by experiment or question."""

    changes: tuple[Change, ...]
    conditions: tuple[str, ...]
    yardsticks: Mapping[str, float]
    thresholds: Mapping[str, float]
    titles: Mapping[str, str] = field(default_factory=dict)

    @property
    def changed(self) -> list[Change]:
        """What changed, the most first."""
        found = [each for each in self.changes if each.is_change]
        return sorted(found, key=lambda each: -abs(math.log(each.ratio)) if each.ratio else -math.inf)

    @property
    def broken(self) -> list[Change]:
        """What the old run measured and the new one could not."""
        return [each for each in self.changes if each.reason.startswith(FAILED_NOW)]

    @property
    def heads(self) -> tuple[str, ...]:
        return HEADS

    @property
    def rows(self) -> list[tuple[str, ...]]:
        """What failed or changed, as text under `heads`."""
        return [self._row(each) for each in (*self.broken, *self.changed)]

    def table(self) -> Table | None:
        """Return the same as a table, None where nothing changed."""
        return Table("What changed", HEADS, self.rows) if self.rows else None

    def sentences(self) -> list[str]:
        """Return what to know before anything else, then what changed, and from where on a difference counts."""
        return [*self._said_of_conditions(), *self._said_of_cells(), self._said_of_thresholds()]

    def to_json(self) -> dict[str, Any]:
        return {
            "conditions": list(self.conditions),
            "yardsticks": dict(self.yardsticks),
            "thresholds": dict(self.thresholds),
            "verdicts": dict(Counter(each.verdict for each in self.changes)),
            "cells": [asdict(each) for each in self.changes],
        }

    def _said_of_conditions(self) -> list[str]:
        found = []
        if self.conditions:
            found.append(f"CAUTION, the runs differ in more than what they measured: {'; '.join(self.conditions)}.")
        moved = {what: ratio for what, ratio in self.yardsticks.items() if max(ratio, 1 / ratio) >= LEAST_RATIO}
        if moved:
            said = ", ".join(f"{what} takes {_ratio(ratio)} the time" for what, ratio in moved.items())
            found.append(f"CAUTION, the machine itself is not as fast as before, or faster: {said}. Nothing is corrected for that.")
        elif self.yardsticks:
            said = ", ".join(f"{what} {_ratio(ratio)}" for what, ratio in self.yardsticks.items())
            found.append(f"The machine itself is as fast as before: {said} the time.")
        return found

    def _said_of_cells(self) -> list[str]:
        count = Counter(each.verdict for each in self.changes)
        named = [f"{count[verdict]:,} {verdict}" for verdict in ("slower", "faster", "larger", "smaller", "same") if count[verdict]]
        found = [f"Of {words.count(len(self.changes), 'cell')}: {', '.join(named) or 'none can be compared'}."]
        if count["cannot tell"]:
            reasons = Counter(each.reason.partition(":")[0] for each in self.changes if each.verdict == "cannot tell")
            said = ", ".join(f"{number:,} {reason}" for reason, number in reasons.most_common())
            found.append(f"Of {words.count(count['cannot tell'], 'cell')} nothing can be told: {said}.")
        kept_back = [each.ratio for each in self.changes if each.reason == KEPT_BACK and each.ratio]
        if kept_back:
            factor = max(max(ratio, 1 / ratio) for ratio in kept_back)
            found.append(
                f"CAUTION, {words.count(len(kept_back), 'cell')} of those called the same may have changed: apart by their repeats, by a "
                f"factor of up to {factor:.2f}, but no further than the two runs scatter. Measure again on a quieter machine."
            )
        for verdict in ("slower", "faster"):
            most = [each for each in self.changed if each.verdict == verdict][:SHOWN]
            found += [f"{verdict.capitalize()}: {self._title(each.way)}, {each.what}, {_ratio(each.ratio)} the time." for each in most]
        return found

    def _said_of_thresholds(self) -> str:
        shown = {name: f"{ratio:.2f}" for name, ratio in self.thresholds.items()}
        wider = {name: ratio for name, ratio in shown.items() if ratio != f"{LEAST_RATIO:.2f}"}
        text = f"A time counts as changed from a factor of {LEAST_RATIO} on, where its repeats are apart too"
        if len(wider) == len(self.thresholds) > 1 and len(set(wider.values())) == 1:
            text += f"; here from {next(iter(wider.values()))} on, because the two runs scatter as much as that"
        elif wider:
            text += f"; from more where the two runs scatter more: {', '.join(f'{name} {ratio}' for name, ratio in wider.items())}"
        return text + "."

    def _title(self, way: str) -> str:
        return self.titles.get(way, way)

    def _row(self, change: Change) -> tuple[str, ...]:
        verdict = change.verdict if change.is_change else change.reason
        return self._title(change.way), change.way, change.what, _shown(change.before), _shown(change.after), _ratio(change.ratio), verdict


def _shown(value: Spread | Bytes | None) -> str:
    if isinstance(value, Bytes):
        return words.size(value.apparent)
    if value is None:
        return NONE
    low, high = value.interval
    return f"{words.duration(value.median)} ({words.duration(low)} – {words.duration(high)})"


def _ratio(ratio: float | None) -> str:
    return NONE if ratio is None else f"{ratio:.3g}×"
