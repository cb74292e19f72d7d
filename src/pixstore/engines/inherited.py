"""Handles of libraries with threads of their own, across a fork: the child has the handle and not the threads.

Closing such a handle waits for its threads, so a child that forgets one hangs when it ends. The child keeps them all, for ever.
"""

from __future__ import annotations

import ctypes
import os
from typing import Any

_held: list[Any] = []


def hold(handle: Any) -> None:
    """Remember a handle until `release`: a process forked meanwhile neither closes nor forgets it."""
    _held.append(handle)


def release(handle: Any) -> None:
    """Forget a handle that was closed; nothing happens where it is not held."""
    _held[:] = [each for each in _held if each is not handle]


def _keep() -> None:
    for handle in _held:
        # One reference more than there are: not even the end of the interpreter brings the count to zero.
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(handle))
    _held.clear()


os.register_at_fork(after_in_child=_keep)
