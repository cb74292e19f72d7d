"""Batch buffers that are used again: memory that was written before needs no page faults.

An array from the pool owns its buffer for as long as it, or anything made from it without a copy, is alive; then the buffer goes back.
A user who keeps an array keeps his pixels.
"""

from __future__ import annotations

import math
import threading
from collections import deque
from typing import Any

import numpy as np
from numpy.typing import NDArray

ALIGNMENT_BYTES = 64
"""A cache line, and the widest vector."""
KEPT_BYTES = 256 << 20
"""Above this, buffers that come back are let go."""


class BufferPool:
    """Hands out arrays in buffers of earlier ones; may be used by many threads, and arrays may die in any."""

    def __init__(self, kept_bytes: int = KEPT_BYTES) -> None:
        self._kept_bytes = kept_bytes
        self._free: dict[int, deque[NDArray[np.uint8]]] = {}
        self._free_bytes = 0
        # A lock that may be taken again by its holder: an array can die at any bytecode, also inside this pool.
        self._lock = threading.RLock()

    def array(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
        """Return an array, 64-byte aligned and C-contiguous, whose content is whatever was there before."""
        size = math.prod(shape) * dtype.itemsize
        if size == 0:
            return np.empty(shape, dtype)
        # A view keeps alive what it looks at: the lease, not the buffer.
        leased = np.asarray(_Lease(self, self._taken(_rounded(size)), size))
        return leased.view(dtype).reshape(shape)

    @property
    def free_bytes(self) -> int:
        """How many bytes wait to be used again."""
        return self._free_bytes

    def _taken(self, size: int) -> NDArray[np.uint8]:
        with self._lock:
            waiting = self._free.get(size)
            if waiting:
                self._free_bytes -= size
                return waiting.pop()
        whole = np.empty(size + ALIGNMENT_BYTES, np.uint8)
        start = -whole.ctypes.data % ALIGNMENT_BYTES
        return whole[start : start + size]

    def give_back(self, buffer: NDArray[np.uint8]) -> None:
        """Take a buffer whose last array has died."""
        with self._lock:
            if self._free_bytes + len(buffer) <= self._kept_bytes:
                self._free.setdefault(len(buffer), deque()).append(buffer)
                self._free_bytes += len(buffer)


class _Lease:
    """What an array from the pool keeps alive; its end is the end of the array."""

    def __init__(self, pool: BufferPool, buffer: NDArray[np.uint8], size: int) -> None:
        self._pool = pool
        self._buffer = buffer
        self.__array_interface__ = {"version": 3, "data": (buffer.ctypes.data, False), "shape": (size,), "typestr": "|u1"}

    def __del__(self) -> None:
        self._pool.give_back(self._buffer)


def _rounded(size: int) -> int:
    """Return a size that batches of nearly the same bytes share: an eighth of a power of two at most above what is needed."""
    step = max(4096, 1 << max(0, size.bit_length() - 4))
    return -(-size // step) * step
