"""What data lies on — memory, a disk that turns, one that does not, a network — and how much of files the system can keep in memory."""

from __future__ import annotations

import os
import re
from pathlib import Path

from pixstore.bench.advice.figures import Medium
from pixstore.disk import file_system, is_network
from pixstore.memory_limit import OWN, ROOT, memory_limit

IN_MEMORY = ("tmpfs", "ramfs")
BLOCK_DEVICES = Path("/sys/dev/block")
MEMORY_INFO = Path("/proc/meminfo")
VIRTUAL = re.compile(r"(vd|xvd)[a-z]+\Z")
"""Disks of virtual machines: they are told to turn whatever they lie on."""
MEMORY_PART = 0.8
"""Of the memory that is free or can be freed: the rest is the training program's own."""


def medium_of(path: Path) -> Medium:
    """Return what this path (or the nearest folder above it that is there) lies on, "unknown" where the system does not tell."""
    place = next(each for each in (path.absolute(), *path.absolute().parents) if each.exists())
    if is_network(place):
        return "network"
    if file_system(place) in IN_MEMORY:
        return "memory"
    device = place.stat().st_dev
    return of_device(BLOCK_DEVICES / f"{os.major(device)}:{os.minor(device)}")


def of_device(entry: Path) -> Medium:
    """Return what a block device's entry in /sys says: `queue/rotational` of the disk, or of the disk that a partition is part of."""
    disk = entry.resolve()
    for place in (disk, disk.parent):
        try:
            turns = (place / "queue" / "rotational").read_text(encoding="ascii").strip()
        except OSError:
            continue
        if turns == "1":
            return "unknown" if VIRTUAL.match(place.name) else "disk"
        return "ssd"
    return "unknown"


def memory_bytes(root: Path = ROOT, own: Path = OWN) -> int:
    """Return how many bytes of files can stay in memory while a training program runs, in the control groups it is in."""
    return int(min(_available(), memory_limit(root, own)) * MEMORY_PART)


def _available() -> int:
    """Return the memory that is free or can be freed (MemAvailable of proc(5)), all there is where that is not told."""
    try:
        found = re.search(r"^MemAvailable:\s+(\d+) kB", MEMORY_INFO.read_text(encoding="ascii"), re.MULTILINE)
    except OSError:
        found = None
    return int(found[1]) * 1024 if found else os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
