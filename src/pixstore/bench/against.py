"""What changed between two runs beyond noise.

Cells are matched by what they are: experiment, way and number of images; of the lab, question, way, images and setting. Disk use is
exact: another number of bytes is a change. A time has changed where both hold:

1. **By enough.** The medians differ by a factor of LEAST_RATIO, or by more where the two runs scatter more: SCATTERS standard deviations.
   On machines that are shared, or whose clocks change, a run differs from the next by more than the repeats within a run show (T.
   Kalibera, R. Jones, Rigorous Benchmarking in Reasonable Time, 2013); how much is seen from the logarithms of new ÷ old. Compared, by
   pairs (statistics.scatter), are the cells of one way with each other, and those of one number of images and setting; the less of both
   counts. So neither ways that are slower as a whole hide themselves, be it half or all of them, nor does what is slower in all ways. Over
   all experiments where one has fewer than LEAST_PAIRS. In quadrature comes by how much whole ways move apart though nothing has changed,
   as by where their files lie: from the pairs of the ways' medians in each experiment, so half of the ways may have changed.
2. **Beyond the cell's own repeats.** A rank test of the repeats (Mann–Whitney, two-sided) gives less than SIGNIFICANCE. With fewer than
   LEAST_REPEATS on a side it could not, and nothing is told.

Refused: a correction for the number of cells (Y. Benjamini, Y. Hochberg, Controlling the False Discovery Rate, 1995). Five repeats
of each side give no probability below 1 in 126; among hundreds of cells a single slow one could never pass. What is wanted, that few
cells of two equal runs are called changed, the first condition sees to: it is measured from both runs. Where it keeps back what the
repeats alone would call a change, that is said. Refused, too: dividing by the machine's own speed. Where the yardsticks of the two
runs differ it is said, and the reader decides.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from pixstore.bench import conditions
from pixstore.bench.changes import FAILED_NOW, KEPT_BACK, LEAST_RATIO, Change, Comparison, Measure, Verdict
from pixstore.bench.measurements import Bytes, Measurements, Value
from pixstore.bench.statistics import Spread, pair_count, rank_sum_probability, scatter

SCATTERS = 2.75
LEAST_PAIRS = 12
LEAST_WAYS = 3
"""Of two ways that move apart nobody knows which has changed."""
SIGNIFICANCE = 0.05
LEAST_REPEATS = 4
ONLY_NEW, ONLY_OLD = "only in the new run", "only in the old run"
FAILED_BEFORE, FAILED_BOTH = "failed in the old run", "failed in both"
FEW = f"with fewer than {LEAST_REPEATS} repeats"

Identity: TypeAlias = tuple[str, str, int, tuple[tuple[str, Value], ...], Measure]

__all__ = ["Change", "Comparison", "compare"]


def compare(new: Measurements, old: Measurements) -> Comparison:
    """Return what became of every cell of either run; nothing that can be compared is refused."""
    after, before = _cells(new), _cells(old)
    pairs = {identity: (before.get(identity), after.get(identity)) for identity in dict.fromkeys([*after, *before])}
    thresholds = _thresholds(pairs)
    changes = tuple(_change(identity, *pair, thresholds.get(identity[0], LEAST_RATIO)) for identity, pair in pairs.items())
    titles = {way: run.title(way) for run in (old, new) for way in run.ways}
    return Comparison(changes, tuple(conditions.differences(new, old)), conditions.yardsticks(new, old), thresholds, titles)


@dataclass(frozen=True)
class _Held:
    value: Spread | Bytes | None
    error: str | None


def _cells(run: Measurements) -> dict[Identity, _Held]:
    """Return what a run holds of each cell: its time, and its bytes where it has any."""
    found: dict[Identity, _Held] = {}
    for cell in run.cells:
        place = (cell.experiment, cell.way, cell.images, ())
        has_failed = cell.error is not None
        if cell.seconds is not None or (has_failed and cell.experiment != "disk"):
            found[*place, "seconds"] = _Held(cell.seconds, cell.error)
        if cell.bytes is not None or (has_failed and cell.experiment == "disk"):
            found[*place, "bytes"] = _Held(cell.bytes, cell.error)
    for each in run.observations:
        found[each.question, each.way, each.images, tuple(sorted(each.setting.items())), "seconds"] = _Held(each.seconds, each.error)
    return found


def _thresholds(pairs: Mapping[Identity, tuple[_Held | None, _Held | None]]) -> dict[str, float]:
    """Return from which ratio on a time counts as changed, by experiment."""
    logs: dict[str, dict[Identity, float]] = {}
    for identity, (before, after) in pairs.items():
        ratio = _time_ratio(before, after)
        if ratio is not None:
            logs.setdefault(identity[0], {})[identity] = math.log(ratio)
    overall = {identity: each for of_one in logs.values() for identity, each in of_one.items()}
    # Of a few cells nobody knows which have not changed.
    fallback = _scatter(overall) or 0.0
    drift = _drift(overall)
    found = {name: _scatter(of_one) for name, of_one in logs.items()}
    scatters = {name: math.hypot(drift, fallback if each is None else each) for name, each in found.items()}
    return {name: max(LEAST_RATIO, math.exp(SCATTERS * each)) for name, each in scatters.items()}


def _drift(logs: Mapping[Identity, float]) -> float:
    """Return by how much ways as a whole move apart, 0 where too few of them can be compared."""
    found: dict[str, dict[str, list[float]]] = {}
    for (name, way, *_), each in logs.items():
        found.setdefault(name, {}).setdefault(way, []).append(each)
    groups = [[statistics.median(of_way) for of_way in ways.values()] for ways in found.values() if len(ways) >= LEAST_WAYS]
    return scatter(groups) if pair_count(groups) >= LEAST_PAIRS else 0.0


def _scatter(logs: Mapping[Identity, float]) -> float | None:
    """Return by how much cells of one way, or of one place, move apart; None where too few have something to be compared with."""
    of_ways: dict[Hashable, list[float]] = {}
    of_places: dict[Hashable, list[float]] = {}
    for (name, way, images, setting, _), each in logs.items():
        of_ways.setdefault((name, way), []).append(each)
        of_places.setdefault((name, images, setting), []).append(each)
    groupings = [list(groups.values()) for groups in (of_ways, of_places)]
    return min((scatter(groups) for groups in groupings if pair_count(groups) >= LEAST_PAIRS), default=None)


def _time_ratio(before: _Held | None, after: _Held | None) -> float | None:
    if before is None or after is None or before.error is not None or after.error is not None:
        return None
    was, now = before.value, after.value
    if not isinstance(was, Spread) or not isinstance(now, Spread) or not was.median or not now.median:
        return None
    return now.median / was.median


def _change(identity: Identity, before: _Held | None, after: _Held | None, threshold: float) -> Change:
    name, way, images, setting, measure = identity
    was, now = before.value if before else None, after.value if after else None
    verdict, ratio, reason = _verdict(before, after, threshold)
    return Change(name, way, images, dict(setting), measure, was, now, verdict, ratio, reason)


def _verdict(before: _Held | None, after: _Held | None, threshold: float) -> tuple[Verdict, float | None, str]:
    if before is None or after is None:
        return "cannot tell", None, ONLY_NEW if before is None else ONLY_OLD
    if before.error is not None or after.error is not None:
        both = before.error is not None and after.error is not None
        reason = FAILED_BOTH if both else FAILED_BEFORE if before.error is not None else FAILED_NOW
        return "cannot tell", None, f"{reason}: {after.error or before.error}"
    if isinstance(before.value, Bytes) and isinstance(after.value, Bytes):
        return _size_verdict(before.value, after.value)
    ratio = _time_ratio(before, after)
    if ratio is None or not isinstance(before.value, Spread) or not isinstance(after.value, Spread):
        return "cannot tell", None, "without a time"
    if min(len(before.value.runs), len(after.value.runs)) < LEAST_REPEATS:
        return "cannot tell", ratio, FEW
    is_apart = rank_sum_probability(before.value.runs, after.value.runs) < SIGNIFICANCE
    factor = max(ratio, 1 / ratio)
    if not is_apart or factor < LEAST_RATIO:
        return "same", ratio, ""
    if factor < threshold:
        return "same", ratio, KEPT_BACK
    return ("slower" if ratio > 1 else "faster"), ratio, ""


def _size_verdict(before: Bytes, after: Bytes) -> tuple[Verdict, float | None, str]:
    ratio = after.apparent / before.apparent if before.apparent else None
    if before.apparent == after.apparent:
        return "same", ratio, ""
    return ("larger" if after.apparent > before.apparent else "smaller"), ratio, ""
