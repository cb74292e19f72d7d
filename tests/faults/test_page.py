"""The report: figures of the revision tried last, failures where one looks for them, what was skipped and why."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from faults.page import newest, render
from faults.part import Part, Result
from faults.torture import MODULES, parser, part_named, planned

PART = Part("kill", "Kill -9", lambda *_: [], ("append",), 200, 5, "It is killed.")


def record(engine: str = "lmdb", trials: int = 10, seed: int = 0, revision: str = "abc", **changes: Any) -> dict[str, Any]:
    result = asdict(Result("kill", engine, "append", "kill -9", trials, seed, 60.0, **changes))
    return {**result, "date": "2026-01-02T03:04:05", "machine": "two CPUs", "core": "native", "revision": revision}


def test_trials_of_several_seeds_add_up_and_engines_stand_side_by_side() -> None:
    page = render([record(), record(seed=10, trials=1000), record("hdf5", counts={"killed": 9})], [PART])
    assert "| operation | fault | durability | lmdb | hdf5 |" in page
    assert "| append | kill -9 | power | 1,010, 0 | 10, 0 |" in page
    assert "**1,020 trials, 0 failures.**" in page and "killed: 9" in page and "It is killed." in page
    assert "Seeds from 0, 10; 3 minutes of trials; 2026-01-02; revision abc; two CPUs; native core." in page


def test_only_the_revision_that_was_tried_last_counts_and_no_trial_twice() -> None:
    records = [record(trials=5, revision="older"), record(), record(failures=("seed 3: lost",)), record("hdf5", revision="older")]
    assert newest(records) == [records[2], records[3]]


def test_failures_are_named_on_top_and_in_their_cell() -> None:
    page = render([record(failures=("seed 3: lost\nTraceback",))], [PART])
    assert "**10 trials, 1 failures.**" in page and "- kill lmdb append kill -9: seed 3: lost\n" in page
    assert "10, **1 failed**" in page and "Traceback" not in page


def test_what_was_skipped_says_why() -> None:
    page = render([record(trials=0, skipped="needs root")], [PART])
    assert "Skipped: lmdb append: needs root." in page and "| append |" not in page


def test_parts_without_results_are_left_out() -> None:
    assert "Kill -9" not in render([], [PART]) and "0 trials, 0 failures" in render([], [PART])


def test_every_part_is_planned_with_its_own_numbers() -> None:
    runs = list(planned(parser().parse_args([])))
    assert {run.part for run in runs} == set(MODULES)
    for run in runs:
        part = part_named(run.part)
        assert part.name == run.part and run.ops == part.ops and run.trials == part.trials
    few = list(planned(parser().parse_args(["--part", "kill,power", "--engine", "lmdb", "--op", "append,no such", "--trials", "3"])))
    assert [(run.part, run.engine, run.ops, run.trials) for run in few] == [
        ("kill", "lmdb", ("append",), 3),
        ("power", "lmdb", ("append",), 3),
    ]
