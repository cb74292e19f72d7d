"""A process's memory of its own, apart from the page cache that all processes share, and its peak while something happens.

Linux counts both in /proc/PID/status (proc_pid_status(5)): RssAnon is what the process has filled itself and nobody else can use;
RssFile and RssShmem are what it has mapped of files on disk and of files that lie in memory, and shares. `ru_maxrss` knows neither: it
adds all, and a child begins with its parent's. Kernels before 6.17 count in batches: some hundred kB more or less are not told.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path

from pixstore.errors import DependencyError

INTERVAL_SECONDS = 0.001
KILOBYTE = 1024
"""The unit of /proc, which writes "kB" and means 1024 bytes."""


@dataclass(frozen=True)
class Memory:
    """What a process holds: bytes of its own, and bytes of files that it has mapped and that lie in memory anyway."""

    private_bytes: int
    mapped_bytes: int


def memory_of(process: int | str = "self") -> Memory:
    """Return what a process holds now. Raises DependencyError where the system does not tell, as others than Linux."""
    try:
        text = Path(f"/proc/{process}/status").read_text(encoding="utf-8")
        found = {name: value for name, _, value in (line.partition(":") for line in text.splitlines())}
        return Memory(_bytes(found["RssAnon"]), _bytes(found["RssFile"]) + _bytes(found["RssShmem"]))
    except (OSError, KeyError, ValueError) as error:
        raise DependencyError(f"/proc/{process}/status does not tell private memory ({error!r}); measured on Linux only") from error


def _bytes(value: str) -> int:
    number, unit = value.split()
    if unit != "kB":
        raise ValueError(f"memory in {unit!r}")
    return int(number) * KILOBYTE


class PeakSampler:
    """Looks at another process every millisecond from when it is entered until it is left; `peak` is the most that was seen.

    From outside, because inside a library that holds the interpreter's lock would keep the sampler from looking.
    """

    def __init__(self, process: int) -> None:
        self.peak = memory_of(process)
        self.samples = 1
        self._process = process
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look, name="pixstore-memory", daemon=True)

    def __enter__(self) -> PeakSampler:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._stop.wait(INTERVAL_SECONDS):
            try:
                now = memory_of(self._process)
            except DependencyError:
                # The process has ended; what was seen until then stays.
                return
            self.samples += 1
            self.peak = Memory(max(self.peak.private_bytes, now.private_bytes), max(self.peak.mapped_bytes, now.mapped_bytes))
