"""Work ahead of whoever iterates, in one background thread that ends with its iterator."""

from __future__ import annotations

import atexit
import os
import threading
import weakref
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any, Generic, TypeVar

from pixstore.errors import InvalidInputError

Item = TypeVar("Item")

STOP_SECONDS = 30.0
"""How long stopping waits for the item that is being made."""


def prefetch(iterable: Iterable[Item], ahead: int = 2) -> Prefetched[Item]:
    """Return an iterator over the same items, of which up to `ahead` are made in advance by a background thread.

    An exception of the iterable is raised in its place in the order. The thread ends when the items do, when the iterator is closed
    or forgotten (after `break`, too), and before the interpreter exits. Raises InvalidInputError where `ahead` is below 1.
    """
    if ahead < 1:
        raise InvalidInputError(f"ahead is {ahead}; at least 1 item is made in advance")
    return Prefetched(iterable, ahead)


class _Shared(Generic[Item]):
    """What the thread and the iterator both know; the thread must not keep the iterator alive."""

    def __init__(self, iterable: Iterable[Item], ahead: int) -> None:
        self.iterable: Iterable[Item] | None = iterable
        self.ahead = ahead
        self.made: deque[Item] = deque()
        self.error: BaseException | None = None
        self.finished = False
        self.stopped = False
        self.changed = threading.Condition()

    def run(self) -> None:
        try:
            self._make_all(iter(self.iterable or ()))
        except BaseException as error:  # raised again by whoever iterates
            self.error = error
        finally:
            # Its files and threads end here, not whenever the last reference goes.
            self.iterable = None
            with self.changed:
                self.finished = True
                self.changed.notify_all()

    def _make_all(self, items: Iterator[Item]) -> None:
        for item in items:
            with self.changed:
                self.made.append(item)
                del item
                self.changed.notify_all()
                while len(self.made) >= self.ahead and not self.stopped:
                    self.changed.wait()
                if self.stopped:
                    return

    def stop(self) -> None:
        with self.changed:
            self.stopped = True
            self.made.clear()
            self.changed.notify_all()


_running: weakref.WeakSet[Prefetched[Any]] = weakref.WeakSet()


class Prefetched(Generic[Item]):
    """An iterator whose next items are being made; also a context manager that closes it."""

    def __init__(self, iterable: Iterable[Item], ahead: int) -> None:
        self._shared = _Shared(iterable, ahead)
        self._process = os.getpid()
        self._thread = threading.Thread(target=self._shared.run, name="pixstore-prefetch", daemon=True)
        self._thread.start()
        _running.add(self)

    def __iter__(self) -> Prefetched[Item]:
        return self

    def __next__(self) -> Item:
        shared = self._shared
        if self._process != os.getpid():
            raise InvalidInputError("this iterator was begun before the process was forked, and its thread stayed there: begin one here")
        with shared.changed:
            while not shared.made and not shared.finished and not shared.stopped:
                shared.changed.wait()
            if shared.made:
                item = shared.made.popleft()
                shared.changed.notify_all()
                return item
        error, shared.error = shared.error, None
        self.close()
        if error is not None:
            raise error
        raise StopIteration

    def close(self) -> None:
        """Stop the thread and forget what was made in advance; may be called more than once."""
        # A fork leaves the thread, and perhaps a lock that it holds, with the parent.
        if self._process == os.getpid():
            self._shared.stop()
            if self._thread is not threading.current_thread():
                self._thread.join(STOP_SECONDS)
            _running.discard(self)

    def __enter__(self) -> Prefetched[Item]:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        # An interrupt while the thread started leaves an object without all its parts.
        if hasattr(self, "_thread"):
            self.close()


@atexit.register
def _close_all() -> None:
    """Threads that still run native code while the interpreter is taken apart crash it."""
    for each in list(_running):
        each.close()
