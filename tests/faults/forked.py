"""A function run in a forked child of its own: what it returned, what it raised, or the signal that ended it."""

from __future__ import annotations

import os
import pickle
import resource
import select
import signal
import time
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Reply:
    """How a child ended: `value` where it returned, `error` (a traceback) where it raised, else the `signal` that ended it."""

    value: Any = None
    error: str | None = None
    signal: int = 0

    @property
    def is_whole(self) -> bool:
        return self.error is None and not self.signal

    def __str__(self) -> str:
        return f"ended by {signal.Signals(self.signal).name}" if self.signal else self.error or repr(self.value)


def run_forked(function: Callable[..., Any], *arguments: Any, seconds: int = 60) -> Reply:
    """Return how the function ended in a forked child. One that takes longer than `seconds` is killed: a hang counts as a death."""
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        # Newer Pythons warn of forks beside threads. Children that survive them are what is tested here.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        _child(writing, function, arguments)
    os.close(writing)
    try:
        data = _everything(reading, time.monotonic() + seconds)
        if data is None:
            os.kill(child, signal.SIGKILL)
    finally:
        os.close(reading)
        status = os.waitpid(child, 0)[1]
    if os.WIFSIGNALED(status):
        return Reply(signal=os.WTERMSIG(status))
    return Reply(*pickle.loads(data)) if data else Reply(error=f"ended with status {status} and no word")


def _child(writing: int, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    """Run in the child; never returns."""
    # A thousand children that die must not leave a thousand core files.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        reply = (function(*arguments), None)
    except BaseException:
        reply = (None, traceback.format_exc())
    try:
        with open(writing, "wb") as pipe:
            pickle.dump(reply, pipe)
    finally:
        # Nothing of the parent (its buffers, its handlers at exit) may run twice.
        os._exit(0)


def _everything(descriptor: int, deadline: float) -> bytes | None:
    """Return all that comes until the other end closes; None where that takes too long."""
    parts = []
    while True:
        if not select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))[0]:
            return None
        part = os.read(descriptor, 1 << 16)
        if not part:
            return b"".join(parts)
        parts.append(part)
