"""Where tasks run: "threads", "processes", "ray" or "ray=ADDRESS" is the only difference."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from pixstore.errors import DependencyError, InvalidInputError
from pixstore.executors.processes import run_in_processes
from pixstore.executors.threads import run_in_threads

RAY = "pixstore.executors.ray_cluster"


def run(
    function: Callable[[Any], Any], tasks: Iterable[Any], *, on: str = "threads", workers: int | None = None
) -> Iterator[tuple[int, Any]]:
    """Return an iterator of (number of the task, what the function returned for it), in the order in which tasks finish.

    Tasks are taken as workers are free. Function and tasks must pickle unless `on` is "threads"; the function is sent once to each
    worker, each task once to one, and once more where a worker died. workers: one by default, on a cluster one for each of its CPUs.

    Errors of a task are raised by the iterator; closing it ends the rest. Raises InvalidInputError for an `on` that there is not,
    DependencyError where Ray is not installed.
    """
    check_place(on)
    if workers is not None and workers < 1:
        raise InvalidInputError(f"{workers} workers; give 1 or more")
    if on == "threads":
        return run_in_threads(function, tasks, workers=workers or 1)
    if on == "processes":
        return run_in_processes(function, tasks, workers=workers or 1)
    address = on.partition("=")[2] or None
    found: Iterator[tuple[int, Any]] = _ray().run_on_ray(function, tasks, address=address, workers=workers)
    return found


def check_place(on: str) -> None:
    """Raise InvalidInputError where this is no place for tasks to run."""
    if on not in ("threads", "processes", "ray") and not on.startswith("ray="):
        raise InvalidInputError(f"on {on!r} is none of 'threads', 'processes', 'ray', 'ray=ADDRESS'")


def _ray() -> Any:
    try:
        return importlib.import_module(RAY)
    except ImportError as error:
        raise DependencyError(f"on 'ray' needs {error.name!r}, which is not installed: pip install 'pixstore[ray]'") from error
