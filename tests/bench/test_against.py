"""What counts as changed: rules by hand-made cells, and how often they err by runs with noise like that of real ones."""

from __future__ import annotations

import copy
import itertools
import json
from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

import numpy as np
import pytest

from pixstore.bench import Bytes, Cell, Measurements, Observation, Results, against
from pixstore.bench.changes import Comparison
from pixstore.bench.statistics import Spread

TIMES = (1.0, 1.01, 0.99, 1.02, 0.98)


def run(*cells: Cell | Observation) -> Measurements:
    classic = [each for each in cells if isinstance(each, Cell)]
    return Measurements({}, {}, {}, classic, [each for each in cells if isinstance(each, Observation)])


def cell(seconds: tuple[float, ...] | None = TIMES, **more: object) -> Cell:
    return replace(Cell("read-many", "packed/png", 1000, Spread.of(seconds) if seconds else None), **more)  # type: ignore[arg-type]


def times(factor: float) -> tuple[float, ...]:
    return tuple(each * factor for each in TIMES)


def only(new: Measurements, old: Measurements) -> tuple[str, str]:
    (change,) = against.compare(new, old).changes
    return change.verdict, change.reason


@pytest.mark.parametrize(
    ("factor", "verdict"), [(1.0, "same"), (1.1, "same"), (1.2, "slower"), (3.0, "slower"), (1 / 1.1, "same"), (1 / 1.2, "faster")]
)
def test_a_time_changes_by_enough_either_way(factor: float, verdict: str) -> None:
    assert only(run(cell(times(factor))), run(cell())) == (verdict, "")


def test_repeats_that_mix_are_no_change_however_far_the_medians() -> None:
    assert only(run(cell((1.0, 1.0, 1.4, 1.4, 1.4))), run(cell((1.0, 1.0, 1.0, 1.4, 1.4)))) == ("same", "")


def test_few_repeats_tell_nothing() -> None:
    assert only(run(cell(times(2)[:3])), run(cell())) == ("cannot tell", "with fewer than 4 repeats")


def test_cells_of_one_run_alone_and_failed_ones_are_told_as_such() -> None:
    failed = cell(None, error="OSError: gone")
    assert only(run(cell()), run()) == ("cannot tell", "only in the new run")
    assert only(run(), run(cell())) == ("cannot tell", "only in the old run")
    assert only(run(failed), run(cell())) == ("cannot tell", "failed in the new run: OSError: gone")
    assert only(run(cell()), run(failed)) == ("cannot tell", "failed in the old run: OSError: gone")
    assert only(run(failed), run(failed)) == ("cannot tell", "failed in both: OSError: gone")


def test_disk_use_is_exact() -> None:
    old = run(Cell("disk", "packed/png", 10, bytes=Bytes(1000, 4096)))
    for size, verdict in ((1000, "same"), (1001, "larger"), (999, "smaller")):
        (change,) = against.compare(run(Cell("disk", "packed/png", 10, bytes=Bytes(size, 8192))), old).changes
        assert (change.measure, change.verdict) == ("bytes", verdict)


def test_a_cell_of_time_and_bytes_is_compared_in_both() -> None:
    stored = cell(bytes=Bytes(1, 2))
    assert [each.measure for each in against.compare(run(stored), run(stored)).changes] == ["seconds", "bytes"]


def test_answers_of_the_lab_are_matched_by_their_setting() -> None:
    def answer(factor: float, **setting: str | int) -> Observation:
        return Observation("order", "packed/png", 100, dict(setting), Spread.of(times(factor)))

    old = run(answer(1.0, order="shuffled", batch=64), answer(1.0, order="in order", batch=64))
    new = run(answer(1.0, batch=64, order="in order"), answer(2.0, batch=64, order="shuffled"))
    (change,) = against.compare(new, old).changed
    assert (change.experiment, dict(change.setting), change.ratio) == ("order", {"batch": 64, "order": "shuffled"}, pytest.approx(2.0))


def test_the_threshold_rises_with_the_scatter_of_the_experiment_alone() -> None:
    def scattered(name: str, spread: float) -> Measurements:
        random = np.random.default_rng(1)
        return run(*(cell(times(float(np.exp(random.normal(0, spread)))), experiment=name, images=number) for number in range(1, 30)))

    def joined(*runs: Measurements) -> Measurements:
        return run(*(each for one in runs for each in one.cells))

    quiet = [scattered("read-many", 0.0), scattered("read-shuffled", 0.0)]
    found = against.compare(joined(scattered("read-many", 0.2), quiet[1]), joined(*quiet))
    assert found.thresholds["read-many"] > 1.4
    assert found.thresholds["read-shuffled"] == pytest.approx(1.15)


def test_a_change_that_all_cells_have_in_common_is_reported() -> None:
    old = run(*(cell(images=number) for number in range(1, 30)))
    new = run(*(cell(times(1.3), images=number) for number in range(1, 30)))
    assert {each.verdict for each in against.compare(new, old).changes} == {"slower"}


