"""Tasks in processes of their own; a process that dies has its task done again by another.

Workers are spawned, so nothing of this process's threads and files is theirs. They end with this process, however it ends.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from pixstore.errors import WorkerDiedError

MOST_DEATHS = 5
"""In a row, with no task finished between them."""
PATIENCE_SECONDS = 5.0
SILENCE_SECONDS = 60.0
"""Without a finished task: from then on it is said who is at what, because a process that hangs says nothing itself."""


def run_in_processes(function: Callable[[Any], Any], tasks: Iterable[Any], *, workers: int) -> Iterator[tuple[int, Any]]:
    """Yield (number of the task, what the function returned for it) as tasks finish; `workers` run at a time.

    The function is sent once to each process. An error of a task is raised here; then, and when this iterator is closed, the
    processes are ended. Raises WorkerDiedError after MOST_DEATHS deaths without a finished task.
    """
    pool = _Pool(function, iter(enumerate(tasks)))
    try:
        for _ in range(workers):
            pool.start_worker()
        while pool.workers:
            yield from pool.results()
    finally:
        pool.end()


class _Worker:
    """A process, the pipe to it, and the task it has."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process: BaseProcess = context.Process(target=_work, args=(theirs,), name="pixstore-task", daemon=True)
        self.task: tuple[int, Any] | None = None
        self.process.start()
        theirs.close()
        self._tell(function)

    def give(self, task: tuple[int, Any]) -> None:
        self.task = task
        self._tell(task)

    def _tell(self, what: Any) -> None:
        try:
            self.pipe.send(what)
        except (BrokenPipeError, ConnectionResetError):
            # It has died; reading from the pipe says so, where its task is given to another.
            return

    def end(self) -> int | None:
        """End the process; return its exit code."""
        self.pipe.close()
        if self.task is not None:
            self.process.terminate()
        self.process.join(PATIENCE_SECONDS)
        if self.process.exitcode is None:
            self.process.kill()
            self.process.join()
        return self.process.exitcode


class _Pool:
    def __init__(self, function: Callable[[Any], Any], tasks: Iterator[tuple[int, Any]]) -> None:
        self.workers: dict[Connection, _Worker] = {}
        self._function = function
        self._tasks = tasks
        self._again: deque[tuple[int, Any]] = deque()
        self._deaths = 0

    def start_worker(self) -> None:
        """Start a process if there is a task for it."""
        task = self._next_task()
        if task is not None:
            worker = _Worker(self._function)
            self.workers[worker.pipe] = worker
            worker.give(task)

    def results(self) -> Iterator[tuple[int, Any]]:
        """Wait until a process says something or dies; yield the results there are."""
        ready = wait(list(self.workers), SILENCE_SECONDS)
        if not ready:
            warnings.warn(f"no news for {SILENCE_SECONDS:.0f} s from {self._silent()}", stacklevel=2)
        for pipe in ready:
            assert isinstance(pipe, Connection)
            worker = self.workers[pipe]
            try:
                is_good, result = pipe.recv()
            except (EOFError, ConnectionResetError):
                self._replace(worker)
                continue
            if not is_good:
                raise result
            assert worker.task is not None, "a process speaks only of its task"
            finished, self._deaths, worker.task = worker.task[0], 0, None
            if (task := self._next_task()) is not None:
                worker.give(task)
            else:
                del self.workers[pipe]
                worker.end()
            yield finished, result

    def _silent(self) -> str:
        """Return which process is at which task, and what to do where one hangs."""
        known = [(each.process.pid, each.task[0]) for each in self.workers.values() if each.task is not None]
        named = ", ".join(f"process {pid} at task {number}" for pid, number in known)
        return f"{named}; where one hangs, end it (kill -9 {known[0][0] if known else 'PID'}): its task is then done by another"

    def _next_task(self) -> tuple[int, Any] | None:
        return self._again.popleft() if self._again else next(self._tasks, None)

    def _replace(self, worker: _Worker) -> None:
        del self.workers[worker.pipe]
        if worker.task is not None:
            self._again.append(worker.task)
        code = worker.end()
        self._deaths += 1
        if self._deaths >= MOST_DEATHS:
            number = "" if worker.task is None else f" at task {worker.task[0]}"
            raise WorkerDiedError(
                f"{MOST_DEATHS} worker processes in a row ended before their work did{number} (the last {_how(code)}); if memory is short,"
                " use fewer workers; a script that starts them needs `if __name__ == '__main__':`"
            )
        self.start_worker()

    def end(self) -> None:
        for worker in self.workers.values():
            if worker.task is not None:
                worker.process.terminate()
        for worker in self.workers.values():
            worker.end()
        self.workers.clear()


def _how(code: int | None) -> str:
    if code is not None and code < 0:
        return f"by signal {-code}, {signal.strsignal(-code) or 'unknown'}"
    return f"with exit status {code}"


def _work(pipe: Connection) -> None:
    """Do what comes through the pipe: first the function, then its tasks, until there are no more."""
    # Ctrl-C reaches the whole group; who ends this process is the one that started it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        function = pipe.recv()
        while True:
            _, task = pipe.recv()
            pipe.send((True, function(task)))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return
    except Exception as error:
        pipe.send((False, _sendable(error)))


def _sendable(error: Exception) -> Exception:
    """Return the error, or its text where it does not pickle."""
    try:
        multiprocessing.reduction.ForkingPickler.dumps(error)
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
