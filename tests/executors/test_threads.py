"""Threads: every task once, as they finish, no more at a time than workers, and all at rest when the run ends."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from pixstore.executors import is_stopped
from pixstore.executors.threads import run_in_threads


def test_every_task_is_done_once_by_no_more_threads_than_asked_for() -> None:
    running, most, lock = 0, 0, threading.Lock()

    def square(task: int) -> int:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.002)
        with lock:
            running -= 1
        return task * task

    assert sorted(run_in_threads(square, range(30), workers=3)) == [(number, number**2) for number in range(30)]
    assert most <= 3


def test_results_come_as_tasks_finish() -> None:
    first_may_end = threading.Event()

    def task(number: int) -> int:
        if number == 0:
            assert first_may_end.wait(10)
        return number

    results = run_in_threads(task, range(3), workers=2)
    assert [next(results)[0], next(results)[0]] == [1, 2]
    first_may_end.set()
    assert list(results) == [(0, 0)]


def test_tasks_are_taken_only_as_threads_are_free() -> None:
    taken: list[int] = []

    def tasks() -> Iterator[int]:
        for number in range(100):
            taken.append(number)
            yield number

    results = run_in_threads(int, tasks(), workers=2)
    next(results)
    assert len(taken) <= 4
    results.close()  # type: ignore[attr-defined]
    assert len(taken) <= 4


def test_an_error_ends_the_run_and_the_others_are_told() -> None:
    told = threading.Event()

    def task(number: int) -> None:
        if number == 1:
            raise ValueError("this one")
        for _ in range(1000):
            if is_stopped():
                told.set()
                return
            time.sleep(0.01)

    with pytest.raises(ValueError, match="this one"):
        list(run_in_threads(task, range(10), workers=2))
    assert told.is_set() and not [each for each in threading.enumerate() if "pixstore-task" in each.name]


def test_no_tasks_are_no_results() -> None:
    assert list(run_in_threads(int, [], workers=2)) == []
