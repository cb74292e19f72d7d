"""How long a conversion will take and how large its store will be: some of its samples are converted, elsewhere, and measured.

The samples lie all over the source, in blocks. Growing parts of them go through the conversion's own steps, with its own workers, into a
folder beside the destination that is removed afterwards. Two parts of different size tell what a sample costs and what a run costs,
whatever its size. What the system's cache holds of the source counts as it is now: a source read for the first time is measured so.
"""

from __future__ import annotations

import fcntl
import functools
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pixstore import executors
from pixstore.disk import remove, translated
from pixstore.estimate.sizes import predict
from pixstore.jobs.coordinate import COMMIT_SECONDS
from pixstore.jobs.cut import cut, range_bytes
from pixstore.jobs.job import Job, RangeResult
from pixstore.jobs.plan import Plan
from pixstore.jobs.ranges import convert_range
from pixstore.manifest import JobState, Manifest, commit
from pixstore.record_table import FOLDER
from pixstore.rows import Indices, arrow_rows
from pixstore.schema import KEY, Format
from pixstore.shard import Shard

PREFIX = ".pixstore-estimate-"
ABANDONED_SECONDS = 60
MOST_BLOCK_ROWS = 64
BLOCKS = 256
STRIDES = (256, 64, 16, 4, 1)
"""One block of so many is in a part; the first part only makes everything ready. Part p begins with block p, so that those before the
last, which has all, have none in common."""
SAMPLE_BYTES = 4096
"""What a sample costs besides its bytes, as bytes: with it, parts of small and of large images compare."""


@dataclass(frozen=True)
class Estimate:
    """What a conversion is expected to read and to write.

    `bytes_out` are those of the store's files, `allocated` what the file system sets aside for them, `free` what it has left. `seconds` are
    those of the whole conversion; `measured` says in words what they were taken from.
    """

    samples: int
    bytes_in: int
    bytes_out: int
    allocated: int
    seconds: float
    free: int
    shards: int
    measured: str

    @property
    def fits(self) -> bool:
        """Whether there is space for the store."""
        return self.allocated <= self.free


def estimate(job: Job, plan: Plan, *, on: str = "threads", workers: int = 1, spent: float = 0.0, budget_seconds: float = 0.5) -> Estimate:
    """Return what this conversion will take; nothing is made at its destination.

    Parts of the samples are converted, each four times the one before, until one took `budget_seconds` or was all.
    spent: seconds that the conversion has taken so far. Raises the errors of the conversion itself.
    """
    with _beside(job.destination) as folder:
        trial = _Trial(replace(job, destination=folder, on_bad="quarantine"), plan, on, workers)
        trial.run(budget_seconds)
        most = range_bytes(int(plan.weights.sum()), job.shard_bytes, workers)
        ends = [stop for _, stop in cut(plan.weights, 0, len(plan), most)]
        table = _table(job, plan)
        size = predict(
            job.engine, trial.stored_lengths(), folder=folder, schema=job.schema, formats=trial.formats(), keys=table[KEY],
            columns={name: table[name] for name in job.schema.columns.names}, ends=ends,
            job=_state(job, plan, ends),
        )  # fmt: skip
        waves = -(-len(ends) // workers) if on == "threads" else 1
        seconds = spent + trial.seconds_for(waves)
        free = shutil.disk_usage(folder).free
    return Estimate(len(plan), int(plan.bytes.sum()), size.apparent, size.allocated, seconds, free, size.shards, trial.words())


@contextmanager
def _beside(destination: Path) -> Iterator[Path]:
    """Yield an empty folder for a trial, on the destination's file system; it is removed afterwards."""
    place = next(each for each in Path(os.path.abspath(destination)).parents if each.is_dir())
    with translated(place):
        _remove_abandoned(place)
        folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=place))
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        (folder / FOLDER).mkdir()
        yield folder
    finally:
        os.close(descriptor)
        remove(folder)


def _remove_abandoned(place: Path) -> None:
    """Remove what trials have left that were killed: nobody holds their folders locked any more."""
    for folder in place.glob(f"{PREFIX}*"):
        with suppress(OSError):
            # One that has just been made may not be locked yet.
            if time.time() - folder.lstat().st_mtime < ABANDONED_SECONDS:
                continue
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                remove(folder)
            finally:
                os.close(descriptor)


def _state(job: Job, plan: Plan, ends: list[int]) -> JobState:
    """Return about what the manifest will say of the conversion."""
    names = ("engine", "codec", "level", "quality", "order", "check", "dedup", "durability", "shard_bytes", "label_from", "part")
    facts = {**dict.fromkeys(names, 1000), **plan.facts, "source": str(job.destination)}
    ranges = tuple((start, stop, 1) for start, stop in pairwise([0, *ends]))
    return JobState(facts, len(plan), ranges, True, len(plan), int(plan.bytes.sum()))


def _table(job: Job, plan: Plan) -> dict[str, pa.Array]:
    """Return key and columns of the samples, in the plan's order."""
    table = job.dataset.table.take(arrow_rows(plan.rows)).combine_chunks()
    return {name: table[name].chunk(0) if table[name].num_chunks else pa.array([], table[name].type) for name in table.column_names}


