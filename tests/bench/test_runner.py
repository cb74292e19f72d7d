"""Whole runs with few small images; times are never compared, only what is measured, what is said and what is left behind."""

from __future__ import annotations

import functools
import json
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import pixstore
from pixstore import bench
from pixstore.bench import Measurements, Observation, Progress, Results
from pixstore.bench.lab.catalog import QUESTIONS
from pixstore.bench.lab.chart import Chart
from pixstore.bench.lab.lab import DifferenceError, Lab
from pixstore.bench.lab.question import Observed, Question, Trial
from pixstore.bench.ways import catalog
from pixstore.bench.ways.base import Found, Reader, Way, Work
from pixstore.errors import InvalidInputError, PathNotFoundError

FEW = ["tutorial-png", "tutorial-hdf5", "packed/png"]
# No machine is so slow that the budget cuts anything.
run = functools.partial(bench.run, budget_seconds=100_000.0)


SECONDS_PER_IMAGE = 1 / 64


class Clock:
    """A clock that goes on only when it is told to."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture(autouse=True)
def without_sync(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing wait for what the rest of the machine has written."""
    monkeypatch.setattr(os, "sync", lambda: None)


class Memory(Way):
    """Keeps the images in memory; as wrong or as broken as a test wants it, and slow by a clock of its own."""

    name = "tutorial-png"

    def __init__(self, *, clock: Clock | None = None, changes: bool = False, fails: bool = False) -> None:
        self._clock = clock or Clock()
        self._changes = changes
        self._fails = fails

    def store_many(self, folder: Path, work: Work) -> None:
        (folder / "file").write_bytes(bytes(5000))
        self._clock.seconds += SECONDS_PER_IMAGE * len(work)

    def read_many(self, folder: Path, work: Work) -> Found:
        if self._fails:
            raise OSError("the disk is gone")
        return Found(np.asarray(work.images) ^ np.uint8(self._changes), work.labels)

    def read_shuffled(self, folder: Path, work: Work) -> Found:
        whole = self.read_many(folder, work)
        return Found(np.asarray(whole.images)[work.order], work.labels[work.order])

    def read_one(self, folder: Path, work: Work) -> Found:
        return self.read_many(folder, Work(work.images[:1], work.labels[:1]))

    def reader(self, folder: Path, work: Work) -> Reader:
        raise NotImplementedError


def repeats(results: Results, experiment: str, images: int) -> int:
    cell = results.cell(experiment, "tutorial-png", images)
    assert cell is not None and cell.seconds is not None
    return len(cell.seconds.runs)


def test_every_way_is_measured_in_every_experiment(tmp_path: Path) -> None:
    ways = ["tutorial-png", "tutorial-lmdb", "tutorial-hdf5", "files/raw", "packed/png@power"]
    results = run(ways=ways, cutoffs=[3, 1], repeats=2, out=tmp_path / "out")
    assert results.failures() == []
    assert results.ways == ways
    for experiment in ("store-many", "read-many", "read-shuffled"):
        for images in (1, 3):
            for way in ways:
                cell = results.cell(experiment, way, images)
                assert cell is not None and cell.seconds is not None and len(cell.seconds.runs) == 2
    for way in ways:
        stored, read, disk = (results.cell(experiment, way, 1) for experiment in ("store-one", "read-one", "disk"))
        assert stored is not None and stored.seconds is not None and stored.bytes is not None
        assert read is not None and read.seconds is not None
        assert disk is not None and disk.bytes is not None and disk.bytes.apparent > 2000
    assert results.run["ways"]["files/raw"] == {"title": "files + raw", "threads": results.machine["cpus"]}
    assert results.run["limits"]["images"] == 3
    assert results.source["synthetic"] is True
    assert not results.run["interrupted"]


