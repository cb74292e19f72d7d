"""An operation in a child process that can be killed; what it acknowledged reaches the parent by a socket, one line per step."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

HANG_SECONDS = 60.0


@dataclass(frozen=True)
class Ending:
    """How an attempt ended: how many steps it acknowledged; `finished`, the error it raised, or the signal that ended it."""

    acknowledged: int
    finished: bool
    error: dict[str, Any] | None
    signal: int
    hung: bool = False

    def __str__(self) -> str:
        if self.error:
            return f"{self.acknowledged} steps acknowledged, then {self.error['text']}"
        how = "hung" if self.hung else "finished" if self.finished else f"ended by signal {self.signal}"
        return f"{self.acknowledged} steps acknowledged, {how}"


class Attempt:
    """A forked child that waits for `begin`, runs `function(acknowledge)` and says how it went."""

    def __init__(self, function: Callable[[Callable[[int], None]], None]) -> None:
        # A socket, not a pipe: send() is none of the system calls that faults are injected into, write() is one.
        self._socket, theirs = socket.socketpair()
        self.acknowledged = -1
        self._data = b""
        self._ended = False
        self.pid = os.fork()
        if self.pid == 0:
            self._socket.close()
            _child(theirs, function)
        theirs.close()

    def begin(self) -> None:
        self._socket.send(b"!")

    def wait(self, *, seconds: float = HANG_SECONDS, steps: int | None = None) -> bool:
        """Read until so many steps are acknowledged, the child ended, or time is up; return whether it still runs.

        With 0 steps that is the moment when the operation is about to do its first.
        """
        until = time.perf_counter() + seconds
        while not self._ended and (steps is None or self.acknowledged < steps):
            if not select.select([self._socket], [], [], max(0.0, until - time.perf_counter()))[0]:
                break
            self._read()
        return not self._ended

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)

    def end(self, seconds: float = HANG_SECONDS) -> Ending:
        """Wait for the end, with what was sent before it; a child that takes longer is killed and called hung."""
        hung = self.wait(seconds=seconds)
        if hung:
            self.kill()
            while not self._ended:
                self._read()
        status = os.waitpid(self.pid, 0)[1]
        self._socket.close()
        lines = [json.loads(line) for line in self._data.splitlines()]
        error = next((line for line in lines if isinstance(line, dict)), None)
        return Ending(max(self.acknowledged, 0), "done" in lines, error, os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0, hung)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._socket.fileno() >= 0:
            self.kill()
            self.end()

    def _read(self) -> None:
        try:
            data = self._socket.recv(1 << 16)
        except ConnectionResetError:
            # The child died with our signal to begin unread.
            data = b""
        self._ended = not data
        self._data += data
        whole = self._data[: self._data.rfind(b"\n") + 1]
        self.acknowledged = max((line for line in map(json.loads, whole.splitlines()) if isinstance(line, int)), default=-1)


def _child(socket_: socket.socket, function: Callable[[Callable[[int], None]], None]) -> None:
    """Run in the child; never returns."""
    try:
        os.setpgid(0, 0)
        if socket_.recv(1):
            function(lambda steps: socket_.sendall(b"%d\n" % steps))
            socket_.sendall(b'"done"\n')
    except BaseException as error:
        socket_.sendall(json.dumps(_described(error)).encode() + b"\n")
    finally:
        # Nothing of the parent (its buffers, its handlers at exit) may run twice.
        os._exit(0)


def _described(error: BaseException) -> dict[str, Any]:
    return {
        "kinds": [each.__name__ for each in type(error).__mro__],
        "errno": getattr(error, "errno", None),
        "text": f"{type(error).__name__}: {error}",
        "traceback": traceback.format_exc(),
    }
