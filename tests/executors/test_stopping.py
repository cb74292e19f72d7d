"""Stopping: a task learns that its run has ended, and only of its own."""

from __future__ import annotations

import threading

from pixstore.executors import is_stopped
from pixstore.executors.stopping import bind


def test_only_a_thread_that_was_told_and_whose_run_has_ended_is_stopped() -> None:
    stop, seen = threading.Event(), []

    def task() -> None:
        bind(stop)
        seen.append(is_stopped())
        stop.set()
        seen.append(is_stopped())

    thread = threading.Thread(target=task)
    thread.start()
    thread.join()
    assert seen == [False, True] and not is_stopped()
