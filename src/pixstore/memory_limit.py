"""How much memory this process may use: the machine's, or less where a control group (a container, a batch job) holds it down."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
OWN = Path("/proc/self/cgroup")
LIMITS = ("memory.max", "memory.high", "memory.limit_in_bytes")
"""Of version 2, and of version 1."""


def memory_limit(root: Path = ROOT, own: Path = OWN) -> int:
    """Return the bytes that all of this process's memory, page cache included, may take.

    The least of the machine's memory and the limits of the control groups that the process is in, which hold from each group up to
    the root (Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/memory.rst). Where a system tells none of it, there is no limit.
    """
    found = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for folder in _groups(root, own):
        found += [limit for name in LIMITS if (limit := _number(folder / name)) is not None]
    return min(found)


def _groups(root: Path, own: Path) -> list[Path]:
    """Return the folders of this process's groups and of all above them, those that count memory."""
    try:
        lines = own.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    found: list[Path] = []
    for line in lines:
        _, controllers, place = line.split(":", 2)
        if controllers and "memory" not in controllers.split(","):
            continue
        group = Path(place.strip("/"))
        tops = [root / "memory"] if controllers else [root, root / "unified"]
        # In a container the group's own folder may be the root of what is seen.
        found += [top / each for top in tops for each in (group, *group.parents)]
    return found


def _number(path: Path) -> int | None:
    try:
        text = path.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return None
    return int(text) if text.isdigit() else None
