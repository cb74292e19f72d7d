"""What of a conversion is done, and its commits: all of one version, whose shards stand in the order of their ranges."""

from __future__ import annotations

import datetime
from collections.abc import Sequence, Set
from dataclasses import replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pixstore import codec
from pixstore.errors import BadRow, JobMismatchError
from pixstore.jobs import lists
from pixstore.jobs.job import Job, RangeResult
from pixstore.jobs.remarks import SHOWN, Remark, summed
from pixstore.manifest import JobState, Manifest, commit
from pixstore.mode import stated_schema


class Ledger:
    """The ranges done so far, those committed by an earlier run included."""

    def __init__(self, job: Job, state: JobState, *, next_key: int = 0) -> None:
        self.state = state
        self.bad_rows: list[BadRow] = []
        self.remarks: list[Remark] = []
        self._job = job
        self._next_key = next_key
        self._version = 1
        self._parent: int | None = None
        self._results: dict[int, RangeResult] = {}
        self._committed = -1

    @classmethod
    def of_unfinished(cls, job: Job, unfinished: Manifest, keys: NDArray[np.uint64]) -> Ledger:
        """Return the ledger of a conversion that goes on; `keys` are the hashes of keys by position in the plan."""
        assert unfinished.job is not None, "an unfinished conversion has a state"
        ledger = cls(job, unfinished.job, next_key=unfinished.next_key)
        ledger._version, ledger._parent = unfinished.version, unfinished.parent
        ledger._recall(unfinished, keys)
        return ledger

    def _recall(self, unfinished: Manifest, keys: NDArray[np.uint64]) -> None:
        """Note what the unfinished version holds. What bad.csv lists of other ranges was written before a commit that never came."""
        first = 0
        for start, stop, count in self.state.ranges:
            shards = unfinished.shards[first : first + count]
            self._results[start] = RangeResult(start, stop, tuple(shards), sum(each.rows for each in shards), 0, ())
            first += count
        self.bad_rows = self._of_ranges_done(lists.read_bad(self._job.destination), keys)
        self._committed = len(self._results)
        if len(self.bad_rows) != self.state.bad:
            raise JobMismatchError(
                f"{self._job.destination}: {lists.BAD} lists {len(self.bad_rows)} samples of those done, the store says {self.state.bad};"
                " it was changed: put it back, or remove the store and convert anew"
            )

    def drop(self, damaged: Set[str], keys: NDArray[np.uint64], sizes: NDArray[np.int64]) -> None:
        """Forget the ranges that have one of these shards: they are to be done again. `sizes` are the bytes of each sample of the plan."""
        dropped = [each for each in self._results.values() if any(shard.id in damaged for shard in each.shards)]
        if not dropped:
            return
        for each in dropped:
            del self._results[each.start]
        self.bad_rows = self._of_ranges_done(self.bad_rows, keys)
        samples = self.state.samples - sum(each.samples for each in dropped)
        bytes_in = max(0, self.state.bytes_in - sum(int(sizes[each.start : each.stop].sum()) for each in dropped)) if samples else 0
        self.state = replace(self.state, samples=samples, bytes_in=bytes_in, bad=len(self.bad_rows))
        first = tuple(sorted(damaged)[:SHOWN])
        self.remarks = summed([*self.remarks, Remark("damaged shards, whose samples were converted again", len(damaged), first)])

    def _of_ranges_done(self, listed: list[BadRow], keys: NDArray[np.uint64]) -> list[BadRow]:
        done = np.concatenate([keys[:0], *(keys[start:stop] for start, stop in self.done)])
        is_done = np.isin(codec.hash_keys(pa.array([each.key for each in listed], pa.string())), done)
        return [each for each, known in zip(listed, is_done.tolist(), strict=True) if known]

    @property
    def done(self) -> list[tuple[int, int]]:
        """The ranges done, ascending."""
        return [(each.start, each.stop) for _, each in sorted(self._results.items())]

    @property
    def rows_done(self) -> int:
        """How many of the plan's samples are in ranges that are done."""
        return sum(stop - start for start, stop in self.done)

    @property
    def has_news(self) -> bool:
        """Whether ranges were added since the last commit."""
        return self._committed != len(self._results)

    def add(self, result: RangeResult) -> None:
        """Note that a range is done."""
        remarks = summed([*self.remarks, *result.remarks])
        state = replace(
            self.state,
            samples=self.state.samples + result.samples,
            bytes_in=self.state.bytes_in + result.bytes_in,
            bad=len(self.bad_rows) + len(result.bad_rows),
        )
        # Nothing is called from here on, so that an interrupt finds all of it noted or nothing.
        self._results[result.start] = result
        self.bad_rows += result.bad_rows
        self.remarks, self.state = remarks, state

    def commit(self, *, complete: bool = False) -> None:
        """Make what is done so far the store's version; what stands in it is never lost."""
        job = self._job
        lists.write_bad(job.destination, sorted(self.bad_rows, key=lambda each: each.row), durable=job.durability == "power")
        results = [each for _, each in sorted(self._results.items())]
        shards = tuple(shard for each in results for shard in each.shards)
        self.state = replace(self.state, ranges=_joined(results, complete=complete), complete=complete)
        made = Manifest(
            version=self._version,
            parent=self._parent,
            created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            engine=job.engine,
            durability=job.durability,
            schema=stated_schema(job.schema, shards),
            next_key=self._next_key,
            shards=shards,
            job=self.state,
        )
        commit(job.destination, made)
        self._committed = len(self._results)


def _joined(results: Sequence[RangeResult], *, complete: bool) -> tuple[tuple[int, int, int], ...]:
    """Return the ranges as the manifest has them: one where all is done."""
    if complete:
        return ((0, results[-1].stop, sum(len(each.shards) for each in results)),)
    return tuple((each.start, each.stop, len(each.shards)) for each in results)