def test_what_the_scatter_keeps_back_is_said() -> None:
    random = np.random.default_rng(1)
    old = run(*(cell(images=number) for number in range(1, 30)))
    new = run(*(cell(times(float(np.exp(random.normal(0, 0.2)))), images=number) for number in range(1, 30)))
    found = against.compare(new, old)
    kept_back = [each for each in found.changes if each.reason]
    assert kept_back and {each.verdict for each in kept_back} == {"same"}
    assert any(sentence.startswith(f"CAUTION, {len(kept_back)} cells") for sentence in found.sentences())


def test_a_run_compared_with_itself_has_not_changed(measured: Results) -> None:
    measured.cells = [replace(each, seconds=Spread.of([*each.seconds.runs] * 2)) if each.seconds else each for each in measured.cells]
    found = against.compare(copy.deepcopy(measured), measured)
    assert found.changed == [] and found.broken == [] and found.conditions == ()
    assert {each.verdict for each in found.changes} == {"same", "cannot tell"}
    assert json.loads(json.dumps(found.to_json()))["verdicts"]["same"] > 30


WAYS, CUTOFFS, EXPERIMENTS = 8, (1, 10, 100, 1000, 10_000), ("store-many", "read-many", "read-shuffled")
Place: TypeAlias = tuple[str, int, int]
"""Experiment, way, number of images."""


class Machine:
    """Makes runs as a quiet machine of two CPUs does: repeats scatter, some are disturbed, and every cell of every run has its level.

    drift: how far every way moves from one run to the next, all its cells alike.
    """

    def __init__(self, seed: int, *, within: float = 0.03, between: float = 0.03, disturbed: float = 0.05, drift: float = 0.0) -> None:
        self._random = np.random.default_rng(seed)
        self._within, self._between, self._disturbed, self._drift = within, between, disturbed, drift

    def run(self, is_slowed: Callable[[Place], bool] = lambda place: False) -> Measurements:
        levels = np.exp(self._random.normal(0, self._drift, WAYS))
        places = itertools.product(EXPERIMENTS, range(WAYS), CUTOFFS)
        return run(*(self._cell(place, float(levels[place[1]]) * (1.3 if is_slowed(place) else 1.0)) for place in places))

    def _cell(self, place: Place, factor: float) -> Cell:
        experiment, way, images = place
        # Short jobs are disturbed more: a switch of tasks costs the same whatever it interrupts.
        wide = 3.0 if images == 1 else 1.5 if images == 10 else 1.0
        level = factor * (way + 1) * images * float(np.exp(self._random.normal(0, wide * self._between)))
        runs: list[float] = []
        while len(runs) < 20 and not (len(runs) >= 5 and Spread.of(runs).is_narrow):
            noise = float(np.exp(self._random.normal(0, wide * self._within)))
            late = 1 + float(self._random.exponential(0.5)) if self._random.random() < self._disturbed else 1.0
            runs.append(level * noise * late)
        return cell(tuple(runs), experiment=experiment, way=str(way), images=images)


def slower(found: Comparison) -> set[Place]:
    return {(each.experiment, int(each.way), each.images) for each in found.changed if each.verdict == "slower"}


def share_changed(machine: Machine, tries: int) -> float:
    found = [against.compare(machine.run(), machine.run()) for _ in range(tries)]
    return sum(len(each.changed) for each in found) / sum(len(each.changes) for each in found)


@pytest.mark.parametrize("within", [0.01, 0.03])
def test_two_runs_of_the_same_machine_rarely_differ(within: float) -> None:
    assert share_changed(Machine(0, within=within, between=within), 8) <= 0.05


@pytest.mark.parametrize("drift", [0.03, 0.05, 0.1])
def test_ways_that_drift_from_run_to_run_rarely_differ(drift: float) -> None:
    assert share_changed(Machine(4, within=0.02, between=0.015, drift=drift), 20) <= 0.05


def test_two_runs_of_an_unsteady_machine_rarely_differ_too() -> None:
    assert share_changed(Machine(1, within=0.1, between=0.15, disturbed=0.1), 6) <= 0.05


def test_a_slowdown_of_30_percent_is_found() -> None:
    machine = Machine(2, between=0.015)
    random = np.random.default_rng(3)
    found = 0
    for _ in range(40):
        planted = EXPERIMENTS[random.integers(3)], int(random.integers(WAYS)), int(CUTOFFS[random.integers(len(CUTOFFS))])
        found += planted in slower(against.compare(machine.run(lambda place, planted=planted: place == planted), machine.run()))
    assert found >= 38


@pytest.mark.parametrize("ways", [1, WAYS // 2, WAYS - 1, WAYS])
@pytest.mark.parametrize("fewest", [1, 1000])
def test_ways_that_are_slower_as_a_whole_or_in_their_large_cells_do_not_hide_themselves(ways: int, fewest: int) -> None:
    machine = Machine(5, within=0.01, between=0.01)
    found = slower(against.compare(machine.run(lambda place: place[1] < ways and place[2] >= fewest), machine.run()))
    every = {place for place in itertools.product(EXPERIMENTS, range(WAYS), CUTOFFS) if place[1] < ways and place[2] >= fewest}
    assert len(found & every) >= 0.95 * len(every)
    assert len(found - every) <= 0.05 * len(EXPERIMENTS) * WAYS * len(CUTOFFS)
