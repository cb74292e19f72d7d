"""Processes: every task is done once, whatever becomes of the process that had it, and no process outlives its run."""

from __future__ import annotations

import functools
import multiprocessing
import os
import signal
import time
from pathlib import Path

import pytest

from pixstore.errors import StoreFullError, WorkerDiedError
from pixstore.executors import processes
from pixstore.executors.processes import MOST_DEATHS, run_in_processes


def square(task: int) -> tuple[int, int]:
    return task * task, os.getpid()


def die_the_first_time(folder: Path, task: int) -> int:
    """Die at two of the tasks, once each."""
    mark = folder / str(task)
    if task in (1, 3) and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return task


def dawdle(task: int) -> int:
    time.sleep(0.4)
    return task


def die(task: int) -> int:
    os._exit(3)


def refuse(task: int) -> int:
    raise StoreFullError(28, f"no space for {task}")


class Unpicklable(Exception):
    def __reduce__(self) -> str:
        raise TypeError("never")


def raise_unpicklable(task: int) -> int:
    raise Unpicklable("as text")


def test_every_task_is_done_once_in_other_processes() -> None:
    results = list(run_in_processes(square, range(8), workers=2))
    assert sorted((number, result[0]) for number, result in results) == [(number, number**2) for number in range(8)]
    assert os.getpid() not in {result[1] for _, result in results} and multiprocessing.active_children() == []


def test_a_task_whose_process_is_killed_is_done_again(tmp_path: Path) -> None:
    results = list(run_in_processes(functools.partial(die_the_first_time, tmp_path), range(5), workers=2))
    assert sorted(results) == [(number, number) for number in range(5)] and len(list(tmp_path.iterdir())) == 2


def test_deaths_without_end_are_an_error_that_says_how() -> None:
    with pytest.raises(WorkerDiedError, match=rf"{MOST_DEATHS} worker processes.*at task 0.*exit status 3"):
        list(run_in_processes(die, range(3), workers=1))
    assert multiprocessing.active_children() == []


def test_an_error_of_a_task_arrives_as_it_was() -> None:
    with pytest.raises(StoreFullError, match="no space for 0") as raised:
        list(run_in_processes(refuse, range(3), workers=1))
    assert raised.value.errno == 28 and multiprocessing.active_children() == []


def test_an_error_that_does_not_pickle_arrives_as_text() -> None:
    with pytest.raises(RuntimeError, match="Unpicklable: as text"):
        list(run_in_processes(raise_unpicklable, range(1), workers=1))


def test_process_that_says_nothing_for_long_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "SILENCE_SECONDS", 0.2)
    with pytest.warns(UserWarning, match=r"no news for .* process \d+ at task 0.*kill -9 \d+"):
        assert list(run_in_processes(dawdle, range(1), workers=1)) == [(0, 0)]


def test_closing_ends_the_processes() -> None:
    results = run_in_processes(square, range(1000), workers=2)
    next(results)
    results.close()  # type: ignore[attr-defined]
    assert multiprocessing.active_children() == []
