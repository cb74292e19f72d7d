"""A job from beginning to end: all samples once, in order, whoever works, and whatever stops it on the way."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import pixstore
from pixstore import executors, manifest
from pixstore.errors import DestinationExistsError, InvalidInputError, JobMismatchError, RecordError, StoreBusyError, StoreFullError
from pixstore.jobs import coordinate, ledger
from pixstore.jobs.coordinate import Outcome, Terms, run_job, unfinished_at
from pixstore.jobs.job import Job, RangeResult, Task
from pixstore.jobs.plan import make_plan
from pixstore.lock import WriterLock

pytestmark = pytest.mark.filterwarnings("ignore:.*a conversion that is not finished")

MakeJob = Callable[..., Job]
TERMS = Terms("threads", 2, None, dedup=False, resume=False)
FACTS = {"source": "photos"}


@pytest.fixture
def job(photos: Path, make_job: MakeJob, monkeypatch: pytest.MonkeyPatch) -> Job:
    """A job of at least six ranges, committed one by one, whose destination is not there."""
    monkeypatch.setattr(coordinate, "COMMIT_SECONDS", 0.0)
    job = make_job(photos, shard_bytes=400)
    for folder in ("shards", "versions"):
        (job.destination / folder).rmdir()
    job.destination.rmdir()
    return job


def run(job: Job, order: str = "source", facts: dict[str, Any] = FACTS, **terms: Any) -> Outcome:
    return run_job(job, make_plan(job.dataset, order), facts, dataclasses.replace(TERMS, **terms))


def stop_after(count: int, error: BaseException) -> Callable[[int, int, int], None]:
    """Return a report of progress that raises once so many samples are done."""

    def report(done: int, total: int, size: int) -> None:
        if done >= count:
            raise error

    return report


def assert_whole(job: Job, order: str = "source") -> None:
    made = pixstore.open(job.destination)
    expected = job.dataset.select(make_plan(job.dataset, order).rows)
    assert made.table.equals(expected.table.cast(made.table.schema))
    assert made.encoded_many(slice(None)) == expected.encoded_many(slice(None))
    found = manifest.load(job.destination)
    named = {file.name for each in found.shards for file in (each.table, each.keys, each.pixels) if file is not None}
    assert {each.name for each in (job.destination / "shards").iterdir()} == named and not found.is_unfinished


@pytest.mark.parametrize("order", ["source", "key", "label", "shuffle:7"])
def test_samples_stand_in_the_order_asked(job: Job, order: str) -> None:
    outcome = run(job, order, workers=3)
    assert outcome.state.samples == 12 and outcome.resumed == 0 and len(manifest.load(job.destination).shards) >= 6
    assert_whole(job, order)


@pytest.mark.parametrize(("on", "is_free", "tasks", "crew"), [
    ("threads", True, 9, 2), ("threads", False, 1, 1), ("processes", True, 0, 1), ("ray", False, 9, 2), ("ray=auto", True, 9, None),
])  # fmt: skip
def test_cluster_decides_where_nobody_asks_for_workers(on: str, is_free: bool, tasks: int, crew: int | None) -> None:
    assert dataclasses.replace(TERMS, on=on, is_free=is_free).crew(tasks) == crew


def test_processes_make_the_same_store(job: Job) -> None:
    run(job, "shuffle:7", on="processes")
    assert_whole(job, "shuffle:7")


@pytest.mark.parametrize("error", [KeyboardInterrupt(), StoreFullError(28, "full")])
def test_stopped_job_is_a_readable_store_and_goes_on(job: Job, error: BaseException) -> None:
    with pytest.raises(type(error)):
        run(job, progress=stop_after(4, error))
    half = manifest.load(job.destination)
    assert half.is_unfinished and half.job is not None and 4 <= half.job.samples < 12
    made = pixstore.open(job.destination)
    assert len(made) == half.job.samples and made.encoded_many(slice(None)) == [job.dataset.encoded(key) for key in made.keys.to_pylist()]
    outcome = run(job, resume=True, workers=1)
    assert outcome.resumed == half.job.samples and outcome.state.samples == 12
    assert_whole(job)


def test_opening_what_is_not_finished_warns(job: Job) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(job, progress=stop_after(4, KeyboardInterrupt()))
    with pytest.warns(UserWarning, match=r"a conversion that is not finished \(\d+ of 12 samples\)"):
        pixstore.open(job.destination)


def test_interrupt_says_that_the_same_goes_on(job: Job) -> None:
    with pytest.raises(KeyboardInterrupt) as raised:
        run(job, progress=stop_after(4, KeyboardInterrupt()))
    assert "of 12 samples are done; run the same again to go on" in raised.value.__notes__[0]


def test_what_is_finished_is_committed_on_an_interrupt_but_not_after_a_failure(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coordinate, "COMMIT_SECONDS", 1e9)
    with pytest.raises(OSError, match="input/output"):
        run(job, progress=stop_after(4, OSError(5, "input/output")))
    assert not job.destination.exists()
    with pytest.raises(KeyboardInterrupt):
        run(job, progress=stop_after(4, KeyboardInterrupt()))
    assert len(pixstore.open(job.destination)) >= 4


def test_job_stopped_before_anything_was_done_leaves_nothing(job: Job) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(job, progress=stop_after(0, KeyboardInterrupt()))
    assert not job.destination.exists()


def test_leftovers_of_a_dead_attempt_go_when_it_goes_on(job: Job) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(job, progress=stop_after(4, KeyboardInterrupt()))
    (job.destination / "shards" / "0123456789abcdef.partial").mkdir()
    (job.destination / "shards" / "00000000000000aa.bin").write_bytes(b"x")
    run(job)
    assert_whole(job)


def test_other_facts_are_refused_and_change_nothing(job: Job) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(job, progress=stop_after(4, KeyboardInterrupt()))
    before = {path: path.read_bytes() for path in job.destination.rglob("*") if path.is_file() and path.name != ".lock"}
    with pytest.raises(JobMismatchError, match="source: 'photos' → 'pictures'"):
        run(job, facts={"source": "pictures"})
    assert {path: path.read_bytes() for path in job.destination.rglob("*") if path.is_file() and path.name != ".lock"} == before


def test_only_one_runs_at_a_time(job: Job) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(job, progress=stop_after(4, KeyboardInterrupt()))
    lock = WriterLock(job.destination)
    with pytest.raises(StoreBusyError):
        run(job)
    lock.release()
    run(job)
    assert_whole(job)


def test_destination_says_what_can_be_done(job: Job, tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="no unfinished conversion is there to resume"):
        run(job, resume=True)
    assert unfinished_at(job.destination, resume=False) is None and not job.destination.exists()
    run(job)
    with pytest.raises(DestinationExistsError, match="a pixstore store is there; choose another"):
        run(job)
    with pytest.raises(DestinationExistsError, match="nothing to resume"):
        run(job, resume=True)
    with pytest.raises(DestinationExistsError, match="other files"):
        unfinished_at(tmp_path, resume=False)


def test_more_bad_samples_than_may_be_stop_the_job_and_a_higher_limit_goes_on(job: Job) -> None:
    for row in (3, 5, 8):
        (job.destination.parent / "photos" / job.dataset.keys[row].as_py()).write_bytes(b"")
    plan = make_plan(job.dataset)
    with pytest.raises(RecordError, match="more than the 1 that may be") as raised:
        run_job(job, plan, FACTS, dataclasses.replace(TERMS, workers=1, most_bad=1))
    assert {each.row for each in raised.value.bad_rows} >= {3, 5} and manifest.load(job.destination).is_unfinished
    outcome = run_job(job, plan, FACTS, dataclasses.replace(TERMS, most_bad=3))
    assert [each.row for each in outcome.bad_rows] == [3, 5, 8] and outcome.state.samples == 9 and outcome.state.bad == 3
    assert (job.destination / "bad.csv").read_text().count("\n") == 4


def test_where_all_are_bad_nothing_stays(job: Job) -> None:
    plan = make_plan(job.dataset)
    for path in (job.destination.parent / "photos").rglob("*.png"):
        path.write_bytes(b"")
    with pytest.raises(RecordError, match="not one of 12 images can be read"):
        run_job(job, plan, FACTS, TERMS)
    assert not job.destination.exists()


def test_duplicates_are_dropped_listed_and_stay_dropped_when_it_goes_on(job: Job, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for target, source in (("cat/zz.png", "cat/00.png"), ("dog/zz.png", "cat/00.png")):
        (photos / target).write_bytes((photos / source).read_bytes())
    job = dataclasses.replace(job, dataset=pixstore.open(photos))
    with pytest.raises(KeyboardInterrupt):
        run(job, dedup=True, progress=stop_after(4, KeyboardInterrupt()))
    half = manifest.load(job.destination).job
    assert half is not None and (half.rows, half.duplicates) == (12, 2)
    # The list is taken up, not made again.
    monkeypatch.setattr(coordinate, "find_duplicates", None)
    outcome = run(job, dedup=True)
    assert [(each.key, each.same_as) for each in outcome.duplicates] == [("cat/zz.png", "cat/00.png"), ("dog/zz.png", "cat/00.png")]
    keys = pixstore.open(job.destination).keys.to_pylist()
    assert len(keys) == 12 and "cat/zz.png" not in keys and (job.destination / "duplicates.csv").read_text().count("\n") == 3


def test_changed_list_of_duplicates_is_refused(job: Job, photos: Path) -> None:
    (photos / "cat" / "zz.png").write_bytes((photos / "cat" / "00.png").read_bytes())
    job = dataclasses.replace(job, dataset=pixstore.open(photos))
    with pytest.raises(KeyboardInterrupt):
        run(job, dedup=True, progress=stop_after(4, KeyboardInterrupt()))
    (job.destination / "duplicates.csv").unlink()
    with pytest.raises(JobMismatchError, match=r"duplicates\.csv lists 0 samples, the store says 1"):
        run(job, dedup=True)


def test_worker_that_wrote_its_range_twice_leaves_one(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that was thought dead may finish too; its shards have names of their own and are nobody's."""
    real = coordinate.convert_range

    def twice(job: Job, task: Task) -> RangeResult | None:
        real(job, task)
        return real(job, task)

    monkeypatch.setattr(coordinate, "convert_range", twice)
    run(job)
    assert_whole(job)


