"""What every peer's script speaks: a job comes in as JSON, a report goes out as JSON. Standard library alone: it runs in every environment.

A script gives `serve` two functions. `prepare(job)` makes the peer's own store of the images; it is missing where the peer reads the
files as they lie. `feed(job)` opens what there is and returns a function that starts an epoch: an iterator over (images, labels), NumPy
arrays of N·H·W·C uint8 (N·C·H·W float32 where the workload says so) and of N whole numbers.
"""

from __future__ import annotations

import dataclasses
import json
import resource
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

MOST_EPOCHS = 60
IMAGENET_SCALE = (0.08, 1.0)
IMAGENET_RATIO = (3 / 4, 4 / 3)
CIFAR_MEAN = (125.3, 123.0, 113.9)
CIFAR_DEVIATION = (63.0, 62.1, 66.7)
"""Of values from 0 to 255, red, green and blue."""
PADDING = 4
CROP = 224

Epoch = Callable[[], Iterable[tuple[Any, Any]]]


@dataclasses.dataclass(frozen=True)
class Job:
    """One thing to do: make a store, or read epochs from it."""

    action: str
    """prepare or read."""
    workload: str
    option: str
    """What a candidate changes beside the store, as its script understands it."""
    source: str
    """A folder: images.npy and labels.npy, or one folder of files per label, named by the label."""
    store: str
    """Where the peer's own store lies."""
    report: str
    images: int
    batch: int
    threads: int
    seed: int
    least_seconds: float
    """How long the counted epochs last together, at least."""
    proof: bool
    """Whether one more epoch, not timed, adds up every pixel."""


def serve(*, feed: Callable[[Job], Epoch], prepare: Callable[[Job], None] | None = None, packages: tuple[str, ...] = ()) -> None:
    """Do the job of the command line and write its report."""
    job = Job(**json.loads(sys.argv[1]))
    report = _prepare(job, prepare) if job.action == "prepare" else _read(job, feed)
    report["versions"] = {package: version(package) for package in packages}
    Path(job.report).write_text(json.dumps(report), encoding="utf-8")


def encoded(job: Job) -> Iterator[tuple[bytes, int]]:
    """Yield each file of the source with its label, in the order of its names."""
    for path in sorted(Path(job.source).glob("*/*"), key=lambda path: path.name):
        yield path.read_bytes(), int(path.parent.name)


def _prepare(job: Job, prepare: Callable[[Job], None] | None) -> dict[str, Any]:
    if prepare is None:
        raise SystemExit("this peer makes no store")
    start = time.perf_counter()
    prepare(job)
    seconds = time.perf_counter() - start
    store = Path(job.store)
    files = [store] if store.is_file() else [path for path in store.rglob("*") if path.is_file()]
    return {"seconds": seconds, "bytes": sum(path.stat().st_size for path in files), "files": len(files)}


def _read(job: Job, feed: Callable[[Job], Epoch]) -> dict[str, Any]:
    start = time.perf_counter()
    epoch = feed(job)
    batches = iter(epoch())
    tally = Tally()
    tally.add(*next(batches))
    first = time.perf_counter() - start
    # The first epoch fills caches and compiles; it is checked, not counted.
    for images, labels in batches:
        tally.add(images, labels)
    tally.check(job.images)
    seconds: list[float] = []
    while not seconds or (sum(seconds) < job.least_seconds and len(seconds) < MOST_EPOCHS):
        seconds.append(_timed(epoch, job.images))
    report: dict[str, Any] = {"first_batch_seconds": first, "epoch_seconds": seconds, "peak_bytes": _peak(resource.RUSAGE_SELF)}
    if job.proof:
        report["proof"] = _proof(epoch)
    del batches, epoch
    report["peak_worker_bytes"] = _peak(resource.RUSAGE_CHILDREN)
    return report


class Tally:
    """What is taken from each batch while the clock runs: rows, labels, and one value of the pixels."""

    def __init__(self) -> None:
        self.rows = 0
        self.labels = 0
        self.touched = 0.0

    def add(self, images: Any, labels: Any) -> None:
        self.rows += images.shape[0]
        self.labels += int(labels.sum())
        self.touched += float(images[-1, -1, -1, -1])

    def check(self, images: int) -> None:
        if self.rows != images:
            raise SystemExit(f"an epoch had {self.rows} images instead of {images}")


def _timed(epoch: Epoch, images: int) -> float:
    tally = Tally()
    start = time.perf_counter()
    for batch in epoch():
        tally.add(*batch)
    seconds = time.perf_counter() - start
    tally.check(images)
    return seconds


def _proof(epoch: Epoch) -> dict[str, Any]:
    """Return sums that do not depend on the order of an epoch; `paired` changes when labels and images are paired otherwise."""
    labels_sum, pixels, paired, values, shape = 0, 0.0, 0.0, 0, ()
    for images, labels in epoch():
        # float64 is exact for sums of whole numbers up to 2**53.
        sums = images.reshape(images.shape[0], -1).sum(axis=1, dtype="float64")
        labels_sum += int(labels.sum())
        pixels += float(sums.sum())
        paired += float((sums * (labels.reshape(-1) + 1)).sum())
        values += images.size
        shape = (*images.shape[1:], str(images.dtype))
    return {"labels": labels_sum, "pixels": pixels, "paired": paired, "mean": pixels / values, "shape": shape}


def _peak(who: int) -> int:
    return resource.getrusage(who).ru_maxrss * 1024
