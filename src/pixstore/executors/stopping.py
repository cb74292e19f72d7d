"""Whether the run that a task belongs to has ended early, asked by the task itself."""

from __future__ import annotations

import threading

_own = threading.local()


def bind(stop: threading.Event) -> None:
    """Have `is_stopped` look at this event in the calling thread."""
    _own.stop = stop


def is_stopped() -> bool:
    """Return whether nobody waits for the result of the task that asks; it may return at once, whatever it likes.

    True in threads only: processes are ended from outside.
    """
    stop: threading.Event | None = getattr(_own, "stop", None)
    return stop is not None and stop.is_set()
