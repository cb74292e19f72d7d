"""One timing: memory handed out before, no garbage collection of the bench's own inside."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from pixstore.bench.memory import hand_out_memory

Result = TypeVar("Result")


@dataclass(frozen=True)
class Timing:
    """Seconds on the clock, and seconds of CPU that all threads of this process used together."""

    seconds: float
    cpu_seconds: float


def timed(action: Callable[[], Result], pixel_bytes: int) -> tuple[Timing, Result]:
    """Return how long the action took, and its result. pixel_bytes: about what it reads or writes, decoded."""
    gc.collect()
    hand_out_memory(pixel_bytes)
    # What the bench itself holds is no business of a collection inside a way's loop.
    gc.freeze()
    cpu_started = time.process_time()
    started = time.perf_counter()
    result = action()
    seconds = time.perf_counter() - started
    return Timing(seconds, time.process_time() - cpu_started), result
