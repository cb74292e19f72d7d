"""How often `pixstore report NEW --against OLD` errs: cells called changed between equal runs, and slowdowns of 30 % that it misses.

    python benchmarks/changes.py [SOURCE] --out FOLDER [--tries 40] [--suite classic] [--ways A,B,…] [--cutoffs 100,1000] [--budget 12]

Runs a small bench twice; both are equal, and what is called changed between them is an error. Then as many tries as asked: the same
bench, slowed by 30 %: three times of five one cell, once a whole way, once half of the ways, chosen at random. A cell slowed is found if
it is called slower than in the first run. All cells that were not slowed count as equal once more. The slowdown is a wait in a loop after
the action, of 30 % of what the action took, put around the way in this program; pixstore itself knows nothing of it. Of the lab
only the question `order` is slowed: there the wait is put around the reader, so it slows every cell of that way; of a single cell to be
slowed only that is looked for, and of a whole way's the other questions are not counted.

Stopped and run again with the same FOLDER it goes on where it was. The defaults take about 15 s a try, 10 minutes in all. Exit status 1
where more than 5 % of equal cells are called changed, or fewer than 95 % of the slowed cells are found, single ones or those of whole
ways. With the lab, and in full size:

    python benchmarks/changes.py --out FOLDER --suite order --budget 60 --tries 20
    python benchmarks/changes.py SOURCE --out FOLDER --suite full --ways "" --cutoffs "" --budget 1800 --tries 1

Empty ways and cutoffs are those that `pixstore bench` chooses.
"""

from __future__ import annotations

import argparse
import copy
import json
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from pixstore import bench
from pixstore.bench import against
from pixstore.bench.changes import Change
from pixstore.bench.ways import catalog
from pixstore.bench.ways.base import Found, Reader, Way, Work

SLOWDOWN = 0.3
MOST_CHANGED, LEAST_FOUND = 0.05, 0.95
TRIES = "tries.jsonl"
METHODS = ("store-one", "store-many", "read-one", "read-many", "read-shuffled")
READING = ("order",)
"""Questions all of whose time is that of a reader's `read`."""
Result = TypeVar("Result")


@dataclass(frozen=True)
class Planted:
    """What is slowed: one cell, of the classic experiment or of a question of the lab; whole ways where no experiment is named."""

    ways: tuple[str, ...]
    experiment: str = ""
    images: int = 0
    setting: Mapping[str, Any] = field(default_factory=dict)

    def touches(self, change: Change) -> bool:
        """Return whether the cell may be slower by what was planted."""
        is_there = not self.experiment or (change.experiment, change.images) == (self.experiment, self.images)
        return change.measure == "seconds" and change.way in self.ways and is_there

    def is_wanted(self, change: Change) -> bool:
        """Return whether the cell has been slowed and has to be found."""
        here = dict(change.setting) == self.setting if self.experiment else change.experiment in (*METHODS, *READING)
        return self.touches(change) and here and change.before is not None

    def __str__(self) -> str:
        cell = f"{self.experiment}, {self.images} images, {dict(self.setting)}, " if self.experiment else "all of "
        return cell + ", ".join(self.ways)


def slowly(action: Callable[[], Result]) -> Result:
    started = time.perf_counter()
    result = action()
    until = time.perf_counter() + SLOWDOWN * (time.perf_counter() - started)
    while time.perf_counter() < until:
        pass
    return result


