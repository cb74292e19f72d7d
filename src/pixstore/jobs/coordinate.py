"""A conversion from beginning to end: who may write, what is left to do, the ranges given to workers, and the commits."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pixstore import executors
from pixstore.belongings import remove_ours
from pixstore.errors import BadRow, DestinationExistsError, InvalidInputError, JobMismatchError, PixstoreError, RecordError, StoreBusyError
from pixstore.jobs import lists
from pixstore.jobs.cut import cut, gaps, range_bytes
from pixstore.jobs.duplicates import find_duplicates, without_duplicates
from pixstore.jobs.facts import require_same
from pixstore.jobs.job import Job
from pixstore.jobs.ledger import Ledger
from pixstore.jobs.leftovers import remove_leftovers
from pixstore.jobs.lists import Duplicate
from pixstore.jobs.plan import Plan
from pixstore.jobs.ranges import convert_range
from pixstore.jobs.recheck import damaged_shards
from pixstore.jobs.remarks import Remark
from pixstore.manifest import JobState, Manifest, is_store, load
from pixstore.mode import base_version, take_store

COMMIT_SECONDS = 1.0
"""At most so often is what is finished committed: each commit writes the whole manifest twice."""

Progress = Callable[[int, int, int], None]


@dataclass(frozen=True)
class Terms:
    """How a conversion runs; unlike a job's facts, the next run may have others.

    `is_free`: nobody asked for so many workers, so that a cluster may have as many as it has CPUs.
    """

    on: str
    workers: int
    most_bad: int | None
    dedup: bool
    resume: bool
    next_key: int = 0
    progress: Progress | None = None
    is_free: bool = False

    def crew(self, tasks: int) -> int | None:
        """Return how many workers so many tasks are given to; None where the cluster decides."""
        return None if self.is_free and self.on.startswith("ray") else max(1, min(self.workers, tasks))


@dataclass(frozen=True)
class Outcome:
    """What a conversion made; `resumed` of the samples were there when this run began."""

    state: JobState
    bad_rows: list[BadRow]
    duplicates: list[Duplicate]
    resumed: int
    remarks: list[Remark]


def unfinished_at(place: Path, *, resume: bool) -> Manifest | None:
    """Return the unfinished conversion at a destination, None where there is nothing.

    Raises DestinationExistsError for anything else that is there, InvalidInputError where `resume` finds nothing to go on with.
    """
    if is_store(place):
        found = load(place)
        if found.is_unfinished:
            return found
        how = "its conversion is finished, so there is nothing to resume" if resume else "choose another place"
        raise DestinationExistsError(f"{place}: a pixstore store is there; {how}")
    if resume:
        raise InvalidInputError(f"{place}: no unfinished conversion is there to resume; begin one without 'resume'")
    base_version(place, "x")
    return None


def run_job(job: Job, plan: Plan, facts: Mapping[str, Any], terms: Terms) -> Outcome:
    """Convert what is planned and not done yet, and return what the store holds then.

    Raises JobMismatchError where the destination holds an unfinished conversion with other facts, StoreBusyError where one runs,
    RecordError where more samples are bad than may be. After any error what was committed is whole, and the same call goes on from there.
    """
    created = not job.destination.exists()
    unfinished = _same_at(job.destination, facts, terms)
    lock = take_store(job.destination, durable=job.durability == "power")
    try:
        # Outside of what is tidied after an error: what another process has just made is its own.
        if _same_at(job.destination, facts, terms) != unfinished:
            raise StoreBusyError(f"{job.destination}: another process has just written to it; run the same again")
        try:
            return _made(job, plan, facts, terms, unfinished)
        except BaseException:
            # The first error is the one to tell; what cannot be removed now is removed when the conversion goes on.
            with suppress(OSError, PixstoreError):
                _tidy(job.destination, created)
            raise
    finally:
        lock.release()


def _made(job: Job, plan: Plan, facts: Mapping[str, Any], terms: Terms, unfinished: Manifest | None) -> Outcome:
    remove_leftovers(job.destination)
    ledger = _begin(job, plan, facts, terms, unfinished)
    resumed = ledger.state.samples
    plan, duplicates = _deduplicated(job, plan, terms, ledger)
    try:
        _run(job, plan, terms, ledger)
    except StoreBusyError:
        # A source that looks after its files itself has noticed the change first.
        _refuse_changed(job, plan)
        raise
    _commit(job, plan, ledger, complete=True)
    remove_leftovers(job.destination)
    return Outcome(ledger.state, sorted(ledger.bad_rows, key=lambda each: each.row), duplicates, resumed, ledger.remarks)


def _same_at(place: Path, facts: Mapping[str, Any], terms: Terms) -> Manifest | None:
    unfinished = unfinished_at(place, resume=terms.resume)
    if unfinished is not None and unfinished.job is not None:
        require_same(unfinished.job.facts, facts, place)
    return unfinished


def _begin(job: Job, plan: Plan, facts: Mapping[str, Any], terms: Terms, unfinished: Manifest | None) -> Ledger:
    if unfinished is None:
        ledger = Ledger(job, JobState(facts, len(plan)), next_key=terms.next_key)
        # From here on the destination says what is being made in it, whatever becomes of this process.
        ledger.commit()
        return ledger
    if unfinished.job is not None and unfinished.job.ranges and terms.dedup:
        plan = without_duplicates(plan, _listed_before(job.destination, unfinished.job))
    ledger = Ledger.of_unfinished(job, unfinished, plan.keys)
    damaged = damaged_shards(job.destination, unfinished, on=terms.on, workers=terms.crew(len(unfinished.shards)))
    ledger.drop(damaged, plan.keys, plan.bytes)
    return ledger


def _commit(job: Job, plan: Plan, ledger: Ledger, *, complete: bool = False) -> None:
    """Commit what is done, unless it may be of two states of the source."""
    _refuse_changed(job, plan)
    ledger.commit(complete=complete)


def _refuse_changed(job: Job, plan: Plan) -> None:
    """Raise JobMismatchError where a file of many records is not any more as it was planned."""
    if (path := plan.containers.changed()) is not None:
        raise JobMismatchError(
            f"{job.destination}: the source changed while it was converted ({path}), so what was read of it since then was thrown away;"
            " remove the destination and convert anew, or put the file back"
        )


def _deduplicated(job: Job, plan: Plan, terms: Terms, ledger: Ledger) -> tuple[Plan, list[Duplicate]]:
    """Return the plan without duplicates, and their list: that of the run which began, once ranges of it are done."""
    if not terms.dedup:
        return plan, []
    if ledger.done:
        listed = _listed_before(job.destination, ledger.state)
        return without_duplicates(plan, listed), listed
    size = range_bytes(int(plan.bytes.sum()), job.shard_bytes, terms.workers)
    positions, listed = find_duplicates(job, plan, on=terms.on, workers=terms.crew(len(plan)), range_bytes=size)
    lists.write_duplicates(job.destination, listed, durable=job.durability == "power")
    plan = plan.without(positions)
    ledger.state = replace(ledger.state, rows=len(plan), duplicates=len(listed))
    return plan, listed


def _listed_before(place: Path, state: JobState) -> list[Duplicate]:
    listed = lists.read_duplicates(place)
    if len(listed) != state.duplicates:
        raise JobMismatchError(
            f"{place}: {lists.DUPLICATES} lists {len(listed)} samples, the store says {state.duplicates}; it was changed: put it back, or"
            " remove the store and convert anew"
        )
    return listed


def _run(job: Job, plan: Plan, terms: Terms, ledger: Ledger) -> None:
    # Those listed by an earlier run count too.
    _require_few_bad(job, ledger, terms)
    weights = plan.weights
    most = range_bytes(int(weights.sum()), job.shard_bytes, terms.workers)
    ranges = [each for start, stop in gaps(ledger.done, len(plan)) for each in cut(weights, start, stop, most)]
    tasks = (plan.task(start, stop) for start, stop in ranges)
    report = terms.progress or _silent
    report(ledger.rows_done, len(plan), ledger.state.bytes_in)
    committed = time.monotonic()
    results: Any = executors.run(functools.partial(convert_range, job), tasks, on=terms.on, workers=terms.crew(len(ranges)))
    with closing(results), _keeping_what_is_done(job, plan, ledger):
        for _, result in results:
            ledger.add(result)
            _require_few_bad(job, ledger, terms)
            if time.monotonic() - committed >= COMMIT_SECONDS:
                _commit(job, plan, ledger)
                committed = time.monotonic()
            report(ledger.rows_done, len(plan), ledger.state.bytes_in)
        if not ledger.state.samples:
            raise RecordError(_none_readable(len(plan)), ledger.bad_rows)


def _silent(done: int, total: int, size: int) -> None:
    """Say nothing of the progress."""


@contextmanager
def _keeping_what_is_done(job: Job, plan: Plan, ledger: Ledger) -> Iterator[None]:
    """Commit what is finished where somebody stops the job, or a bad sample does; not after a failure of the disk."""
    try:
        yield
    except (KeyboardInterrupt, RecordError) as error:
        if ledger.state.samples:
            if ledger.has_news:
                _commit(job, plan, ledger)
            error.add_note(f"{job.destination}: {ledger.rows_done:,} of {len(plan):,} samples are done; run the same again to go on")
        raise


def _require_few_bad(job: Job, ledger: Ledger, terms: Terms) -> None:
    if terms.most_bad is not None and len(ledger.bad_rows) > terms.most_bad:
        raise RecordError(
            f"{job.destination}: {len(ledger.bad_rows):,} samples cannot be read, more than the {terms.most_bad:,} that may be;"
            " mend them, or run the same with a higher bad_limit",
            ledger.bad_rows,
        )


def _none_readable(count: int) -> str:
    return "the only image cannot be read" if count == 1 else f"not one of {count:,} images can be read"


def _tidy(place: Path, created: bool) -> None:
    """Remove what is of no use: everything where this run began it and no sample is in it, as it lies there; the lock is held."""
    found = load(place) if is_store(place) else None
    is_nothing = found is None or (found.is_unfinished and not found.rows)
    if created and is_nothing:
        remove_ours(place)
    else:
        remove_leftovers(place)
