"""What the reference is made of, and how many CPUs it may use."""

from __future__ import annotations

import os
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import PIL
import xxhash


def info() -> dict[str, Any]:
    """Return the same entries as the native core's info()."""
    libraries = {"numpy": np.__version__, "pillow": PIL.__version__, "xxhash": xxhash.VERSION, "zlib": zlib.ZLIB_RUNTIME_VERSION}
    return {"version": "reference", "profile": "release", "simd": "none", "libraries": libraries}


def release(folder: str) -> None:
    """Let go of nothing: no file is kept open from one call to the next."""


def usable_cpus() -> int:
    """Return how many CPUs this process may use: affinity mask and cgroup quota, at least 1."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text(encoding="ascii").split()
    except (OSError, ValueError):
        return allowed
    return allowed if quota == "max" else max(1, min(allowed, int(quota) // int(period)))
