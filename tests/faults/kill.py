"""Kill -9 at any moment: at random points of the run time, and after the k-th acknowledgement."""

from __future__ import annotations

import random
import time
from collections import Counter

from faults.operations import OPERATIONS
from faults.part import Part, Result
from faults.stage import Stage, stage

MOST_TRIES = 4
"""A trial whose operation ended before the signal came is tried again with the next moment, so often."""


def run(engine: str, op: str, trials: int, seed: int) -> list[Result]:
    began = time.perf_counter()
    failures: list[str] = []
    counts: Counter[str] = Counter()
    with stage(engine, op) as ready:
        for number in range(seed, seed + trials):
            failures += [f"seed {number}: {each}" for each in trial(ready, number, counts)]
    return [Result("kill", engine, op, "kill -9", trials, seed, time.perf_counter() - began, tuple(failures), counts=dict(counts))]


def trial(ready: Stage, seed: int, counts: Counter[str]) -> list[str]:
    """Kill one run at a moment that the seed chooses; return what is wrong afterwards."""
    generator = random.Random(f"{ready.engine} {ready.operation.name} {seed}")
    for _ in range(MOST_TRIES):
        store = ready.copy()
        with ready.attempt(store) as attempt:
            attempt.begin()
            if generator.random() < 0.5:
                attempt.wait(seconds=generator.random() * ready.seconds)
            else:
                # The next step's commit lies in the window that follows; with 0 steps this is the first one's.
                attempt.wait(steps=generator.randrange(ready.operation.steps))
                attempt.wait(seconds=generator.random() * ready.step_seconds)
            attempt.kill()
            ending = attempt.end()
        if ending.signal:
            break
    counts["killed" if ending.signal else "ended before the signal"] += 1
    counts[f"acknowledged {ending.acknowledged}"] += 1
    return ready.problems(store, ending)


PART = Part(
    "kill",
    "Kill -9",
    run,
    tuple(OPERATIONS),
    trials=220,
    short=5,
    explains="The process is killed with SIGKILL: half of the time at a random point of its run time, half of the time at a random "
    "moment after the k-th acknowledgement, which is where the next commit happens.",
)
