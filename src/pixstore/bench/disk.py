"""Disk use of a folder."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from pixstore.bench.measurements import Bytes

BLOCK_BYTES = 512
"""The unit of `st_blocks`, whatever the file system's own blocks are."""


def usage(folder: Path) -> Bytes:
    """Return lengths and allocated blocks of all files in the folder, and of its sub-folders themselves."""
    apparent = allocated = 0
    for place, folders, files in os.walk(folder):
        for name in files:
            status = os.lstat(os.path.join(place, name))
            apparent += status.st_size
            allocated += status.st_blocks * BLOCK_BYTES
        for name in folders:
            allocated += os.lstat(os.path.join(place, name)).st_blocks * BLOCK_BYTES
    return Bytes(apparent, allocated + os.lstat(folder).st_blocks * BLOCK_BYTES)


def usage_of(files: Iterable[str]) -> Bytes:
    """Return lengths and allocated blocks of these files, each as often as it is named."""
    known: dict[str, os.stat_result] = {}
    apparent = allocated = 0
    for path in files:
        if path not in known:
            known[path] = os.stat(path)
        status = known[path]
        apparent += status.st_size
        allocated += status.st_blocks * BLOCK_BYTES
    return Bytes(apparent, allocated)
