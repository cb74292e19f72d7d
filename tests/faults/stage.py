"""Where trials take place: a working folder in memory, the store before the operation, and what an undisturbed run takes and leaves."""

from __future__ import annotations

import importlib
import os
import shutil
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from faults.attempt import Attempt, Ending
from faults.forked import run_forked
from faults.judge import Task, closing_problems, judge, store_digest
from faults.operations import OPERATIONS, Operation
from pixstore.manifest import Durability

IN_MEMORY = Path("/dev/shm")
LEAST_FREE_BYTES = 1 << 30
MEASURED_RUNS = 5
TRIAL = Path("trial", "store")
"""Where a trial's store lies in its folder; a conversion's source lies beside it."""


def nothing() -> None:
    """Leave the product as it is."""


@dataclass(frozen=True)
class Stage:
    """One engine and operation, ready for trials. `plant` is called in the child before the operation, to put in a fault of ours."""

    folder: Path
    engine: str
    operation: Operation
    durability: Durability
    whole: str
    seconds: float
    step_seconds: float
    plant: Callable[[], None] = nothing

    @property
    def start(self) -> Path:
        return self.folder / "start"

    def copy(self, place: Path | None = None) -> Path:
        """Return a fresh store as it is before the operation, with what lies beside it."""
        trial = (place or self.folder) / TRIAL.parent
        shutil.rmtree(trial, ignore_errors=True)
        shutil.copytree(self.start, trial, symlinks=True)
        return (place or self.folder) / TRIAL

    def attempt(self, store: Path, *, before: Callable[[], None] = nothing) -> Attempt:
        """Return the operation in a child that waits to begin; `before` is called there first."""

        def run(acknowledge: Callable[[int], None]) -> None:
            before()
            self.plant()
            self.operation.run(store, self.engine, self.durability, acknowledge)

        return Attempt(run)

    def problems(self, store: Path, ending: Ending) -> list[str]:
        """Return what is wrong with the store after this ending, and after the operation was run again."""
        task = Task(store, self.engine, self.operation, self.durability, ending.acknowledged, ending.finished)
        reply = run_forked(judge, task, self.whole)
        problems = reply.value if reply.is_whole else [f"the judge: {reply}"]
        return [f"{each} ({ending})" for each in problems]


@contextmanager
def stage(engine: str, op: str, durability: Durability = "power", plant: Callable[[], None] = nothing) -> Iterator[Stage]:
    """Make the store before the operation and run the operation undisturbed; remove everything at the end."""
    operation = OPERATIONS[op]
    with working_folder() as folder:
        bare = Stage(folder, engine, operation, durability, "", 0.0, 0.0)
        _forked(_prepare, bare)
        whole, modules = _forked(_rehearse, bare, bare.copy())
        for name in modules:
            # What an operation imports late the trials' children find imported.
            if name not in sys.modules:
                importlib.import_module(name)
        runs = [_undisturbed(bare) for _ in range(MEASURED_RUNS)]
        seconds, step_seconds = (statistics.median(each) for each in zip(*runs, strict=True))
        yield Stage(folder, engine, operation, durability, whole, seconds, step_seconds, plant)


def _forked(function: Callable[..., Any], *arguments: Any) -> Any:
    reply = run_forked(function, *arguments)
    if not reply.is_whole:
        raise AssertionError(f"undisturbed it fails: {reply}")
    return reply.value


def _prepare(bare: Stage) -> None:
    bare.start.mkdir()
    bare.operation.prepare(bare.start / TRIAL.name, bare.engine, bare.durability)


def _rehearse(bare: Stage, store: Path) -> tuple[str, list[str]]:
    """Do the operation once; return the digest of the store then, and which modules were imported meanwhile."""
    before = set(sys.modules)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        bare.operation.run(store, bare.engine, bare.durability, lambda steps: None)
        if problems := closing_problems(store, bare.operation, digest := store_digest(store)):
            raise AssertionError(f"undisturbed it ends with {problems}")
    # Some libraries note parts of themselves among the modules that nobody can import.
    imported = [name for name, module in sys.modules.items() if name not in before and getattr(module, "__spec__", None) is not None]
    return digest, imported


def _undisturbed(bare: Stage) -> tuple[float, float]:
    """Return the seconds of a whole run, and of one step of it."""
    with bare.attempt(bare.copy()) as attempt:
        began = time.perf_counter()
        attempt.begin()
        attempt.wait(steps=0)
        opened = time.perf_counter() - began
        attempt.wait()
        seconds = time.perf_counter() - began
        ending = attempt.end()
    if not ending.finished or ending.acknowledged != bare.operation.steps:
        raise AssertionError(f"{bare.operation.name} on {bare.engine} fails undisturbed: {ending} {ending.error}")
    return seconds, (seconds - opened) / bare.operation.steps


@contextmanager
def working_folder() -> Iterator[Path]:
    """Make a folder in memory where there is room, else among temporary files; remove it at the end."""
    roomy = IN_MEMORY.is_dir() and os.access(IN_MEMORY, os.W_OK) and shutil.disk_usage(IN_MEMORY).free > LEAST_FREE_BYTES
    folder = Path(tempfile.mkdtemp(prefix="pixstore-faults-", dir=IN_MEMORY if roomy else None))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
