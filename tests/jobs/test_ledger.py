"""Ledger: what is added stands in the store after a commit, in the order of the ranges; going on takes up exactly that."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import pixstore
from pixstore import manifest
from pixstore.errors import BadRow, JobMismatchError
from pixstore.jobs.job import Job, RangeResult
from pixstore.jobs.ledger import Ledger
from pixstore.jobs.lists import BAD, write_bad
from pixstore.jobs.plan import Plan, make_plan
from pixstore.jobs.ranges import convert_range
from pixstore.manifest import JobState

pytestmark = pytest.mark.filterwarnings("ignore:.*a conversion that is not finished")

MakeJob = Callable[..., Job]


def converted(job: Job, plan: Plan, start: int, stop: int) -> RangeResult:
    result = convert_range(job, plan.task(start, stop))
    assert result is not None
    return result


def begun(job: Job, plan: Plan) -> Ledger:
    return Ledger(job, JobState({"source": "photos"}, len(plan)), next_key=5)


def test_every_commit_is_the_same_version_with_shards_in_order(photos: Path, make_job: MakeJob) -> None:
    job = make_job(photos)
    plan = make_plan(job.dataset)
    ledger = begun(job, plan)
    ledger.commit()
    assert manifest.load(job.destination).is_unfinished and len(pixstore.open(job.destination)) == 0
    for start, stop in ((8, 12), (0, 4), (4, 8)):
        ledger.add(converted(job, plan, start, stop))
        assert ledger.has_news
        ledger.commit()
        found = manifest.load(job.destination)
        assert found.version == 1 and found.parent is None and found.is_unfinished and not ledger.has_news
        keys = job.dataset.keys.to_pylist()
        assert pixstore.open(job.destination).keys.to_pylist() == [key for first, last in ledger.done for key in keys[first:last]]
    assert found.job is not None and found.job.ranges == ((0, 4, 1), (4, 8, 1), (8, 12, 1)) and found.job.samples == 12
    ledger.commit(complete=True)
    done = manifest.load(job.destination)
    assert not done.is_unfinished and done.job is not None and done.job.ranges == ((0, 12, 3),) and done.next_key == 5
    assert [each.name for each in (job.destination / "versions").iterdir()] == ["00000001.json"]


def test_going_on_takes_up_what_was_committed(photos: Path, make_job: MakeJob) -> None:
    job = make_job(photos)
    plan = make_plan(job.dataset, "shuffle:3")
    (photos / job.dataset.keys[int(plan.rows[4])].as_py()).unlink()
    ledger = begun(job, plan)
    for start, stop in ((3, 6), (9, 12)):
        ledger.add(converted(job, plan, start, stop))
    ledger.commit()
    # Listed before a commit that never came: of a range that will be done again.
    write_bad(job.destination, [*ledger.bad_rows, BadRow(0, job.dataset.keys[int(plan.rows[0])].as_py(), "", "b")], durable=False)
    again = Ledger.of_unfinished(job, manifest.load(job.destination), plan.keys)
    assert again.done == [(3, 6), (9, 12)] and again.rows_done == 6 and again.state == ledger.state and not again.has_news
    assert again.bad_rows == ledger.bad_rows and len(again.bad_rows) == 1 == again.state.bad
    again.add(converted(job, plan, 0, 3))
    again.commit()
    assert again.state.samples == 8 == len(pixstore.open(job.destination))


def test_list_of_bad_samples_that_was_changed_is_refused(photos: Path, make_job: MakeJob) -> None:
    job = make_job(photos)
    plan = make_plan(job.dataset)
    (photos / job.dataset.keys[0].as_py()).unlink()
    ledger = begun(job, plan)
    ledger.add(converted(job, plan, 0, 4))
    ledger.commit()
    (job.destination / BAD).unlink()
    with pytest.raises(JobMismatchError, match=r"bad\.csv lists 0 samples of those done, the store says 1"):
        Ledger.of_unfinished(job, manifest.load(job.destination), plan.keys)


def test_interrupt_leaves_a_range_noted_or_not_at_all(photos: Path, make_job: MakeJob, monkeypatch: pytest.MonkeyPatch) -> None:
    job = make_job(photos)
    plan = make_plan(job.dataset)
    (photos / job.dataset.keys[0].as_py()).unlink()
    ledger = begun(job, plan)
    result = converted(job, plan, 0, 4)
    before = ledger.state
    for name in ("summed", "replace"):
        with monkeypatch.context() as patch:
            patch.setattr(f"pixstore.jobs.ledger.{name}", interrupted)
            with pytest.raises(KeyboardInterrupt):
                ledger.add(result)
        assert (ledger.done, ledger.bad_rows, ledger.state) == ([], [], before)
    ledger.add(result)
    assert (ledger.done, len(ledger.bad_rows), ledger.state.bad, ledger.state.samples) == ([(0, 4)], 1, 1, 3)


def interrupted(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def test_ranges_of_damaged_shards_are_dropped_with_their_counts(photos: Path, make_job: MakeJob) -> None:
    job = make_job(photos)
    plan = make_plan(job.dataset)
    for row in (1, 9):
        (photos / job.dataset.keys[row].as_py()).unlink()
    ledger = begun(job, plan)
    for start, stop in ((0, 4), (4, 8), (8, 12)):
        ledger.add(converted(job, plan, start, stop))
    kept = converted(job, plan, 4, 8)
    ledger.commit()
    again = Ledger.of_unfinished(job, manifest.load(job.destination), plan.keys)
    again.drop(set(), plan.keys, plan.bytes)
    assert again.state == ledger.state and again.remarks == []
    damaged = {each.shards[0].id for start, each in ledger._results.items() if start != 4}
    again.drop(damaged, plan.keys, plan.bytes)
    assert again.done == [(4, 8)] and again.bad_rows == [] and (again.state.samples, again.state.bad) == (4, 0)
    assert 0 <= again.state.bytes_in <= kept.bytes_in and "damaged shards" in str(again.remarks[0]) and again.remarks[0].count == 2
