"""Files stay closed: no more of them open at once than the limit, none after the call."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from pixstore.reference import places


def test_no_file_is_open_after_a_call(tmp_path: Path) -> None:
    paths = [str(tmp_path / f"{number}") for number in range(places.OPEN_FILES + 5)]
    for path in paths:
        Path(path).write_bytes(b"abc")
    before = len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").exists() else 0
    zeros = np.zeros(len(paths), np.int64)
    found, failures = places.fetch((paths, np.arange(len(paths), dtype=np.uint32), zeros, zeros - 1))
    assert (found, failures) == ([b"abc"] * len(paths), [])
    assert (len(os.listdir("/proc/self/fd")) if before else 0) == before
