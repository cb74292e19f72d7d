"""Shards read through their engines' own libraries: a few open at once, each process with its own."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence

from pixstore.engine import ShardReader
from pixstore.rows import Buffer

MOST_OPEN = 8
"""A store may have more shards than a process may have files."""

_inherited: list[OrderedDict[int, ShardReader]] = []
"""Readers of the process that this one was forked from: using or closing them here would disturb the library, so they are left alone."""


class Readers:
    """Readers of numbered shards, opened when they are asked for."""

    def __init__(self, open_reader: Callable[[int], ShardReader]) -> None:
        self._open_reader = open_reader
        self._begin()

    def _begin(self) -> None:
        self._process = os.getpid()
        self._lock = threading.Lock()
        self._open: OrderedDict[int, ShardReader] = OrderedDict()

    def read(self, number: int, field: str, rows: Sequence[int]) -> list[Buffer]:
        """Return the records of these rows of shard `number`, as `ShardReader.read` does."""
        self._leave_inherited()
        # Without the lock, a reader that makes room could be closed while another thread reads with it.
        with self._lock:
            return self._reader(number).read(field, rows)

    def close(self) -> None:
        """Close all readers; they are opened again when they are asked for."""
        self._leave_inherited()
        with self._lock:
            while self._open:
                self._open.popitem()[1].close()

    def _reader(self, number: int) -> ShardReader:
        if number not in self._open:
            while len(self._open) >= MOST_OPEN:
                self._open.popitem(last=False)[1].close()
            self._open[number] = self._open_reader(number)
        self._open.move_to_end(number)
        return self._open[number]

    def _leave_inherited(self) -> None:
        if self._process != os.getpid():
            _inherited.append(self._open)
            self._begin()
