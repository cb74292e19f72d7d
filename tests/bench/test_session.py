from __future__ import annotations

import time
from pathlib import Path

import pytest

from pixstore.bench import Bytes, Observation, Progress
from pixstore.bench.experiments import Stage
from pixstore.bench.images import built_in
from pixstore.bench.lab.asking import Answer
from pixstore.bench.session import Limits, Session
from pixstore.errors import InvalidInputError

STAGE = Stage(10, "store-many", ("read-many",), True, True)


def session(folder: Path, limits: Limits, told: list[Progress] | None = None) -> Session:
    return Session(built_in(20), ["tutorial-png", "packed/jpeg"], folder, limits, time.monotonic(), None if told is None else told.append)


@pytest.mark.parametrize("values", [(0, 1.0), (1, 0.0), (1, float("nan")), (1, 1.0, -1)])
def test_limits_check_themselves(values: tuple[int, float]) -> None:
    with pytest.raises(InvalidInputError, match="must be positive"):
        Limits(*values)


def test_cells_gather_times_disk_and_failures(tmp_path: Path) -> None:
    run = session(tmp_path, Limits(3, 60.0))
    run.add_time("store-one", "tutorial-png", 1, 0.2)
    run.add_time("store-one", "tutorial-png", 1, 0.4)
    run.add_disk("store-one", "tutorial-png", 1, Bytes(1, 2))
    run.add_time("read-many", "packed/jpeg", 10, 0.1)
    run.differ("read-many", "packed/jpeg", 10, "other labels")
    run.finish()
    stored, read = run.results.cells
    assert stored.seconds is not None and stored.seconds.runs == (0.2, 0.4)
    assert stored.bytes == Bytes(1, 2)
    assert (read.seconds, read.error) == (None, "the read-back differs from the input: other labels")
    assert run.results.differences == ["packed/jpeg, read-many, 10 images: other labels"]
    assert run.largest == 10
    run.forget()
    run.finish()
    assert (run.results.cells, run.results.differences, run.largest) == ([], [], 0)


def test_lossy_ways_are_noted(tmp_path: Path) -> None:
    assert session(tmp_path, Limits(1, 1.0)).results.run["notes"] == ["packed/jpeg is lossy: its pixels are not compared"]


def test_half_of_the_free_disk_is_the_default(tmp_path: Path) -> None:
    assert session(tmp_path, Limits(1, 1.0)).results.run["max_disk_bytes"] > 0
    assert session(tmp_path, Limits(1, 1.0, 5)).results.run["max_disk_bytes"] == 5


def test_time_left_is_told_and_never_more_than_the_budget(tmp_path: Path) -> None:
    told: list[Progress] = []
    run = session(tmp_path, Limits(5, 100.0), told)
    for key in run.keys(STAGE):
        run.plan.record(key, 10, 2.0)
    run.tell("a", STAGE, repeats_left=3)
    run.waiting = [Stage(1000, "store-many", (), True, False)]
    run.tell("b", STAGE, repeats_left=3)
    assert told[0].seconds_left == pytest.approx(3 * 4 * 2.0 + 12)
    assert 90 < told[1].seconds_left <= 100
    assert (told[0].doing, told[1].doing) == ("a", "b")


def test_the_first_numbers_of_images_are_always_measured(tmp_path: Path) -> None:
    run = session(tmp_path, Limits(5, 0.001))
    run.plan.record(("store-many", "tutorial-png"), 10, 100.0)
    assert run.reason_to_stop(STAGE) is None
    run.add_time("store-one", "tutorial-png", 1, 0.2)
    assert "of the budget nothing is left; see --budget" in str(run.reason_to_stop(STAGE))


def test_disk_is_foreseen_from_the_number_before(tmp_path: Path) -> None:
    run = session(tmp_path, Limits(5, 60.0, 1_000_000))
    run.add_disk("disk", "tutorial-png", 10, Bytes(10_000, 40_000))
    assert run.reason_to_stop(Stage(240, "store-many", (), True, True)) is None
    assert "960 kB" not in str(run.reason_to_stop(Stage(240, "store-many", (), True, True)))
    assert "about 1.04 MB, more than the 1 MB" in str(run.reason_to_stop(Stage(260, "store-many", (), True, True)))


def test_a_cell_is_known_once_its_median_is_or_it_has_failed(tmp_path: Path) -> None:
    run = session(tmp_path, Limits(None, 60.0))
    assert (run.results.run["repeats"], run.results.run["most_repeats"]) == (5, 20)
    for seconds in (1.0, 1.01, 0.99, 1.0):
        run.add_time("read-many", "tutorial-png", 10, seconds)
    assert not run.is_known("read-many", "tutorial-png", 10)
    run.add_time("read-many", "tutorial-png", 10, 1.0)
    assert run.is_known("read-many", "tutorial-png", 10)
    run.add_time("read-many", "tutorial-png", 10, 2.0)
    assert not run.is_known("read-many", "tutorial-png", 10)
    run.fail("read-many", "tutorial-png", 10, "OSError: gone")
    assert run.is_known("read-many", "tutorial-png", 10)


def test_the_classic_experiment_keeps_to_its_part_of_the_budget(tmp_path: Path) -> None:
    run = session(tmp_path, Limits(5, 1000.0, None, 100.0))
    assert 80 < run.seconds_left() <= 88
    assert run.results.run["budget_seconds"] == 1000.0


def test_answers_of_the_lab_are_gathered_with_the_titles_of_their_ways(tmp_path: Path) -> None:
    run = session(tmp_path, Limits(5, 60.0))
    (known, new) = run.add_ways(["tutorial-png", "packed/raw"])
    assert known is run.ways[0] and new.name == "packed/raw"
    assert run.results.title("packed/raw") == "packed + raw"
    run.results.run["lab"] = {}
    run.add_answer("order", Answer([Observation("order", "packed/raw", 1, {}, error="gone")], {"rounds": 1}, ["other pixels"]))
    assert run.results.answers("order")[0].error == "gone"
    assert (run.results.run["lab"], run.results.differences) == ({"order": {"rounds": 1}}, ["other pixels"])


def test_the_lab_tells_all_that_is_left(tmp_path: Path) -> None:
    told: list[Progress] = []
    session(tmp_path, Limits(5, 100.0, None, 10.0), told).tell_lab("a")
    assert told[0].doing == "a" and 90 < told[0].seconds_left <= 100
