"""Questions whose cells take as long as a test wants, by a clock that goes on only when it is told to."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from pixstore.bench.images import built_in, from_source
from pixstore.bench.lab.asking import INTERRUPTED, MOST_REPEATS, SPENT, TOO_LONG, Answer, Asking
from pixstore.bench.lab.chart import Chart
from pixstore.bench.lab.lab import DifferenceError, Lab
from pixstore.bench.lab.question import Observed, Question, Trial
from pixstore.bench.measurements import Measurements, Observation
from pixstore.bench.ways import catalog
from pixstore.bench.ways.source import SourceWay

Measure = Callable[[], Observed]


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(time, "monotonic", clock)
    return clock


class Planned(Question):
    """Asks what the test has planned."""

    name = "planned"
    title = "A question"
    asks = "What is planned?"

    def __init__(self, *cells: tuple[str, int, Measure]) -> None:
        self._cells = cells

    def trials(self, lab: Lab) -> list[Trial]:
        if not self._cells:
            raise ValueError("nothing to ask")
        return [Trial(way, images, {"cell": number}, measure) for number, (way, images, measure) in enumerate(self._cells)]

    def charts(self, answers: Sequence[Observation]) -> list[Chart]:
        return []

    def sentences(self, answers: Sequence[Observation], run: Measurements) -> list[str]:
        return []


def taking(clock: Clock, seconds: float, noise: float = 0.0) -> Measure:
    """Return a cell that takes so long, up to `noise` of it longer or shorter."""
    random = np.random.default_rng(0)

    def measure() -> Observed:
        taken = seconds * (1 + random.uniform(-noise, noise))
        clock.seconds += taken
        return Observed(taken, {"p99_seconds": taken / 2}, {"at": clock.seconds})

    return measure


def failing(error: BaseException) -> Measure:
    def measure() -> Observed:
        raise error

    return measure


def ask(folder: Path, question: Question, seconds: float, most_seconds: float | None = None, told: list[str] | None = None) -> Answer:
    lab = Lab(built_in(20), [catalog.find("packed/raw", None, 2)], folder / "lab", 2, 10**9)
    asking = Asking(lab, question)
    said: list[str] = [] if told is None else told
    asking.run(seconds, 2 * seconds if most_seconds is None else most_seconds, said.append)
    return asking.answer()


def repeats(answer: Answer) -> list[int]:
    return [len(each.seconds.runs) if each.seconds else 0 for each in answer.observations]


def test_a_cell_is_repeated_until_its_median_is_known(tmp_path: Path, clock: Clock) -> None:
    answer = ask(tmp_path, Planned(("a", 1, taking(clock, 1.0)), ("a", 1, taking(clock, 1.0, noise=0.5))), 1000.0)
    assert repeats(answer) == [5, MOST_REPEATS]
    seconds = round(clock.seconds, 1)
    assert answer.asked == {"title": "A question", "asks": "What is planned?", "seconds": seconds, "rounds": 31, "warmed_up": True}
    quiet = answer.observations[0]
    assert (quiet.question, quiet.way, quiet.images, quiet.setting) == ("planned", "a", 1, {"cell": 0})
    assert quiet.measures["p99_seconds"].median == 0.5
    assert quiet.proof["at"] <= clock.seconds


def test_the_time_is_kept_and_every_cell_is_measured_first(tmp_path: Path, clock: Clock) -> None:
    answer = ask(tmp_path, Planned(*(("a", 1, taking(clock, 1.0)) for _ in range(10))), 35.0)
    assert set(repeats(answer)) == {3, 4}
    assert clock.seconds == pytest.approx(35.0)
    assert not answer.asked["warmed_up"]


def test_a_first_round_that_is_cheap_warms_up_and_counts_only_where_there_is_no_other(tmp_path: Path, clock: Clock) -> None:
    cold = iter([10.0] + [1.0] * 50)

    def measure() -> Observed:
        taken = next(cold)
        clock.seconds += taken
        return Observed(taken)

    (known,) = ask(tmp_path, Planned(("a", 1, measure)), 100.0).observations
    assert known.seconds is not None and known.seconds.max == 1.0
    cold = iter([10.0])
    (once,) = ask(tmp_path / "again", Planned(("a", 1, measure)), 15.0).observations
    assert once.seconds is not None and once.seconds.runs == (10.0,)


def test_what_the_budget_has_no_room_for_says_so(tmp_path: Path, clock: Clock) -> None:
    answer = ask(tmp_path, Planned(*(("a", 1, taking(clock, 4.0)) for _ in range(5))), 8.0, 12.0)
    assert sorted(repeats(answer)) == [0, 0, 1, 1, 1]
    assert {each.error for each in answer.observations} == {None, SPENT}


def test_where_the_time_ends_in_the_first_round_the_ways_measured_have_all_their_settings(tmp_path: Path, clock: Clock) -> None:
    cells = [(way, 1, taking(clock, 1.0)) for _ in range(4) for way in "abcdef"]
    measured = Counter(each.way for each in ask(tmp_path, Planned(*cells), 12.0, 12.0).observations if each.seconds)
    assert list(measured.values()) == [4, 4, 4]


def test_a_cell_foreseen_as_too_long_is_not_begun(tmp_path: Path, clock: Clock) -> None:
    few = [("slow", 10, taking(clock, 1.0)) for _ in range(4)]
    answer = ask(tmp_path, Planned(("slow", 1000, taking(clock, 100.0)), *few), 30.0, 50.0)
    assert repeats(answer) == [0, 5, 5, 5, 5]
    last = answer.observations[0]
    assert last.error == TOO_LONG
    assert clock.seconds < 30


def test_what_a_cell_takes_is_foretold_by_its_load_where_that_is_said(tmp_path: Path, clock: Clock) -> None:
    class Loaded(Planned):
        def trials(self, lab: Lab) -> list[Trial]:
            return [Trial("a", images, {"size": images}, taking(clock, 1.0), load=1e6) for images in (5000, 10)]

    assert repeats(ask(tmp_path, Loaded(), 60.0)) == [5, 5]


def test_a_way_is_foretold_by_itself_and_not_by_a_slower_one(tmp_path: Path, clock: Clock) -> None:
    class Sized(Planned):
        def trials(self, lab: Lab) -> list[Trial]:
            paces = {"slow": 0.5, "quick": 0.001}
            return [
                Trial(way, images, {"images": images}, taking(clock, each * images)) for way, each in paces.items() for images in (1, 60)
            ]

    answer = ask(tmp_path, Sized(), 20.0)
    assert [bool(each.seconds) for each in answer.observations] == [True, True, True, True]
    assert [each.error for each in ask(tmp_path / "again", Sized(), 10.0).observations] == [None, TOO_LONG, None, None]


def test_making_a_store_is_no_part_of_what_a_repeat_costs(tmp_path: Path, clock: Clock) -> None:
    class Storing(Planned):
        def trials(self, lab: Lab) -> list[Trial]:
            def measure() -> Observed:
                if lab.storing_seconds == 0:
                    clock.seconds += 10.0
                    lab.storing_seconds += 10.0
                return taking(clock, 1.0)()

            return [Trial("a", 1, {"cell": number}, measure) for number in range(3)]

    assert min(repeats(ask(tmp_path, Storing(), 16.0))) == 2


def test_a_cell_that_fails_is_told_and_not_tried_again(tmp_path: Path, clock: Clock) -> None:
    answer = ask(tmp_path, Planned(("a", 1, failing(OSError("the disk is gone"))), ("b", 1, taking(clock, 1.0))), 60.0)
    assert answer.observations[0].error == "OSError: the disk is gone"
    assert answer.observations[0].seconds is None
    assert (repeats(answer), answer.differences) == ([0, 5], [])


def test_a_wrong_read_back_is_a_difference(tmp_path: Path, clock: Clock) -> None:
    answer = ask(tmp_path, Planned(("a", 1, failing(DifferenceError("other pixels")))), 60.0)
    assert answer.differences == ["a, planned, cell 0: DifferenceError: other pixels"]
    assert answer.observations[0].error == "DifferenceError: other pixels"


def test_a_question_that_cannot_be_asked_is_one_cell_with_the_reason(tmp_path: Path) -> None:
    (only,) = ask(tmp_path, Planned(), 60.0).observations
    assert (only.question, only.way, only.images, only.error) == ("planned", "", 0, "ValueError: nothing to ask")


def test_a_question_whose_stores_do_not_fit_is_not_begun(tmp_path: Path, clock: Clock) -> None:
    (only,) = ask(tmp_path, Planned(("packed/raw", 10**7, failing(AssertionError("it was begun")))), 60.0).observations
    assert only.error is not None and "--max-disk" in only.error


def test_an_interrupted_question_keeps_what_was_measured(tmp_path: Path, clock: Clock) -> None:
    interrupt_at = 5.0

    def measure() -> Observed:
        if clock.seconds >= interrupt_at:
            raise KeyboardInterrupt
        return taking(clock, 1.0)()

    lab = Lab(built_in(20), [], tmp_path / "lab", 2)
    asking = Asking(lab, Planned(*(("a", 1, measure) for _ in range(8))))
    with pytest.raises(KeyboardInterrupt):
        asking.run(100.0, 200.0, lambda doing: None)
    answer = asking.answer()
    assert sorted(repeats(answer)) == [0, 0, 0, 1, 1, 1, 1, 1]
    assert {each.error for each in answer.observations} == {None, INTERRUPTED}


def test_it_tells_what_is_measured(tmp_path: Path, clock: Clock) -> None:
    told: list[str] = []
    ask(tmp_path, Planned(("packed/png", 1, taking(clock, 1.0))), 4.0, told=told)
    assert told[0] == "A question: packed/png, cell 0, repeat 1"
    assert len(told) == 4


def test_a_cell_that_would_mislead_is_not_measured_and_says_why(tmp_path: Path, photos: Path) -> None:
    sample = from_source(photos, 8)
    assert sample.dataset is not None
    here = Lab(sample, [SourceWay(sample.dataset, sample.image_field, 2)], tmp_path / "lab", 2)
    asking = Asking(here, Planned(("source", 9, lambda: Observed(1.0)), ("source", 8, lambda: Observed(1.0))))
    asking.run(10.0, 10.0, lambda text: None)
    misleading, fair = asking.answer().observations
    assert str(misleading.error).startswith("not measured: there are 8 images for 9;")
    assert fair.seconds is not None
    sample.close()
