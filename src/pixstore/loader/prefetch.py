"""Work ahead of whoever iterates, in background threads that end with their iterator."""

from __future__ import annotations

import atexit
import os
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Generic, TypeVar

from pixstore.errors import InvalidInputError

Item = TypeVar("Item")
Made = TypeVar("Made")

STOP_SECONDS = 30.0
"""How long stopping waits for the items that are being made."""


def prefetch(iterable: Iterable[Item], ahead: int = 2) -> Prefetched[Item]:
    """Return an iterator over the same items, of which up to `ahead` are made in advance by a background thread.

    An exception of the iterable is raised in its place in the order. The thread ends when the items do, when the iterator is closed
    or forgotten (after `break`, too), and before the interpreter exits. Raises InvalidInputError where `ahead` is below 1.
    """
    return prefetch_made(iterable, _same, ahead=ahead, threads=1)


def prefetch_made(
    iterable: Iterable[Item], make: Callable[[Item], Made], *, ahead: int, threads: int, first_alone: bool = False
) -> Prefetched[Made]:
    """Return an iterator over `make(item)` for each item, in their order, made in advance by this many threads.

    The iterable is asked by one thread at a time; `make` runs in all of them at once. first_alone: nothing else is begun before the first
    one is made, so that it comes sooner. Otherwise as `prefetch`.
    """
    if ahead < 1:
        raise InvalidInputError(f"ahead is {ahead}; at least 1 item is made in advance")
    return Prefetched(_Shared(iterable, make, ahead + threads - 1, first_alone), threads)


def _same(item: Item) -> Item:
    return item


class _Shared(Generic[Made]):
    """What the threads and the iterator know; the threads must not keep the iterator alive."""

    def __init__(self, iterable: Iterable[Any], make: Callable[[Any], Made], limit: int, first_alone: bool) -> None:
        self._source: Iterable[Any] | None = iterable
        self._items: Iterator[Any] | None = None
        self._make = make
        self._limit = limit
        self._first_alone = first_alone
        self._begun = 0
        self._handed_out = 0
        self._made: dict[int, Made] = {}
        # How many items there are, once it is known, and why there are no more.
        self._end: int | None = None
        self._error: BaseException | None = None
        self._stopped = False
        self._turn = threading.Lock()
        self._changed = threading.Condition()

    def run(self) -> None:
        while (begun := self._next()) is not None:
            number, item = begun
            try:
                made = self._make(item)
            except BaseException as error:  # raised again by whoever iterates
                self._end_at(number, error)
                return
            with self._changed:
                self._made[number] = made
                self._changed.notify_all()
            del begun, item, made

    def _next(self) -> tuple[int, Any] | None:
        """Return the next item and its number, when it is wanted; None where there is nothing left to do."""
        with self._turn:
            with self._changed:
                while not self._is_over and not self._may_begin:
                    self._changed.wait()
                if self._is_over:
                    # The items' files and threads end here, not whenever the last reference goes.
                    self._source = self._items = None
                    return None
            try:
                if self._items is None:
                    self._items = iter(self._source or ())
                item = next(self._items)
            except StopIteration:
                self._end_at(self._begun, None)
            except BaseException as error:  # raised again by whoever iterates
                self._end_at(self._begun, error)
            else:
                self._begun += 1
                return self._begun - 1, item
            self._source = self._items = None
            return None

    @property
    def _may_begin(self) -> bool:
        waits = self._first_alone and self._begun > 0 and self._handed_out == 0 and 0 not in self._made
        return not waits and self._begun - self._handed_out < self._limit

    @property
    def _is_over(self) -> bool:
        return self._stopped or self._end is not None

    def _end_at(self, number: int, error: BaseException | None) -> None:
        with self._changed:
            if self._end is None or number < self._end:
                self._end, self._error = number, error
            self._changed.notify_all()

    def take(self) -> Made:
        """Return the next one, as soon as it is made. Raises what ended the items, or StopIteration."""
        with self._changed:
            while not self._is_ready and not self._stopped and self._handed_out != self._end:
                self._changed.wait()
            if self._is_ready and self._handed_out != self._end:
                self._handed_out += 1
                self._changed.notify_all()
                return self._made.pop(self._handed_out - 1)
            error, self._error = self._error, None
        if error is not None:
            raise error
        raise StopIteration

    @property
    def _is_ready(self) -> bool:
        return self._handed_out in self._made

    def stop(self) -> None:
        with self._changed:
            self._stopped = True
            self._made.clear()
            self._changed.notify_all()


_running: weakref.WeakSet[Prefetched[Any]] = weakref.WeakSet()


class Prefetched(Generic[Made]):
    """An iterator whose next items are being made; also a context manager that closes it."""

    def __init__(self, shared: _Shared[Made], threads: int) -> None:
        self._shared = shared
        self._process = os.getpid()
        self._threads = [threading.Thread(target=shared.run, name="pixstore-prefetch", daemon=True) for _ in range(threads)]
        for thread in self._threads:
            thread.start()
        _running.add(self)

    def __iter__(self) -> Prefetched[Made]:
        return self

    def __next__(self) -> Made:
        if self._process != os.getpid():
            raise InvalidInputError("this iterator was begun before the process was forked, and its threads stayed there: begin one here")
        try:
            return self._shared.take()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Stop the threads and forget what was made in advance; may be called more than once."""
        # A fork leaves the threads, and perhaps a lock that they hold, with the parent.
        if self._process == os.getpid():
            self._shared.stop()
            for thread in self._threads:
                if thread is not threading.current_thread():
                    thread.join(STOP_SECONDS)
            _running.discard(self)

    def __enter__(self) -> Prefetched[Made]:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        # An interrupt while the thread started leaves an object without all its parts.
        if hasattr(self, "_threads"):
            self.close()


@atexit.register
def _close_all() -> None:
    """Threads that still run native code while the interpreter is taken apart crash it."""
    for each in list(_running):
        each.close()