class _Trial:
    """Parts of a plan, converted one after the other."""

    def __init__(self, job: Job, plan: Plan, on: str, workers: int) -> None:
        self._job, self._plan, self._on, self._workers = job, plan, on, workers
        self._runs: list[tuple[float, float]] = []
        self._asked: list[Plan] = []
        self._results: list[RangeResult] = []
        self._commit_seconds = 0.0

    def run(self, budget_seconds: float) -> None:
        for number, stride in enumerate(STRIDES):
            positions = blocks(len(self._plan), number if stride > 1 else 0, stride)
            if not len(positions):
                continue
            seconds = self._convert(self._plan.without(np.delete(np.arange(len(self._plan)), positions)))
            if seconds >= budget_seconds:
                break
        self._commit()

    def _commit(self) -> None:
        """Note how long it takes to say what is done."""
        job = self._job
        shards = tuple(shard for each in self._results for shard in each.shards)
        (job.destination / "versions").mkdir()
        began = time.perf_counter()
        commit(job.destination, Manifest(1, None, "", job.engine, job.durability, job.schema, 0, shards))
        self._commit_seconds = time.perf_counter() - began

    def _convert(self, part: Plan) -> float:
        ends = np.linspace(0, len(part), min(self._workers, len(part)) + 1).astype(np.int64).tolist()
        tasks = [part.task(start, stop) for start, stop in pairwise(ends)]
        began = time.perf_counter()
        found = list(executors.run(functools.partial(convert_range, self._job), tasks, on=self._on, workers=len(tasks)))
        seconds = time.perf_counter() - began
        self._runs.append((_weight(part), seconds))
        self._asked.append(part)
        self._results += [result for _, result in found if result is not None]
        return seconds

    def seconds_for(self, waves: int) -> float:
        """Return the seconds of all samples, in so many rounds of ranges, and of the commits: one first, one last, one a second."""
        seconds = self._seconds_of_ranges(waves)
        return seconds + self._commit_seconds * (2 + int(seconds / COMMIT_SECONDS))

    def _seconds_of_ranges(self, waves: int) -> float:
        weight, seconds = self._runs[-1]
        total = _weight(self._plan)
        before, took = self._runs[-2] if len(self._runs) > 2 else (0.0, 0.0)
        # The first run makes everything ready; where the larger of the others was no slower, the clock says nothing of what a run costs.
        each = (seconds - took) / (weight - before) if weight > before > 0 else 0.0
        if weight >= total or each <= 0:
            return seconds * total / weight
        return max(0.0, seconds - each * weight) * waves + each * total

    def stored_lengths(self) -> Mapping[str, NDArray[np.int64]]:
        """Return the length of every record in the store: as in the source where the trial kept them so, else scaled as it changed them."""
        return {name: self._scaled(name, lengths) for name, lengths in self._plan.fields.items()}

    def _scaled(self, name: str, lengths: Indices) -> Indices:
        stored = np.concatenate([np.zeros(0, np.int64), *(each for _, each in self._records(name))])
        asked = np.concatenate([each.fields[name] for each in self._asked])
        if not len(stored) or np.array_equal(stored, asked[asked >= 0]):
            return lengths
        if int(stored.min()) == int(stored.max()):
            return np.where(lengths < 0, -1, stored[0])
        ratio = float(stored.mean()) / max(float(asked[asked >= 0].mean()), 1.0)
        return np.where(lengths < 0, -1, (lengths * ratio).astype(np.int64))

    def formats(self) -> dict[str, Format]:
        """Return how the records of each field are stored: with shape and dtype where all of the trial have the same."""
        found = {}
        for name in self._plan.fields:
            formats = {each for forms, _ in self._records(name) for each in forms}
            first = next(iter(formats), Format(None, None, None))
            found[name] = first if len(formats) == 1 else Format(first.codec, None, None)
        return found

    def _records(self, name: str) -> Iterator[tuple[list[Format], Indices]]:
        """Yield formats and lengths of this field's records in each shard of the trial."""
        for result in self._results:
            for entry in result.shards:
                records = Shard(self._job.destination, entry, self._job.schema).records(name)
                if records is not None:
                    present = np.arange(entry.rows) if records.present is None else np.flatnonzero(records.present)
                    yield records.formats(present)[0], np.array(records.length[present])

    def words(self) -> str:
        """Return what was measured."""
        return f"{len(self._asked[-1]):,} of {len(self._plan):,} samples converted in {self._runs[-1][1]:.1f} s"


def blocks(count: int, first: int, stride: int) -> Indices:
    """Return positions below `count`: block number `first` and every `stride`-th after it, at least one."""
    size = int(np.clip(count // BLOCKS, 1, MOST_BLOCK_ROWS))
    position = np.arange(count)
    number = position // size
    chosen: Indices = position[(number >= first) & ((number - first) % stride == 0)]
    return chosen


def _weight(plan: Plan) -> float:
    return float(plan.bytes.sum()) + SAMPLE_BYTES * len(plan)