def test_results_are_saved_and_no_store_is_left(tmp_path: Path) -> None:
    results = run(ways=["packed/raw"], cutoffs=[2], repeats=1, out=tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["results.csv", "results.json"]
    assert json.loads((tmp_path / "results.json").read_text(encoding="utf-8")) == json.loads(json.dumps(results.to_json()))


def test_photos_are_compared_as_they_lie_and_as_they_are(photos: Path) -> None:
    before = {path: path.read_bytes() for path in photos.rglob("*.jpg")}
    results = run(photos, repeats=1, cutoffs=[1, 8, 10])
    assert results.failures() == []
    assert results.ways[0] == "source"
    assert results.title("lmdb/keep") == "LMDB + JPEG, kept"
    assert results.title("tutorial-hdf5") == "HDF5, tutorial, one dataset per image"
    assert results.cell("store-many", "source", 8) is None
    disk = results.cell("disk", "source", 8)
    assert disk is not None and disk.bytes is not None
    assert disk.bytes.apparent == sum(map(len, before.values()))
    assert {path: path.read_bytes() for path in photos.rglob("*") if path.is_file()} == before
    assert (results.source["name"], results.source["images"]) == ("photos", 8)


def test_labels_above_255_fail_the_tutorials_hdf5_alone(tmp_path: Path) -> None:
    with pixstore.Writer(tmp_path / "store", codec="raw") as writer:
        writer.add_batch(np.zeros((3, 4, 5, 3), np.uint8), label=[1, 300, 2])
    results = run(tmp_path / "store", ways=FEW, cutoffs=[3], repeats=1)
    assert {cell.way for cell in results.failures()} == {"tutorial-hdf5"}
    assert {cell.experiment for cell in results.failures()} == {"store-many", "read-many", "read-shuffled", "disk"}
    assert "300" in str(results.failures()[0].error)
    assert results.differences == []


def test_other_pixels_fail_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(catalog.TUTORIAL, "tutorial-png", Memory(changes=True))
    results = run(ways=FEW, cutoffs=[3], repeats=1, experiments=["read-many"])
    assert results.differences == ["tutorial-png, read-many, 3 images: image 0 came back with other pixels"]
    assert {cell.way for cell in results.failures()} == {"tutorial-png"}


def test_storing_alone_is_read_back_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(catalog.TUTORIAL, "tutorial-png", Memory(changes=True))
    results = run(ways=["tutorial-png"], cutoffs=[3], repeats=2, experiments=["store-many"])
    assert len(results.differences) == 1


def test_a_way_that_cannot_read_is_a_shown_result(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(catalog.TUTORIAL, "tutorial-png", Memory(fails=True))
    results = run(ways=FEW, cutoffs=[2], repeats=2)
    failed = results.cell("read-many", "tutorial-png", 2)
    assert failed is not None and failed.error == "OSError: the disk is gone"
    assert results.median("store-many", "tutorial-png", 2) is not None
    assert results.median("read-many", "packed/png", 2) is not None


def test_a_short_budget_gives_fewer_repeats_and_no_larger_cutoffs(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(time, "monotonic", clock)
    monkeypatch.setitem(catalog.TUTORIAL, "tutorial-png", Memory(clock=clock))
    results = bench.run(
        ways=["tutorial-png"], cutoffs=[16, 100_000], repeats=50, experiments=["store-many", "read-many"], budget_seconds=5.0
    )
    # Of 5 s one is kept for drawing, and two rounds of ten images have warmed up; 16 images take a quarter of a second.
    assert repeats(results, "store-many", 16) == 14
    assert repeats(results, "read-many", 16) == 50
    assert results.cutoffs() == [16]
    assert results.run["notes"] == [
        "stopped before 100,000 images: once every way would take about 26 min 2 s, of the budget 188 ms are left; see --budget"
    ]


def test_large_images_warm_up_one_at_a_time(tmp_path: Path) -> None:
    for number in range(2):
        Image.fromarray(np.full((1200, 1200, 3), number, np.uint8)).save(tmp_path / f"{number}.png")
    told: list[str] = []
    run(tmp_path, ways=["packed/raw"], cutoffs=[1], repeats=1, progress=lambda progress: told.append(progress.doing))
    assert any(each.startswith("1 image, ") for each in told)
    assert not any(each.startswith("2 images") for each in told)


@pytest.mark.parametrize(("budget", "rounds"), [(1.0, 1), (10.0, 2)])
def test_a_warm_up_that_takes_much_of_the_budget_is_not_repeated(monkeypatch: pytest.MonkeyPatch, budget: float, rounds: int) -> None:
    clock = Clock()
    monkeypatch.setattr(time, "monotonic", clock)
    monkeypatch.setitem(catalog.TUTORIAL, "tutorial-png", Memory(clock=clock))
    told: list[str] = []
    kinds = {"ways": ["tutorial-png"], "cutoffs": [1], "experiments": ["store-many", "read-many"], "repeats": 1}
    bench.run(**kinds, budget_seconds=budget, progress=lambda progress: told.append(progress.doing))  # type: ignore[arg-type]
    assert sum(each.startswith("10 images, store-many") for each in told) == rounds


def test_more_disk_than_allowed_is_not_used(tmp_path: Path) -> None:
    results = run(ways=FEW, cutoffs=[1, 2000], repeats=1, max_disk_bytes=1_000_000, experiments=["store-many", "disk"], out=tmp_path)
    assert results.cutoffs() == [1]
    assert "--max-disk" in results.run["notes"][0]


def test_more_images_than_memory_is_to_hold_are_not_measured() -> None:
    results = run(ways=["packed/raw"], cutoffs=[1, 10**9], repeats=1, experiments=["read-many"])
    assert results.cutoffs() == [1]
    assert "1 GB" in results.run["notes"][0]


def test_an_interrupt_keeps_what_was_measured_and_tidies_up(tmp_path: Path) -> None:
    def stop(progress: Progress) -> None:
        if progress.doing.startswith("3 images, read-many"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(ways=FEW, cutoffs=[1, 3], repeats=2, out=tmp_path, progress=stop)
    results = bench.load(tmp_path)
    assert results.run["interrupted"] is True
    assert results.median("read-shuffled", "packed/png", 1) is not None
    assert results.median("store-many", "packed/png", 3) is not None
    assert results.median("read-many", "packed/png", 3) is None
    assert sorted(path.name for path in tmp_path.iterdir()) == ["results.csv", "results.json"]


def test_progress_tells_what_is_done_and_the_time_left() -> None:
    told: list[Progress] = []
    run(ways=["packed/png"], cutoffs=[2], repeats=2, progress=told.append)
    assert any(each.doing == "2 images, read-shuffled, packed + PNG, repeat 2 of 2" for each in told)
    assert all(each.seconds_left >= 0 for each in told)
    assert [each.seconds for each in told] == sorted(each.seconds for each in told)


OUT_OF_RANGE = [
    {"repeats": 0},
    {"budget_seconds": 0},
    {"cutoffs": [0]},
    {"ways": ["nothing/png"]},
    {"experiments": ["nothing"]},
    {"ways": ["source"]},
]


@pytest.mark.parametrize("options", OUT_OF_RANGE)
def test_options_out_of_range_are_refused(options: dict[str, object], tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError):
        run(out=tmp_path / "out", **options)  # type: ignore[arg-type]


def test_a_mistyped_source_makes_nothing(tmp_path: Path) -> None:
    with pytest.raises(PathNotFoundError):
        run(tmp_path / "absent", out=tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


class Planned(Question):
    """A question of four cells, each of which takes a second of the test's clock unless it does something else."""

    title = "A question"
    asks = "What is planned?"

    def __init__(self, name: str, clock: Clock, measure: Callable[[], Observed] | None = None) -> None:
        self.name = name
        self._clock = clock
        self._measure = measure or self._take_a_second

    def _take_a_second(self) -> Observed:
        self._clock.seconds += 1
        return Observed(self._clock.seconds % 7 + 1)

    def trials(self, lab: Lab) -> list[Trial]:
        return [Trial("packed/raw", 10, {"cell": number}, self._measure) for number in range(4)]

    def charts(self, answers: Sequence[Observation]) -> list[Chart]:
        return []

    def sentences(self, answers: Sequence[Observation], run: Measurements) -> list[str]:
        return []


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Return a clock that the run goes by; every question of the lab but two is taken away."""
    clock = Clock()
    monkeypatch.setattr(time, "monotonic", clock)
    for name in list(QUESTIONS):
        monkeypatch.delitem(QUESTIONS, name)
    for name in ("order", "cache"):
        monkeypatch.setitem(QUESTIONS, name, Planned(name, clock))
    return clock


def lab_repeats(results: Results, question: str) -> list[int]:
    return [len(each.seconds.runs) if each.seconds else 0 for each in results.answers(question)]


def test_a_question_alone_is_asked_without_the_classic_experiment(clock: Clock, tmp_path: Path) -> None:
    results = bench.run(ways=["packed/raw"], suite=["order"], cutoffs=[1], budget_seconds=60.0, out=tmp_path)
    assert results.cells == [] and results.answers("cache") == []
    assert min(lab_repeats(results, "order")) >= 10
    assert results.run["lab"]["order"]["title"] == "A question"
    assert results.run["limits"]["copy"] >= 0
    assert bench.load(tmp_path).observations == results.observations


def test_the_lab_ends_within_the_budget_and_every_question_has_its_share(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(catalog.TUTORIAL, "tutorial-png", Memory(clock=clock))
    results = bench.run(ways=["tutorial-png"], cutoffs=[16], experiments=["store-many", "read-many"], suite=["full"], budget_seconds=100.0)
    # 40 s are the classic experiment's, at most; 16 of the rest are for drawing.
    assert 5 <= repeats(results, "store-many", 16) <= 20
    assert 80 <= clock.seconds <= 84
    counts = [sum(lab_repeats(results, name)) for name in ("order", "cache")]
    assert min(counts) >= 25 and abs(counts[0] - counts[1]) <= 8


def test_a_budget_too_short_for_the_lab_leaves_cells_that_say_so(clock: Clock) -> None:
    results = bench.run(ways=["packed/raw"], suite=["order", "cache"], cutoffs=[1], budget_seconds=3.0)
    assert clock.seconds <= 3.0
    assert sum(lab_repeats(results, "order")) == 1
    assert all(each.error is not None and "see --budget" in each.error for each in results.answers("cache") if each.seconds is None)
    assert len(results.answers("cache")) == 4


def test_an_interrupted_question_is_saved_with_what_it_has_measured(clock: Clock, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    measured = 0

    def measure() -> Observed:
        nonlocal measured
        measured += 1
        if measured == 3:
            raise KeyboardInterrupt
        return Observed(1.0)

    monkeypatch.setitem(QUESTIONS, "order", Planned("order", clock, measure))
    with pytest.raises(KeyboardInterrupt):
        bench.run(ways=["packed/raw"], suite=["full"], cutoffs=[1], repeats=1, budget_seconds=60.0, out=tmp_path)
    results = bench.load(tmp_path)
    assert results.run["interrupted"] is True
    assert results.median("read-many", "packed/raw", 1) is not None
    assert sorted(lab_repeats(results, "order")) == [0, 0, 1, 1]
    assert results.run["notes"] == ["interrupted before the questions cache"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["results.csv", "results.json"]


def test_other_pixels_in_a_question_fail_the_run(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    def measure() -> Observed:
        raise DifferenceError("image 3 came back with other pixels")

    monkeypatch.setitem(QUESTIONS, "order", Planned("order", clock, measure))
    results = bench.run(ways=["packed/raw"], suite=["order"], cutoffs=[1], budget_seconds=60.0)
    assert len(results.differences) == 4
    assert results.differences[0] == "packed/raw, order, cell 0: DifferenceError: image 3 came back with other pixels"


def test_stores_of_the_lab_keep_to_the_disk_allowed(clock: Clock) -> None:
    results = bench.run(ways=["packed/raw"], suite=["order"], cutoffs=[1], budget_seconds=60.0, max_disk_bytes=10_000)
    (only,) = results.observations
    assert only.error is not None and "more than the 10 kB of --max-disk" in only.error


def test_the_lab_has_ways_of_its_own_where_none_are_named(clock: Clock) -> None:
    results = bench.run(suite=["order"], cutoffs=[1], budget_seconds=5.0)
    assert {"packed/raw", "tutorial-png"} <= results.run["ways"].keys()
    assert results.title("packed/raw") == "packed + raw"
