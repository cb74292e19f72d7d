"""Loss of power: an ext4 on a loop device is shut down at any moment, mounted again, and the store on it is judged."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from faults.attempt import Attempt, Ending
from faults.devices import LOG_FLUSH, NO_LOG_FLUSH, copy_image, cut_power, make_image, mounted_image, why_no_mounts
from faults.forked import run_forked
from faults.judge import Task, judge_recovery
from faults.operations import OPERATIONS
from faults.part import Part, Result
from faults.stage import TRIAL, Stage, stage
from pixstore.manifest import Durability

PROCESS_SHARE = 4
"""One trial in so many is in durability `process`, beside those in `power`."""


def run(engine: str, op: str, trials: int, seed: int) -> list[Result]:
    if reason := why_no_mounts("ext4"):
        return [Result("power", engine, op, "power cut", 0, seed, 0.0, skipped=reason)]
    return [_cuts(engine, op, trials, seed, "power"), _cuts(engine, op, max(1, trials // PROCESS_SHARE), seed, "process")]


def _cuts(engine: str, op: str, trials: int, seed: int, durability: Durability) -> Result:
    began = time.perf_counter()
    counts: Counter[str] = Counter()
    failures: list[str] = []
    with stage(engine, op, durability) as ready, disk(ready) as image:
        for number in range(seed, seed + trials):
            failures += [f"seed {number}: {each}" for each in trial(ready, image, number, counts)]
    return Result(
        "power", engine, op, "power cut", trials, seed, time.perf_counter() - began, tuple(failures), durability, counts=dict(counts)
    )


@contextmanager
def disk(ready: Stage) -> Iterator[Path]:
    """Make an image with the store as it is before the operation, all of it on the medium."""
    image = ready.folder / "disk.img"
    make_image(image)
    with mounted_image(image, ready.folder / "disk") as place:
        ready.copy(place)
    yield image


def trial(ready: Stage, image: Path, seed: int, counts: Counter[str]) -> list[str]:
    """Cut power at a moment that the seed chooses; return what is wrong with what is on the disk afterwards."""
    generator = random.Random(f"{ready.engine} {ready.operation.name} {seed}")
    trial_image = ready.folder / "trial.img"
    copy_image(image, trial_image)
    with mounted_image(trial_image, ready.folder / "disk") as place:
        store = place / TRIAL
        with ready.attempt(store) as attempt:
            attempt.begin()
            _wait(attempt, ready, generator)
            cut_power(place, generator.choice((LOG_FLUSH, NO_LOG_FLUSH)))
            attempt.kill()
            ending = attempt.end()
    counts[f"acknowledged {ending.acknowledged}"] += 1
    with mounted_image(trial_image, ready.folder / "disk"):
        if ready.durability == "process":
            return _recovery_problems(ready, store, ending, counts)
        return ready.problems(store, ending)


def _wait(attempt: Attempt, ready: Stage, generator: random.Random) -> None:
    """Wait for a random moment of the run, or for one after the k-th acknowledgement; the end of the run is one too."""
    if generator.random() < 0.5:
        attempt.wait(seconds=generator.random() * ready.seconds * 1.2)
    else:
        attempt.wait(steps=generator.randrange(ready.operation.steps + 1))
        attempt.wait(seconds=generator.random() * ready.step_seconds)


def _recovery_problems(ready: Stage, store: Path, ending: Ending, counts: Counter[str]) -> list[str]:
    """Return what is wrong where syncing was left out: the newest version that is whole must be a state there was, to go on from."""
    task = Task(store, ready.engine, ready.operation, ready.durability, ending.acknowledged, ending.finished)
    reply = run_forked(judge_recovery, task, ready.whole)
    if not reply.is_whole:
        return [f"the judge: {reply}"]
    version, problems = reply.value
    counts[f"whole: {version}"] += 1
    return [f"{each} ({ending})" for each in problems]


PART = Part(
    "power",
    "Loss of power",
    run,
    tuple(OPERATIONS),
    trials=40,
    short=2,
    explains="The store lies on an ext4 of its own on a loop device, which is shut down with EXT4_IOC_SHUTDOWN (the journal written "
    "out, or not) at a random moment or after the k-th acknowledgement; then the process is killed, the file system mounted "
    "again, and the store judged. In durability `process` the newest version that is whole must be one there was, "
    "`rollback` must lead back to it, and the operation must come to its end from there. A disk that reports as written "
    "what is not is not simulated.",
)
