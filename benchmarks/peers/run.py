"""The loader beside the dedicated loaders: same images, same batches, each in its own environment and process, in rotation.

    python benchmarks/peers/run.py --cifar CIFAR --photos PHOTOS [--rounds 5] [--workloads cifar-raw,photos] [--only ffcv,dali] [--quick]

CIFAR is the CIFAR-10 folder or archive, PHOTOS a folder of JPEG files. Every candidate makes its store once. Then, in each round, each runs
once in a process of its own: one epoch to warm up, then whole epochs for some seconds, whose median is the round's time. Results go to
docs/results/peers.json, and from there to docs/benchmarks.md; with --quick (one round, few images) or --only to .peers/trial.json instead.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import statistics
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import environments
import materials
import page
import proof
from environments import NotInstalledError
from plan import THREADS, WORKLOADS, Candidate, Workload
from protocol import Job

from pixstore.bench import machine

FORMAT = 1
RESULTS = environments.ROOT / "docs" / "results" / "peers.json"
TRIAL_RESULTS = environments.PEERS / "trial.json"
DATA = environments.PEERS / "data"
TIMEOUT_SECONDS = 1800
CIFAR_IMAGES, PHOTO_IMAGES = 50_000, 1_160
QUICK_CIFAR_IMAGES, QUICK_PHOTO_IMAGES = 3_000, 150


@dataclass(frozen=True)
class Options:
    cifar: Path
    photos: Path
    rounds: int
    workloads: tuple[str, ...]
    only: frozenset[str]
    least_seconds: float
    is_quick: bool
    results: Path


def main() -> int:
    options = parse()
    for name in options.workloads:
        measured = measure(WORKLOADS[name], options)
        save(options.results, name, measured)
        for line in page.lines(name, measured):
            print(line)
    if options.results == RESULTS:
        page.write(RESULTS)
    return 0


def parse() -> Options:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cifar", type=Path, required=True)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--workloads", default=",".join(WORKLOADS))
    parser.add_argument("--only", default="", help="peers to run, by the names of their folders; pixstore always runs")
    parser.add_argument("--quick", action="store_true", help="one round of few images, to see that all works")
    parser.add_argument("--results", type=Path, help="another file for the results; the page is drawn from the usual one alone")
    given = parser.parse_args()
    names = tuple(given.workloads.split(","))
    unknown = set(names) - set(WORKLOADS)
    if unknown:
        parser.error(f"no workload {sorted(unknown)}; there are {', '.join(WORKLOADS)}")
    only = frozenset(filter(None, given.only.split(",")))
    rounds, seconds = (1, 0.0) if given.quick else (given.rounds, 2.0)
    results = given.results or (TRIAL_RESULTS if given.quick or only else RESULTS)
    return Options(given.cifar, given.photos, rounds, names, only, seconds, given.quick, results)


def measure(workload: Workload, options: Options) -> dict[str, Any]:
    """Return everything that was measured of one workload."""
    source, images = material(workload, options)
    runs = [Run(workload, candidate, source, images, options) for candidate in workload.candidates if takes_part(candidate, options)]
    for run in runs:
        run.prepare()
    for number in range(options.rounds):
        # Rotation: everyone has every place in the order once, so that no one always follows the same neighbour.
        start = number % len(runs)
        for run in runs[start:] + runs[:start]:
            run.read(number)
    proof.compare(workload, [run.record for run in runs])
    return {
        "title": workload.title,
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "machine": machine.describe(environments.PEERS),
        "images": images,
        "batch": workload.batch,
        "threads": THREADS,
        "rounds": options.rounds,
        "candidates": [run.record for run in runs],
    }


def takes_part(candidate: Candidate, options: Options) -> bool:
    return not options.only or candidate.peer in options.only or candidate.peer in environments.OURS


def material(workload: Workload, options: Options) -> tuple[Path, int]:
    """Return the folder of the images that a workload reads, and how many they are."""
    if workload.material == "photos":
        images = QUICK_PHOTO_IMAGES if options.is_quick else PHOTO_IMAGES
        return materials.photos(options.photos, DATA, images), images
    images = QUICK_CIFAR_IMAGES if options.is_quick else CIFAR_IMAGES
    folder = materials.cifar(options.cifar, DATA, images)
    return (folder / "png" if workload.material == "cifar-files" else folder), images


class Run:
    """One candidate of one workload on this machine; `record` is what the results keep of it."""

    def __init__(self, workload: Workload, candidate: Candidate, source: Path, images: int, options: Options) -> None:
        self.candidate = candidate
        self.record: dict[str, Any] = {**asdict(candidate), "rounds": []}
        self._store = DATA / "stores" / f"{workload.material}-{images}-{candidate.peer}-{candidate.store}"
        self._job = Job(
            action="read",
            workload=workload.name,
            option=candidate.option,
            source=str(source),
            store=str(self._store),
            report=str(environments.PEERS / f"report-{os.getpid()}.json"),
            images=images,
            batch=workload.batch,
            threads=THREADS,
            seed=0,
            least_seconds=options.least_seconds,
            proof=False,
        )

    def prepare(self) -> None:
        """Make the environment and the store. A peer's store of an earlier run is used again; pixstore's is not, as pixstore changes."""
        try:
            environments.python(self.candidate.peer)
        except NotInstalledError as error:
            self._fail(str(error))
            return
        mark = self._store.with_name(f"{self._store.name}.json")
        if self.candidate.store and (not mark.exists() or self.candidate.peer in environments.OURS):
            self._store.parent.mkdir(parents=True, exist_ok=True)
            subprocess.run(["rm", "-rf", str(self._store)], check=True)
            report = self._process({"action": "prepare"})
            if report is None:
                return
            mark.write_text(json.dumps(report), encoding="utf-8")
        if self.candidate.store:
            self.record["conversion"] = json.loads(mark.read_text())

    def read(self, number: int) -> None:
        """Run one round; a candidate that failed once is not asked again."""
        if "failure" in self.record:
            return
        report = self._process({"seed": number, "proof": number == 0})
        if report is None:
            return
        for constant in ("proof", "versions"):
            if constant in report:
                self.record[constant] = report.pop(constant)
        self.record["rounds"].append(report)
        seconds = statistics.median(report["epoch_seconds"])
        print(f"  {number + 1}  {self.candidate.name:34} {self._job.images / seconds:12,.0f} images/s", flush=True)

    def _process(self, changes: dict[str, Any]) -> dict[str, Any] | None:
        job = {**asdict(self._job), **changes}
        report = Path(self._job.report)
        report.unlink(missing_ok=True)
        script = environments.HERE / self.candidate.peer / "feed.py"
        command = [str(environments.python(self.candidate.peer)), str(script), json.dumps(job)]
        surroundings = {**os.environ, "PYTHONPATH": str(environments.HERE)}
        log = report.with_suffix(".log")
        with log.open("w", encoding="utf-8") as output:
            try:
                subprocess.run(command, stdout=output, stderr=subprocess.STDOUT, env=surroundings, check=True, timeout=TIMEOUT_SECONDS)
            except subprocess.SubprocessError:
                self._fail(f"{job['action']} failed: {last_words(log)}")
                return None
        found = dict(json.loads(report.read_text()))
        report.unlink()
        log.unlink()
        return found

    def _fail(self, reason: str) -> None:
        self.record["failure"] = reason
        print(f"  {self.candidate.name}: {reason}", file=sys.stderr, flush=True)


def last_words(log: Path) -> str:
    """Return the last line that names an error, or the last line at all, without the paths before it."""
    lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    errors = [line for line in lines if "Error" in line]
    return (errors or lines or ["it said nothing"])[-1].replace(str(environments.ROOT), "…")


def save(path: Path, name: str, measured: dict[str, Any]) -> None:
    """Put one workload into the results, beside those of other workloads."""
    kept = json.loads(path.read_text()) if path.exists() else {"format": FORMAT, "workloads": {}}
    kept["workloads"][name] = measured
    path.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