class SlowReader(Reader):
    """Reads as another reader does, and takes longer."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def read(self, rows: NDArray[np.int64]) -> Found:
        return slowly(lambda: self._reader.read(rows))

    def close(self) -> None:
        self._reader.close()


def slowed(way: Way, planted: Planted) -> Way:
    """Return a copy of the way whose planted cells take longer."""
    found = copy.copy(way)
    for experiment in METHODS:
        if planted.experiment in ("", experiment):
            method = experiment.replace("-", "_")
            setattr(found, method, partial(_slowly_if_planted, getattr(way, method), planted))
    if planted.experiment in ("", *READING):
        setattr(found, "reader", lambda folder, work: SlowReader(way.reader(folder, work)))  # noqa: B010
    return found


def _slowly_if_planted(action: Callable[[Path, Work], Result], planted: Planted, folder: Path, work: Work) -> Result:
    is_planted = not planted.experiment or planted.experiment.endswith("-one") or len(work) == planted.images
    return slowly(lambda: action(folder, work)) if is_planted else action(folder, work)


def run(options: argparse.Namespace, planted: Planted | None, folder: Path) -> bench.Results:
    """Return the results of one bench, read again where it has been run before."""
    if (folder / bench.JSON_NAME).exists():
        return bench.load(folder)
    find = catalog.find

    def find_slowed(name: str, source: Way | None, cpus: int) -> Way:
        way = find(name, source, cpus)
        return slowed(way, planted) if planted is not None and name in planted.ways else way

    catalog.find = find_slowed
    try:
        return bench.run(
            options.source,
            ways=options.ways.split(",") if options.ways else None,
            cutoffs=[int(each) for each in options.cutoffs.split(",")] if options.cutoffs else None,
            suite=options.suite.split(","),
            budget_seconds=options.budget,
            out=folder,
        )
    finally:
        catalog.find = find


def choose(first: bench.Results, number: int) -> Planted:
    """Return what this try slows: any cell that has a time, or every fifth time a way, or half of the ways; seeded."""
    random = np.random.default_rng(number)
    cells = [Planted((each.way,), each.experiment, each.images) for each in first.cells if each.seconds]
    cells += [
        Planted((each.way,), each.question, each.images, each.setting)
        for each in first.observations
        if each.question in READING and each.seconds
    ]
    whole = {3: 1, 4: max(1, len(first.ways) // 2)}.get(number % 5)
    if whole is not None:
        return Planted(tuple(str(way) for way in random.choice(first.ways, whole, replace=False)))
    return cells[random.integers(len(cells))]


def attempt(options: argparse.Namespace, first: bench.Results, number: int) -> dict[str, Any]:
    """Return what one try gave; number 0 slows nothing."""
    started = time.monotonic()
    planted = choose(first, number) if number else None
    changes = against.compare(run(options, planted, options.out / f"{number:04}"), first).changes
    equal = [each for each in changes if planted is None or not planted.touches(each)]
    row: dict[str, Any] = {"try": number, "equal": len(equal), "changed": sum(each.is_change for each in equal)}
    if planted is not None:
        wanted = [each for each in changes if planted.is_wanted(each)]
        missed = [f"{each.way}, {each.what}: {each.verdict} {each.ratio} {each.reason}" for each in wanted if each.verdict != "slower"]
        row |= {"planted": str(planted), "is_whole": not planted.experiment, "slowed": len(wanted), "missed": missed}
    row["seconds"] = round(time.monotonic() - started, 1)
    print(json.dumps(row, ensure_ascii=False), flush=True)
    return row


def share_found(rows: list[dict[str, Any]], what: str) -> float:
    """Print and return which part of the cells slowed in these tries was found, 1 where there were none."""
    slowed = sum(row["slowed"] for row in rows)
    found = 1 - sum(len(row["missed"]) for row in rows) / slowed if slowed else 1.0
    print(f"{what} slower by {SLOWDOWN:.0%}: {found:.1%} of {slowed} cells found, in {len(rows)} tries")
    return found


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", nargs="?")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--tries", type=int, default=40)
    parser.add_argument("--suite", default="classic")
    parser.add_argument("--ways", default="tutorial-png,tutorial-hdf5,lmdb/raw,packed/png")
    parser.add_argument("--cutoffs", default="100,1000")
    parser.add_argument("--budget", type=float, default=12.0)
    return parser.parse_args()


def main() -> int:
    options = parsed()
    options.out.mkdir(parents=True, exist_ok=True)
    tries = options.out / TRIES
    rows = [json.loads(line) for line in tries.read_text(encoding="utf-8").splitlines()] if tries.exists() else []
    first = run(options, None, options.out / "first")
    for number in range(len(rows), options.tries + 1):
        rows.append(attempt(options, first, number))
        with open(tries, "a", encoding="utf-8") as file:
            file.write(json.dumps(rows[-1], ensure_ascii=False) + "\n")
    twice = rows[0]["changed"] / rows[0]["equal"]
    changed = sum(row["changed"] for row in rows) / sum(row["equal"] for row in rows)
    print(f"two equal runs: {twice:.1%} of {rows[0]['equal']} cells called changed; over all {len(rows)} runs {changed:.1%} of equal cells")
    single = share_found([row for row in rows[1:] if not row["is_whole"]], "single cells")
    whole = share_found([row for row in rows[1:] if row["is_whole"]], "whole ways")
    return 0 if max(twice, changed) <= MOST_CHANGED and min(single, whole) >= LEAST_FOUND else 1


if __name__ == "__main__":
    sys.exit(main())
