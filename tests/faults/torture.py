"""`make torture`: run the parts of the fault tests, append what came of them to a file, and write the report from that file.

Each part of each engine runs in a process of its own, which starts no thread before it forks its trials; two run side by side.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import datetime
import importlib.util
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from faults.page import render
from faults.part import Part, Result
from faults.samples import ENGINES

PROJECT = Path(__file__).resolve().parents[2]
RESULTS = PROJECT / "docs" / "results" / "reliability.jsonl"
PAGE = PROJECT / "docs" / "reliability.md"
MODULES = ("kill", "syscalls", "power", "full", "order", "rot", "model", "planted")
"""The programs; each ends in `PART = Part(…)`."""
SHOWN_FAILURES = 5
LONGEST_SECONDS = 20 * 60
"""Of one process: a part of one engine."""


@dataclass(frozen=True)
class Run:
    """What one process does: a part on an engine, with these operations one after the other."""

    part: str
    engine: str
    ops: tuple[str, ...]
    trials: int
    seed: int


def part_named(name: str) -> Part:
    part: Part = importlib.import_module(f"faults.{name}").PART
    return part


def main(arguments: Sequence[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    if options.one:
        return run_one(Run(**json.loads(options.one)))
    if options.page:
        write_page()
        return 0
    began, failed = time.perf_counter(), 0
    facts = machine()
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        for results in pool.map(in_process, list(planned(options))):
            for result in results:
                failed += bool(result["failures"])
                tell(result)
                if not options.short:
                    append({**result, **facts})
    if not options.short:
        write_page()
    print(f"{failed} of the lines above have failures; {time.perf_counter() - began:.0f} s", flush=True)
    return 1 if failed else 0


def parser() -> argparse.ArgumentParser:
    """Return the options: parts, engines and operations by name, separated by commas; without them, all."""
    found = argparse.ArgumentParser(prog="make torture", description=__doc__)
    found.add_argument("--part", default="", help=f"of {', '.join(MODULES)}")
    found.add_argument("--engine", default="", help=f"of {', '.join(ENGINES)}")
    found.add_argument("--op", default="", help="append, update …: those that the part has")
    found.add_argument("--trials", type=int, help="per engine and operation, instead of the part's own number")
    found.add_argument("--seed", type=int, default=0, help="of the first trial; the others follow it")
    found.add_argument("--jobs", type=int, default=2, help="processes side by side")
    found.add_argument("--short", action="store_true", help="a few trials each, nothing is appended: the tier of `make test`")
    found.add_argument("--page", action="store_true", help="only write docs/reliability.md from the results that are there")
    found.add_argument("--one", help=argparse.SUPPRESS)
    return found


def planned(options: argparse.Namespace) -> Iterator[Run]:
    """Yield what is to be run, the parts one after the other."""
    for name in _chosen(options.part, MODULES, "part"):
        part = part_named(name)
        ops = tuple(op for op in _chosen(options.op, part.ops, "") if op in part.ops)
        trials = options.trials if options.trials is not None else part.short if options.short else part.trials
        for engine in _chosen(options.engine, ENGINES, "engine") if part.by_engine else [""]:
            if ops:
                yield Run(name, engine, ops, trials, options.seed)


def _chosen(words: str, known: Sequence[str], what: str) -> list[str]:
    names = [word for word in words.split(",") if word] or list(known)
    if what and (unknown := [name for name in names if name not in known]):
        raise SystemExit(f"no {what} {unknown[0]!r}; there are {', '.join(known)}")
    return names


def in_process(run: Run) -> list[dict[str, Any]]:
    """Return the results of a run in a process of its own; one that dies is a failure too."""
    # One thread for linear algebra: a library that starts its threads on import would fork with them.
    paths = [os.fspath(PROJECT / "tests"), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(paths)}
    command = [sys.executable, "-m", "faults.torture", "--one", json.dumps(asdict(run))]
    began = time.perf_counter()
    try:
        done = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LONGEST_SECONDS)
        output, why = (
            done.stdout,
            "" if done.returncode == 0 else f"ended with status {done.returncode}: {done.stderr.strip().splitlines()[-1:]}",
        )
    except subprocess.TimeoutExpired as error:
        output, why = (error.stdout or b"").decode(), f"took longer than {LONGEST_SECONDS} s"
    results: list[dict[str, Any]] = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    if why:
        results.append(asdict(Result(run.part, run.engine, "", "", 0, run.seed, time.perf_counter() - began, (f"the program {why}",))))
    return results


def run_one(run: Run) -> int:
    """Run in this process and print each result as a line of JSON."""
    part = part_named(run.part)
    for op in run.ops:
        for result in part.run(run.engine, op, run.trials, run.seed):
            print(json.dumps(asdict(result)), flush=True)
    return 0


def tell(result: dict[str, Any]) -> None:
    """Print a result in a line, and its first failures with the command that shows them again."""
    name = " ".join(result[each] for each in ("part", "engine", "op", "fault", "durability") if result[each])
    counts = ", ".join(f"{what}: {count}" for what, count in sorted(result["counts"].items()))
    what = f"skipped: {result['skipped']}" if result["skipped"] else f"{result['trials']} trials, {len(result['failures'])} failures"
    print(f"{name}: {what}, {result['seconds']:.0f} s" + (f" ({counts})" if counts else ""), flush=True)
    for failure in result["failures"][:SHOWN_FAILURES]:
        print(f"    {failure.splitlines()[0]}")
    if result["failures"]:
        print(
            f"    again: make torture PART={result['part']} ENGINE={result['engine']} OP={result['op']} TRIALS=1 SEED=(the seed above)",
            flush=True,
        )


def append(record: dict[str, Any]) -> None:
    RESULTS.parent.mkdir(exist_ok=True)
    with RESULTS.open("a") as file:
        file.write(json.dumps(record) + "\n")


def write_page() -> None:
    records = [json.loads(line) for line in RESULTS.read_text().splitlines()] if RESULTS.exists() else []
    PAGE.write_text(render(records, [part_named(name) for name in MODULES]))


def machine() -> dict[str, str]:
    """Return what stands beside each result: when, on what, with which code."""
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "machine": f"{os.cpu_count()} CPUs ({_processor()}), {_memory()}, Linux {platform.release()}, Python {platform.python_version()}",
        "core": os.environ.get("PIXSTORE_CORE", "native" if importlib.util.find_spec("pixstore_native") else "reference"),
        "revision": _revision(),
    }


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _memory() -> str:
    return f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB"


def _revision() -> str:
    """Return the commit, with a + where files of the package differ from it; "" outside a work tree."""
    told = subprocess.run(["git", "-C", os.fspath(PROJECT), "describe", "--always", "--dirty=+"], capture_output=True, text=True)
    return told.stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
