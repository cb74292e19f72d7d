"""Tasks on a Ray cluster: one that is there, or one of this machine that ends with the run.

Ray is told to repeat nothing: a task whose worker dies is given out again here, as with processes.
"""

from __future__ import annotations

import logging
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ray
from ray._private import worker as ray_worker
from ray.exceptions import NodeDiedError, OutOfMemoryError, RayError, RayTaskError, WorkerCrashedError

from pixstore.errors import InvalidInputError, WorkerDiedError

MOST_DEATHS = 5
"""In a row, with no task finished between them."""
STORE_BYTES = 128 << 20
"""Of Ray's shared memory, through which only functions and results pass."""
ENDING_SECONDS = 10.0
ANSWER_SECONDS = 10.0
"""For a cluster to take a connection; Ray itself would try for many minutes."""

LOG = logging.getLogger("ray")
MOST_FOLDER_BYTES = 30
TOKEN = "RAY_AUTH_TOKEN"
QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}
"""Nobody is told of a cluster of our own, and Ray does not warn of what it will change about GPUs."""


def run_on_ray(
    function: Callable[[Any], Any], tasks: Iterable[Any], *, address: str | None, workers: int | None
) -> Iterator[tuple[int, Any]]:
    """Yield (number of the task, what the function returned for it) as tasks finish; `workers` run at a time, by default one per CPU.

    Without an address: the cluster this process is connected to, else the one that RAY_ADDRESS names, else one is started on this machine,
    which ends with this iterator. Other machines need pixstore and must see the same files under the same paths.

    An error of a task is raised here; then, and when this iterator is closed, running tasks are ended. Raises WorkerDiedError
    after MOST_DEATHS deaths without a finished task, InvalidInputError where no cluster answers at the address.
    """
    with _connected(address or os.environ.get("RAY_ADDRESS"), workers):
        run = _Run(function, tasks)
        try:
            yield from run.results(workers or max(1, int(ray.cluster_resources().get("CPU", 1))))
        finally:
            run.end()


@contextmanager
def _connected(address: str | None, workers: int | None) -> Iterator[None]:
    if ray.is_initialized():
        yield
    elif address is not None and address != "local":
        _require_answer(address)
        with _as_before({}), _session(address):
            yield
    else:
        # Ray makes sockets in it, whose paths may have some 100 bytes.
        folder = tempfile.mkdtemp(prefix="ray-", dir=None if len(tempfile.gettempdir()) < MOST_FOLDER_BYTES else "/tmp")
        try:
            _have_a_token()
            with _as_before(QUIET), _session("local", num_cpus=workers, include_dashboard=False,
                                                       object_store_memory=STORE_BYTES, _temp_dir=folder):  # fmt: skip
                yield
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _require_answer(address: str) -> None:
    """Raise InvalidInputError where nothing listens at an address of host and port."""
    host, colon, port = address.rpartition("://")[2].rpartition(":")
    if not colon or not port.isdigit():
        return
    try:
        socket.create_connection((host, int(port)), ANSWER_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise _no_cluster(address, error) from error


def _no_cluster(address: str, error: Exception) -> InvalidInputError:
    return InvalidInputError(f"no Ray cluster at {address!r} ({error}); start one with `ray start --head`, or leave the address out")


@contextmanager
def _session(address: str, **options: Any) -> Iterator[None]:
    try:
        ray.init(address=address, log_to_driver=False, configure_logging=False, **options)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise _no_cluster(address, error) from error
    node = ray_worker._global_node
    processes = [] if node is None else [each.process for kind in node.all_processes.values() for each in kind]
    try:
        yield
    finally:
        ray.shutdown()
        # Ray kills those that it started, and does not wait for all of them.
        for process in processes:
            try:
                process.wait(ENDING_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _have_a_token() -> None:
    """Make sure that there is a token, by which the members of a local cluster know each other: Ray would leave one in the home folder.

    It stays in the environment: Ray remembers it for as long as the process lives, and ends the process where it is gone.
    """
    if not os.environ.get(f"{TOKEN}_PATH") and not Path("~/.ray/auth_token").expanduser().exists():
        os.environ.setdefault(TOKEN, secrets.token_hex(32))


@contextmanager
def _as_before(settings: dict[str, str]) -> Iterator[None]:
    """Set what is not set in the environment; at the end take it back, and what SIGTERM did before Ray."""
    added = settings.keys() - os.environ.keys()
    handler, printing, level = signal.getsignal(signal.SIGTERM), ray_worker.print_to_stdstream, LOG.level
    os.environ.update({name: settings[name] for name in added})
    # Ray writes of every worker's death to standard output, where `--json -` has JSON alone, and has no switch for it.
    ray_worker.print_to_stdstream = _say_nothing
    LOG.setLevel(logging.ERROR)
    try:
        yield
    finally:
        ray_worker.print_to_stdstream = printing
        LOG.setLevel(level)
        for name in added:
            os.environ.pop(name, None)
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, handler)


def _say_nothing(*_: Any, **__: Any) -> None:
    """Print nothing: what died is counted here, and an end by it is an error."""


class _Run:
    """Tasks on their way: those that run, and those to be given out again."""

    def __init__(self, function: Callable[[Any], Any], tasks: Iterable[Any]) -> None:
        self._function = ray.put(function)
        self._call = ray.remote(max_retries=0, num_cpus=1)(_call)
        self._tasks = iter(enumerate(tasks))
        self._again: deque[tuple[int, Any]] = deque()
        self._running: dict[Any, tuple[int, Any]] = {}
        self._deaths = 0

    def results(self, workers: int) -> Iterator[tuple[int, Any]]:
        for _ in range(workers):
            self._start_next()
        while self._running:
            done, _ = ray.wait(list(self._running), num_returns=1)
            task = self._running.pop(done[0])
            try:
                result = ray.get(done[0])
            except RayTaskError as error:
                raise error.cause from None
            except (WorkerCrashedError, NodeDiedError, OutOfMemoryError) as error:
                self._note_death(task, error)
                self._start_next()
                continue
            self._deaths = 0
            self._start_next()
            yield task[0], result

    def _start_next(self) -> None:
        task = self._again.popleft() if self._again else next(self._tasks, None)
        if task is not None:
            self._running[self._call.remote(self._function, task[1])] = task

    def _note_death(self, task: tuple[int, Any], error: RayError) -> None:
        self._again.append(task)
        self._deaths += 1
        if self._deaths >= MOST_DEATHS:
            raise WorkerDiedError(
                f"{MOST_DEATHS} Ray workers in a row ended before their work did, at task {task[0]} ({_first_line(error)}); if memory is"
                " short, use fewer workers"
            ) from error

    def end(self) -> None:
        for each in self._running:
            ray.cancel(each, force=True)


def _call(function: Callable[[Any], Any], task: Any) -> Any:
    return function(task)


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0].rstrip(".")
