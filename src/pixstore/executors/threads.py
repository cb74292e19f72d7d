"""Tasks on threads of this process."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import islice
from typing import Any

from pixstore.executors import stopping


def run_in_threads(function: Callable[[Any], Any], tasks: Iterable[Any], *, workers: int) -> Iterator[tuple[int, Any]]:
    """Yield (number of the task, what the function returned for it) as tasks finish; `workers` run at a time.

    An error of a task is raised here. After it, or when this iterator is closed, running tasks are told to stop and waited for.
    """
    stop = threading.Event()
    waiting = iter(enumerate(tasks))
    running: dict[Future[Any], int] = {}
    with ThreadPoolExecutor(workers, "pixstore-task", stopping.bind, (stop,)) as pool:
        try:
            for number, task in islice(waiting, workers):
                running[pool.submit(function, task)] = number
            while running:
                for done in wait(running, return_when=FIRST_COMPLETED).done:
                    finished = running.pop(done)
                    # The next task runs while whoever iterates has this result.
                    for number, task in islice(waiting, 1):
                        running[pool.submit(function, task)] = number
                    yield finished, done.result()
        finally:
            stop.set()
