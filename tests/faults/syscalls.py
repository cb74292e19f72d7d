"""A fault at every system call that writes: each is met once with a kill, with a full disk, and with an input/output error.

strace, attached to a child that waits to begin, first counts the calls of an undisturbed run, then hits one of them in each trial.
"""

from __future__ import annotations

import os
import random
import re
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from faults.attempt import Attempt, Ending
from faults.operations import OPERATIONS
from faults.part import Part, Result
from faults.stage import Stage, stage

WRITES = (
    *("write", "writev", "pwrite64", "pwritev", "pwritev2", "copy_file_range", "sendfile", "fallocate", "ftruncate", "truncate"),
    *("fsync", "fdatasync", "syncfs", "sync_file_range", "msync"),
    *("rename", "renameat", "renameat2", "link", "linkat", "symlink", "symlinkat", "unlink", "unlinkat", "rmdir", "mkdir", "mkdirat"),
)
REMOVALS = {"unlink", "unlinkat", "rmdir"}
FAULTS = {"kill": "signal=KILL", "ENOSPC": "error=ENOSPC", "EIO": "error=EIO"}
# A question mark: the call may be unknown to this machine.
CALLS = ",".join(f"?{each}" for each in WRITES)
STARTED = re.compile(r"^(?P<thread>\d+) +(?P<call>\w+)\((?P<arguments>.*)")
ATTACH_SECONDS = 10.0


@dataclass(frozen=True)
class Target:
    """The `number`-th time, from 1, that a thread calls `call`: strace counts each call and each thread for itself."""

    call: str
    number: int

    def __str__(self) -> str:
        return f"{self.call} {self.number}"


def run(engine: str, op: str, trials: int, seed: int) -> list[Result]:
    """Try the trials [seed, seed + trials), all of them with trials = 0: one for each call and fault, in an order that mixes them."""
    if shutil.which("strace") is None:
        return [Result("syscalls", engine, op, "", 0, seed, 0.0, skipped="strace is not installed")]
    results = {fault: _Tally() for fault in FAULTS}
    with stage(engine, op) as ready:
        plan = [(target, fault) for target in targets(ready) for fault in FAULTS]
        random.Random(0).shuffle(plan)
        for number in range(seed, min(seed + trials, len(plan)) if trials else len(plan)):
            target, fault = plan[number]
            began = time.perf_counter()
            problems = trial(ready, target, fault, results[fault].counts)
            results[fault].add(time.perf_counter() - began, [f"seed {number}: {fault} at {target}: {each}" for each in problems])
    return [
        Result(
            "syscalls",
            engine,
            op,
            f"{fault} at a system call",
            each.trials,
            seed,
            each.seconds,
            tuple(each.failures),
            counts=dict(each.counts),
        )
        for fault, each in results.items()
    ]


class _Tally:
    """What has come of the trials of one fault so far."""

    def __init__(self) -> None:
        self.trials, self.seconds = 0, 0.0
        self.failures: list[str] = []
        self.counts: Counter[str] = Counter()

    def add(self, seconds: float, failures: list[str]) -> None:
        self.trials += 1
        self.seconds += seconds
        self.failures += failures


def targets(ready: Stage) -> list[Target]:
    """Return every call of an undisturbed run that writes, and every open that creates."""
    with ready.attempt(ready.copy(), before=stay_on_one_cpu) as attempt, traced(attempt, ready.folder, f"trace={CALLS},openat") as log:
        attempt.begin()
        attempt.end()
    counts: Counter[tuple[str, str]] = Counter()
    found: dict[Target, None] = {}
    for line in log.read_text(errors="replace").splitlines():
        if match := STARTED.match(line):
            counts[match["thread"], match["call"]] += 1
            if match["call"] != "openat" or "O_CREAT" in match["arguments"]:
                # A number hits each thread that gets so far.
                found[Target(match["call"], counts[match["thread"], match["call"]])] = None
    return list(found)


def trial(ready: Stage, target: Target, fault: str, counts: Counter[str]) -> list[str]:
    """Meet one call with one fault; return what is wrong with how the run ended and with the store."""
    store = ready.copy()
    inject = f"inject={target.call}:{FAULTS[fault]}:when={target.number}"
    with ready.attempt(store, before=stay_on_one_cpu) as attempt, traced(attempt, ready.folder, f"trace={target.call}", inject) as log:
        attempt.begin()
        ending = attempt.end()
    met = [line for line in log.read_text(errors="replace").splitlines() if "(INJECTED)" in line]
    if not ending.signal and not met:
        counts["not reached"] += 1
    counts["killed" if ending.signal else "finished all the same" if ending.finished else "one error"] += 1
    # The same number of another thread may be an open that reads, which no full disk refuses.
    is_write = target.call not in REMOVALS and (target.call != "openat" or all("O_CREAT" in line for line in met))
    error = "StoreFullError" if fault == "ENOSPC" and is_write else "OSError"
    return [*ending_problems(ending, fault, error, store), *ready.problems(store, ending)]


def stay_on_one_cpu() -> None:
    """Let the core work in one thread, so that each thread makes the same calls in each run."""
    cpus = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cpus[os.getppid() % len(cpus)]})


def ending_problems(ending: Ending, fault: str, expected: str, store: Path) -> list[str]:
    """Return what is wrong with how the run ended: only a kill may end it by a signal, and an error is one clear one."""
    if ending.hung:
        return ["it hung"]
    if fault == "kill":
        return []
    if ending.signal:
        return [f"it died of signal {ending.signal}"]
    if ending.error is None:
        return []
    kinds, text = set(ending.error["kinds"]), ending.error["text"]
    wanted = {expected, "PixstoreError"} if expected == "OSError" else {expected}
    if kinds & wanted and str(store.parent) in text:
        return []
    return [f"no clear error, {expected} with the path expected: {text}\n{ending.error['traceback']}"]


@contextmanager
def traced(attempt: Attempt, folder: Path, *expressions: str) -> Iterator[Path]:
    """Attach strace with these -e expressions to the waiting child; yield its log, whole once the child ended."""
    log = folder / "strace.log"
    log.unlink(missing_ok=True)
    chosen = [word for each in expressions for word in ("-e", each)]
    command = ["strace", "-f", "-qq", "-o", os.fspath(log), "-p", str(attempt.pid), *chosen]
    tracer = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        _wait_until_attached(attempt.pid, tracer)
        yield log
        tracer.wait(ATTACH_SECONDS)
    finally:
        tracer.kill()
        tracer.communicate()


def _wait_until_attached(pid: int, tracer: subprocess.Popen[bytes]) -> None:
    until = time.perf_counter() + ATTACH_SECONDS
    status = Path(f"/proc/{pid}/status")
    while "TracerPid:\t0\n" in status.read_text():
        if tracer.poll() is not None or time.perf_counter() > until:
            raise RuntimeError(f"strace does not attach: {tracer.communicate()[1].decode(errors='replace')}")
        time.sleep(0.001)


PART = Part(
    "syscalls",
    "A fault at every system call that writes",
    run,
    tuple(OPERATIONS),
    trials=0,
    short=10,
    explains="Every call that writes, creates, renames, removes or syncs (as strace sees them, in all threads) is met once with "
    "SIGKILL, once with ENOSPC and once with EIO. After an error the writer must have raised one clear error, must refuse "
    "to go on, and must have acknowledged nothing that is not there.",
)