def test_error_of_one_range_stops_the_others(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    real = coordinate.convert_range

    def fail(job: Job, task: Task) -> RangeResult | None:
        if task.start >= 6:
            raise OSError(5, "input/output error")
        return real(job, task)

    monkeypatch.setattr(coordinate, "convert_range", fail)
    with pytest.raises(OSError, match="input/output"):
        run(job)
    assert not executors.is_stopped() and manifest.load(job.destination).is_unfinished
    monkeypatch.setattr(coordinate, "convert_range", real)
    run(job)
    assert_whole(job)


def test_store_that_another_process_finished_meanwhile_stays(job: Job, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = coordinate.take_store

    def slow(path: Path, *, durable: bool) -> WriterLock:
        monkeypatch.setattr(coordinate, "take_store", real)
        run(job)
        return real(path, durable=durable)

    monkeypatch.setattr(coordinate, "take_store", slow)
    with pytest.raises(DestinationExistsError, match="a pixstore store is there"):
        run(job)
    assert_whole(job)


def test_interrupt_after_the_last_commit_keeps_the_store(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coordinate, "COMMIT_SECONDS", 1e9)
    real = manifest.commit

    def commit(store: Path, made: manifest.Manifest) -> None:
        real(store, made)
        if not made.is_unfinished:
            raise KeyboardInterrupt

    monkeypatch.setattr(ledger, "commit", commit)
    with pytest.raises(KeyboardInterrupt):
        run(job)
    assert_whole(job)


def test_what_others_put_into_the_destination_outlives_a_failure(job: Job) -> None:
    def report(done: int, total: int, size: int) -> None:
        (job.destination / "notes.txt").write_text("somebody's")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(job, progress=report)
    assert [each.name for each in job.destination.iterdir()] == ["notes.txt"]


def test_same_limit_of_bad_samples_holds_when_it_goes_on(job: Job, photos: Path) -> None:
    plan = make_plan(job.dataset)
    (photos / job.dataset.keys[11].as_py()).write_bytes(b"")
    for _ in range(2):
        with pytest.raises(RecordError, match="more than the 0 that may be"):
            run_job(job, plan, FACTS, dataclasses.replace(TERMS, workers=1, most_bad=0))
        assert manifest.load(job.destination).is_unfinished and manifest.load(job.destination).rows == 11


@pytest.mark.parametrize("is_late", [False, True])
def test_file_of_many_records_that_changes_meanwhile_ends_the_job(tmp_path: Path, make_job: MakeJob, is_late: bool) -> None:
    (tmp_path / "cifar").mkdir()
    for name in (*(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin"):
        (tmp_path / "cifar" / name).write_bytes(bytes(4 * 3073))
    job = make_job(tmp_path / "cifar", shard_bytes=4 * 3073)
    committed: list[int] = []

    def report(done: int, total: int, size: int) -> None:
        if done >= (24 if is_late else 8) and not committed:
            committed.append(manifest.load(job.destination).rows)
            (tmp_path / "cifar" / "data_batch_5.bin").write_bytes(bytes([1]) * 4 * 3073)

    with pytest.raises(JobMismatchError, match=r"the source changed while it was converted \(.*data_batch_5\.bin\)"):
        run_job(
            job, make_plan(job.dataset, origins={"": [tmp_path / "cifar"]}), FACTS, dataclasses.replace(TERMS, workers=1, progress=report)
        )
    if committed[0]:
        assert (manifest.load(job.destination).is_unfinished, manifest.load(job.destination).rows) == (True, committed[0])


@pytest.mark.parametrize("durability", ["power", "process"])
def test_committed_shards_that_were_damaged_are_made_again(job: Job, durability: str) -> None:
    job = dataclasses.replace(job, durability=durability)
    with pytest.raises(KeyboardInterrupt):
        run(job, progress=stop_after(6, KeyboardInterrupt()))
    torn, gone, *_ = manifest.load(job.destination).shards
    assert torn.pixels is not None
    (job.destination / "shards" / torn.table.name).write_bytes(b"")
    (job.destination / "shards" / gone.table.name).unlink()
    outcome = run(job)
    assert outcome.state.samples == 12 and "damaged shards, whose samples were converted again: 2" in str(outcome.remarks[0])
    assert_whole(job)
