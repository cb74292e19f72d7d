"""How many bytes this process has had written, as Linux counts them: pages of files that it made dirty.

`write_bytes` of /proc/self/io (proc_pid_io(5)) grows when a clean page is written to, also through a map: a page written twice before
it has reached the disk counts once, one that is written again afterwards counts again. So nothing needs to be flushed for it to be
counted. What the file system writes for itself, its journal, inodes and folders, is not in it, nor what lies in memory only (tmpfs).
"""

from __future__ import annotations

from pathlib import Path

COUNTERS = Path("/proc/self/io")
FIELD = "write_bytes:"


def written_bytes() -> int | None:
    """Return the bytes that all threads of this process have had written so far, None where the system does not count them."""
    try:
        lines = COUNTERS.read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    return next((int(line.removeprefix(FIELD)) for line in lines if line.startswith(FIELD)), None)
