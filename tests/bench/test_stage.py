from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from pixstore.bench import stage
from pixstore.bench.experiments import Stage
from pixstore.bench.images import built_in
from pixstore.bench.plan import Repeats
from pixstore.bench.session import Limits, Session
from pixstore.bench.stage import StageRun
from pixstore.bench.timing import Timing
from pixstore.bench.ways import catalog
from pixstore.bench.ways.base import Work
from pixstore.bench.ways.tutorial_hdf5 import TutorialHdf5


def test_ways_take_turns_in_changing_order(tmp_path: Path) -> None:
    told: list[str] = []
    session = Session(
        built_in(5),
        ["tutorial-png", "tutorial-hdf5"],
        tmp_path,
        Limits(8, 60.0),
        time.monotonic(),
        lambda progress: told.append(progress.doing),
    )
    StageRun(session, Stage(5, "store-many", ("read-many",), True, False)).run(Repeats.of(8))
    stored = [doing.split(", ")[2] for doing in told if "store-many" in doing]
    turns = {tuple(stored[start : start + 2]) for start in range(0, 16, 2)}
    assert turns == {("PNG files", "HDF5"), ("HDF5", "PNG files")}
    # Storing and reading alternate: nothing is read before everybody has stored.
    assert [doing.split(", ")[1] for doing in told] == ["store-many", "store-many", "read-many", "read-many"] * 8


def test_nothing_is_left_and_disk_is_measured_where_asked(tmp_path: Path) -> None:
    session = Session(built_in(5), ["tutorial-hdf5"], tmp_path, Limits(1, 60.0), time.monotonic(), None)
    StageRun(session, Stage(1, "store-one", ("read-one",), True, False)).run(Repeats.of(1))
    StageRun(session, Stage(5, "store-many", (), False, True)).run(Repeats.of(1))
    session.finish()
    assert list(tmp_path.iterdir()) == []
    assert [(cell.experiment, cell.images, cell.seconds is None, cell.bytes is None) for cell in session.results.cells] == [
        ("store-one", 1, False, False),
        ("read-one", 1, False, True),
        ("disk", 5, True, False),
    ]


class Keeping(TutorialHdf5):
    """Counts what is asked of it; each store takes a second of the test's clock."""

    def __init__(self, clock: list[float]) -> None:
        self.stores_made = 0
        self._clock = clock

    def store_many(self, folder: Path, work: Work) -> None:
        self.stores_made += 1
        self._clock[0] += 1.0
        super().store_many(folder, work)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return the seconds that a run takes its clock to show."""
    seconds = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: seconds[0])
    monkeypatch.setattr(os, "sync", lambda: None)
    return seconds


STORING = Stage(3, "store-many", (), True, False)


def stored(monkeypatch: pytest.MonkeyPatch, folder: Path, clock: list[float], limits: Limits, waiting: list[Stage]) -> tuple[int, Session]:
    """Return how often a way stored in one stage whose times never agree."""
    way = Keeping(clock)
    monkeypatch.setitem(catalog.TUTORIAL, "tutorial-hdf5", way)
    session = Session(built_in(5), ["tutorial-hdf5"], folder, limits, 0.0, None)
    session.waiting = waiting
    unlike = iter(range(1, 100))
    monkeypatch.setattr(stage, "timed", lambda action, size: (Timing(float(next(unlike)), 0.0), action()))
    StageRun(session, STORING).run(session.plan.repeats)
    return way.stores_made, session


def test_what_is_not_known_is_repeated_up_to_the_most(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, clock: list[float]) -> None:
    made, session = stored(monkeypatch, tmp_path, clock, Limits(None, 1000.0), [])
    assert made == session.plan.repeats.most


def test_repeats_asked_for_are_neither_more_nor_less(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, clock: list[float]) -> None:
    made, _ = stored(monkeypatch, tmp_path, clock, Limits(7, 1000.0), [])
    assert made == 7


def test_larger_numbers_of_images_come_before_further_repeats(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, clock: list[float]) -> None:
    larger = Stage(60, "store-many", (), True, False)
    # 88 s are left for the cells; five are spent, five repeats of 60 images will take 100: 1/30 of 83 s is for further ones.
    made, _ = stored(monkeypatch, tmp_path, clock, Limits(None, 100.0), [larger])
    assert made == 5 + 2


def test_a_median_that_is_known_is_left_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, clock: list[float]) -> None:
    way = Keeping(clock)
    monkeypatch.setitem(catalog.TUTORIAL, "tutorial-hdf5", way)
    session = Session(built_in(5), ["tutorial-hdf5"], tmp_path, Limits(None, 1000.0), 0.0, None)
    monkeypatch.setattr(stage, "timed", lambda action, size: (Timing(1.0, 0.0), action()))
    StageRun(session, STORING).run(session.plan.repeats)
    assert way.stores_made == session.plan.repeats.least
