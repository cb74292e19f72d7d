"""A full disk: small file systems with ever more room, or with ever more files, and a limit on the size of a file."""

from __future__ import annotations

import random
import resource
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from faults.attempt import Ending
from faults.devices import ROOMY_BYTES, give_space, mounted_tmpfs, why_no_mounts
from faults.operations import OPERATIONS
from faults.part import Part, Result
from faults.stage import Stage, nothing, stage

PAGE_BYTES = 4096


@dataclass(frozen=True)
class Need:
    """What an undisturbed operation adds at its widest: bytes, files and folders; and the largest file it writes."""

    bytes: int
    inodes: int
    largest: int


def run(engine: str, op: str, trials: int, seed: int) -> list[Result]:
    """Try `trials` times with each kind of limit, from next to nothing to almost enough."""
    results = []
    reason = why_no_mounts("tmpfs")
    with stage(engine, op) as ready:
        need = measure(ready)
        for fault in LIMITS:
            began = time.perf_counter()
            if reason and fault != FILE_SIZE:
                results.append(Result("full", engine, op, fault, 0, seed, 0.0, skipped=reason))
                continue
            counts: Counter[str] = Counter()
            failures: list[str] = []
            for number in range(seed, seed + trials):
                share = random.Random(number).random()
                failures += [f"seed {number}: {each}" for each in trial(ready, need, fault, share, counts)]
            seconds = time.perf_counter() - began
            results.append(Result("full", engine, op, fault, trials, seed, seconds, tuple(failures), counts=dict(counts)))
    return results


def measure(ready: Stage) -> Need:
    """Run the operation undisturbed and return what it needs; what it makes and removes again is not counted."""
    store = ready.copy()
    before = _usage(store)
    with ready.attempt(store) as attempt:
        attempt.begin()
        attempt.end()
    after = _usage(store)
    return Need(max(after.bytes - before.bytes, PAGE_BYTES), max(after.inodes - before.inodes, 1), after.largest)


def _usage(store: Path) -> Need:
    files = [each for each in [store, *store.rglob("*")] if each.exists()]
    sizes = [each.stat().st_size for each in files if each.is_file()]
    return Need(sum(-(-size // PAGE_BYTES) * PAGE_BYTES for size in sizes), len(files), max(sizes, default=0))


Room = tuple[Path, Callable[[], None], Callable[[], None]]
"""Where the store lies, what the child does before the operation, and what gives it room again."""


def trial(ready: Stage, need: Need, fault: str, share: float, counts: Counter[str]) -> list[str]:
    """Run the operation with this share of what it needs; return what is wrong with its error, with the store, and once there is room."""
    limited, words = LIMITS[fault]
    with contextmanager(limited)(ready, need, share) as (store, before, give_room):
        with ready.attempt(store, before=before) as attempt:
            attempt.begin()
            ending = attempt.end()
        counts["finished all the same" if ending.finished else "one error"] += 1
        counts[f"acknowledged {ending.acknowledged}"] += 1
        problems = error_problems(ending, store, words)
        give_room()
        return problems + ready.problems(store, ending)


def error_problems(ending: Ending, store: Path, words: Sequence[str]) -> list[str]:
    """Return what is wrong with how the run ended: done, or one StoreFullError with the path and these words."""
    if ending.finished:
        return []
    text = ending.error["text"] if ending.error else str(ending)
    clear = ending.error is not None and "StoreFullError" in ending.error["kinds"]
    if clear and all(word in text for word in (str(store), *words)):
        return []
    return [f"no StoreFullError with the path and {', '.join(words)}: {text}\n{ending.error['traceback'] if ending.error else ''}"]


def _less_space(ready: Stage, need: Need, share: float) -> Iterator[Room]:
    used = _usage(ready.start).bytes
    size = used + PAGE_BYTES + int(need.bytes * share) // PAGE_BYTES * PAGE_BYTES
    with mounted_tmpfs(ready.folder / "small", size) as place:
        yield ready.copy(place), nothing, lambda: give_space(place)


def _fewer_inodes(ready: Stage, need: Need, share: float) -> Iterator[Room]:
    inodes = 2 + _usage(ready.start).inodes + int(need.inodes * share)
    with mounted_tmpfs(ready.folder / "small", ROOMY_BYTES, inodes=inodes) as place:
        yield ready.copy(place), nothing, lambda: give_space(place)


def _smaller_files(ready: Stage, need: Need, share: float) -> Iterator[Room]:
    limit = max(1, int(need.largest * share))
    yield ready.copy(), lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)), nothing


FILE_SIZE = "file size limit"
LIMITS: dict[str, tuple[Callable[[Stage, Need, float], Iterator[Room]], Sequence[str]]] = {
    "no space left": (_less_space, ("needed", "free")),
    "no inodes left": (_fewer_inodes, ("inodes",)),
    FILE_SIZE: (_smaller_files, ("limit",)),
}
"""How room is taken away, and what the error must say."""

PART = Part(
    "full",
    "A full disk",
    run,
    tuple(OPERATIONS),
    trials=20,
    short=2,
    explains="The operation runs on a tmpfs with less room or fewer inodes than it needs, or under a limit on the size of a file: it "
    "must end with one StoreFullError that names the path and what is missing, keep all that was acknowledged, and finish "
    "once there is room.",
)
