"""convert_range: sealed shards of exactly its samples, or nothing at all."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

import pixstore
from pixstore.errors import RecordError
from pixstore.executors.stopping import bind
from pixstore.jobs.job import Job
from pixstore.jobs.plan import make_plan
from pixstore.jobs.ranges import convert_range
from pixstore.registry import ENGINES
from pixstore.shard import Shard

MakeJob = Callable[..., Job]


def shards(job: Job) -> list[str]:
    return sorted(each.name for each in (job.destination / "shards").iterdir())


@pytest.mark.parametrize("engine", ENGINES)
def test_range_becomes_sealed_shards_of_its_samples(photos: Path, make_job: MakeJob, engine: str) -> None:
    job = make_job(photos, engine=engine)
    plan = make_plan(job.dataset)
    result = convert_range(job, plan.task(2, 9))
    assert result is not None and (result.start, result.stop, result.samples, result.bad_rows) == (2, 9, 7, ())
    assert result.bytes_in == int(plan.bytes[2:9].sum())
    found = [Shard(job.destination, entry, job.schema) for entry in result.shards]
    assert [key for each in found for key in each.table["key"].to_pylist()] == job.dataset.keys.to_pylist()[2:9]
    assert {name.split(".")[0] for name in shards(job)} == {entry.id for entry in result.shards}


def test_batches_and_shards_are_as_small_as_asked(photos: Path, make_job: MakeJob) -> None:
    job = make_job(photos, batch_bytes=1, shard_bytes=500)
    result = convert_range(job, make_plan(job.dataset).task(0, 12))
    assert result is not None and len(result.shards) > 3 and sum(each.rows for each in result.shards) == 12


def test_bad_samples_are_left_out_and_listed(photos: Path, make_job: MakeJob) -> None:
    job = make_job(photos)
    keys = job.dataset.keys.to_pylist()
    plan = make_plan(job.dataset)
    (photos / keys[5]).unlink()
    result = convert_range(job, plan.task(4, 8))
    assert result is not None and result.samples == 3 and [(each.row, each.key) for each in result.bad_rows] == [(5, keys[5])]


def test_range_of_bad_samples_alone_has_no_shard(photos: Path, make_job: MakeJob) -> None:
    job = make_job(photos)
    for path in photos.rglob("*.png"):
        path.write_bytes(b"")
    result = convert_range(job, make_plan(job.dataset).task(0, 12))
    assert result is not None and result.shards == () and len(result.bad_rows) == 12 and shards(job) == []


def test_bad_sample_that_is_not_to_be_leaves_nothing(photos: Path, make_job: MakeJob) -> None:
    job = make_job(photos, on_bad="fail", batch_bytes=1, shard_bytes=200)
    (photos / job.dataset.keys[9].as_py()).write_bytes(b"")
    with pytest.raises(RecordError, match="on_bad is 'fail'") as raised:
        convert_range(job, make_plan(job.dataset).task(0, 12))
    assert [each.row for each in raised.value.bad_rows] == [9] and shards(job) == []


def test_samples_are_found_again_by_key_where_a_source_that_is_listed_anew_has_others(photos: Path, make_job: MakeJob) -> None:
    job = make_job(photos)
    keys = job.dataset.keys.to_pylist()
    task = make_plan(job.dataset).task(3, 9)
    (photos / "cat" / "00a.png").write_bytes((photos / "cat" / "00.png").read_bytes())
    (photos / "a").mkdir()
    (photos / "cat" / "00.png").rename(photos / "a" / "00.png")
    (photos / keys[5]).unlink()
    result = convert_range(dataclasses.replace(job, dataset=pixstore.open(photos)), task)
    assert result is not None and [(bad.row, bad.key) for bad in result.bad_rows] == [(5, keys[5])]
    assert "vanished" in result.bad_rows[0].reason
    made = Shard(job.destination, result.shards[0], job.schema)
    assert made.table["key"].to_pylist() == [*keys[3:5], *keys[6:9]]
    # The names of classes are numbered otherwise now; the labels are those that were planned.
    assert made.table["label"].to_pylist() == [*task.table["label"].to_pylist()[:2], *task.table["label"].to_pylist()[3:]]


def test_run_that_has_ended_gets_nothing(photos: Path, make_job: MakeJob) -> None:
    job, stop, results = make_job(photos), threading.Event(), []
    task = make_plan(job.dataset).task(0, 12)

    def work() -> None:
        bind(stop)
        stop.set()
        results.append(convert_range(job, task))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert results == [None] and shards(job) == []
