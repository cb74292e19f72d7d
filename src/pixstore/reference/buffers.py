"""Buffers as bytes, one buffer as slots, and the images in between."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pixstore.headers import RecordFailedError

Buffer: TypeAlias = bytes | bytearray | memoryview | NDArray[Any]
Bytes: TypeAlias = NDArray[np.uint8]
Samples: TypeAlias = NDArray[Any]
"""H·W·C, uint8 or uint16."""


def as_bytes(buffer: Buffer) -> Bytes:
    """Return the same memory as one axis of bytes."""
    return buffer.reshape(-1).view(np.uint8) if isinstance(buffer, np.ndarray) else np.frombuffer(buffer, np.uint8)


def slots_of(buffers: Buffer | list[Buffer], count: int) -> list[Bytes]:
    """Return the memory of each record. Raises ValueError where buffers and records do not fit each other."""
    if isinstance(buffers, list):
        if len(buffers) != count:
            raise ValueError(f"{len(buffers)} buffers for {count} records")
        return [as_bytes(each) for each in buffers]
    whole = as_bytes(buffers)
    if whole.size % (count or 1):
        raise ValueError(f"a buffer of {whole.size} bytes does not divide into {count} equal slots")
    return list(whole.reshape(count, whole.size // count)) if count else []


def needs_bytes(pixels: Samples, step: str) -> None:
    """Raise RecordFailedError where samples have 2 bytes."""
    if pixels.dtype != np.uint8:
        raise RecordFailedError("unsupported", f"{step} takes samples of 8 bits, not {8 * pixels.itemsize}")
