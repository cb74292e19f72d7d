"""A child process that may use so much memory and no more, page cache included: a memory control group of its own, on Linux.

Version 1 (Documentation/admin-guide/cgroup-v1/memory.rst) and version 2 (cgroup-v2.rst), whichever has the memory controller and lets
this user make a group: below our own group, or, as version 2 allows no group to hold both processes and groups, below one above it that
hands the controller down. Pages of files count for the group that first touches them, so files must be cold before (bench/residency.py).
"""

from __future__ import annotations

import errno
import itertools
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

from pixstore.errors import PixstoreError, WorkerDiedError

MOST_SECONDS = 120.0
REMOVAL_SECONDS = 2.0
SIGKILLED = -9
ENTER = "import os, sys; open(sys.argv[1], 'w').write('0'); os.execv(sys.executable, [sys.executable, *sys.argv[2:]])"
"""The child enters the group and only then becomes the program: all its memory is counted."""
PROGRAM = """
import json, os, sys
sys.path[:] = {path!r}
from {module} import {name} as function
answer = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)  # What a library prints must not be taken for the answer.
try:
    said = {{"value": function(json.load(sys.stdin))}}
except Exception as error:
    said = {{"error": type(error).__name__ + ": " + str(error)}}
json.dump(said, answer)
answer.close()
"""
"""The child's own text: were it a function of this module, every child would load the whole bench."""
_NUMBERS = itertools.count()

Version: TypeAlias = Literal[1, 2]


class GroupUnavailableError(PixstoreError):
    """This system does not let this user limit a process's memory."""


class OutOfMemoryError(PixstoreError):
    """The memory that a group allows did not suffice: the system ended the process."""


@dataclass(frozen=True)
class Files:
    """The names of a version's files."""

    limit: str
    swap_limit: str
    peak: str
    events: str
    event: str
    """In `events`, the line that counts processes ended for lack of memory."""


FILES: dict[Version, Files] = {
    1: Files("memory.limit_in_bytes", "memory.memsw.limit_in_bytes", "memory.max_usage_in_bytes", "memory.oom_control", "oom_kill"),
    2: Files("memory.max", "memory.swap.max", "memory.peak", "memory.events", "oom_kill"),
}


@dataclass(frozen=True)
class Ran:
    """What a function returned in the group, and the most memory the group has used, page cache included; None where not told."""

    value: Any
    peak_bytes: int | None


@dataclass(frozen=True)
class Group:
    """A group that exists; `run` puts processes into it."""

    path: Path
    version: Version
    limit_bytes: int

    def run(self, function: Callable[[Any], Any], request: Any, *, seconds: float = MOST_SECONDS) -> Ran:
        """Return `function(request)`, run in a fresh interpreter in this group.

        function: a top-level function of an importable module; what it gets and returns goes through JSON. Raises OutOfMemoryError
        where the limit did not suffice, WorkerDiedError where the process failed (with its words), died or took longer than `seconds`.
        """
        killed_before = self._killed()
        command = [sys.executable, "-I", "-S", "-c", ENTER, str(self.path / "cgroup.procs"), "-I", "-B", "-c", _program(function)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            try:
                answer, words = process.communicate(json.dumps(request), timeout=seconds)
            except subprocess.TimeoutExpired as error:
                raise WorkerDiedError(f"the process with limited memory did not end within {seconds:.0f} s") from error
            finally:
                process.kill()
        if self._killed() > killed_before or (process.returncode == SIGKILLED and self._killed() < 0):
            raise OutOfMemoryError(f"{self.limit_bytes:,} bytes of memory did not suffice: the system ended the process")
        if process.returncode != 0:
            last = words.strip().splitlines()[-1:] or ["it said nothing"]
            raise WorkerDiedError(f"the process with limited memory ended with status {process.returncode}: {last[0]}")
        said = json.loads(answer)
        if "error" in said:
            raise WorkerDiedError(f"in the process with limited memory: {said['error']}")
        return Ran(said["value"], self._number(FILES[self.version].peak))

    def _killed(self) -> int:
        """Return how many processes were ended for lack of memory, -1 where the kernel does not count them."""
        names = FILES[self.version]
        with suppress(OSError):
            for line in (self.path / names.events).read_text(encoding="ascii").splitlines():
                name, _, value = line.partition(" ")
                if name == names.event:
                    return int(value)
        return -1

    def _number(self, name: str) -> int | None:
        try:
            return int((self.path / name).read_text(encoding="ascii"))
        except (OSError, ValueError):
            return None


@contextmanager
def limited(limit_bytes: int) -> Iterator[Group]:
    """Yield a group whose processes may use so many bytes together; it is removed at the end, whatever happens.

    Raises GroupUnavailableError, saying why, where this system or its rights do not allow it.
    """
    version, parent = _parent()
    path = parent / f"pixstore-{os.getpid()}-{next(_NUMBERS)}"
    try:
        path.mkdir()
    except OSError as error:
        raise GroupUnavailableError(
            f"no memory group can be made in {parent} ({error.strerror}): it takes root or a delegated group"
        ) from error
    try:
        _set_limit(path, version, limit_bytes)
        yield Group(path, version, limit_bytes)
    finally:
        _remove(path)


def unavailable() -> str | None:
    """Return why no process's memory can be limited here, None where it can."""
    try:
        with limited(1 << 30):
            return None
    except GroupUnavailableError as error:
        return str(error)


def _program(function: Callable[[Any], Any]) -> str:
    places = [os.path.abspath(each) for each in sys.path]
    return PROGRAM.format(path=places, module=function.__module__, name=function.__name__)


def _set_limit(path: Path, version: Version, limit_bytes: int) -> None:
    names = FILES[version]
    try:
        (path / names.limit).write_text(str(limit_bytes))
    except OSError as error:
        raise GroupUnavailableError(f"the memory of {path} cannot be limited ({error.strerror})") from error
    # No swap beside the memory; a kernel without swap accounting has no such file.
    if (path / names.swap_limit).exists():
        (path / names.swap_limit).write_text(str(limit_bytes if version == 1 else 0))


def _remove(path: Path) -> None:
    """Remove a group whose processes have ended; the kernel may take a moment to see that they have."""
    with suppress(OSError):
        # Version 1: the page cache that the group leaves is given up with it.
        (path / "memory.force_empty").write_text("0")
    give_up = time.monotonic() + REMOVAL_SECONDS
    while True:
        try:
            path.rmdir()
            return
        except FileNotFoundError:
            return
        except OSError as error:
            if error.errno != errno.EBUSY or time.monotonic() > give_up:
                raise
            time.sleep(0.01)


def _parent() -> tuple[Version, Path]:
    """Return the folder that a group can be made in. Raises GroupUnavailableError."""
    try:
        own = Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines()
        mounts = Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise GroupUnavailableError("this system has no memory groups: they are Linux's") from error
    places = {
        "memory" if number != "0" else "": group for number, names, group in _split(own) if number == "0" or "memory" in names.split(",")
    }
    for line in mounts:
        left, _, right = line.partition(" - ")
        kind, _, options = right.split(" ", 2)
        root, point = left.split()[3:5]
        if kind == "cgroup" and "memory" in options.split(",") and "memory" in places:
            return 1, _folder(point, root, places["memory"])
    for line in mounts:
        left, _, right = line.partition(" - ")
        root, point = left.split()[3:5]
        if right.startswith("cgroup2 ") and "" in places:
            return 2, _handing_down(Path(point), _folder(point, root, places[""]))
    raise GroupUnavailableError("no memory groups are mounted here (/sys/fs/cgroup)")


def _split(lines: list[str]) -> Iterator[tuple[str, str, str]]:
    for line in lines:
        number, names, group = line.split(":", 2)
        yield number, names, group


def _folder(point: str, root: str, group: str) -> Path:
    """Return where a group lies below its mount; the mount itself where a container shows no more of the path."""
    inside = group.removeprefix(root.rstrip("/")).strip("/")
    folder = Path(point, inside)
    return folder if folder.is_dir() else Path(point)


def _handing_down(top: Path, own: Path) -> Path:
    """Return our own group, or the nearest above it, that hands the memory controller down to groups in it."""
    for folder in (own, *own.parents):
        with suppress(OSError):
            if "memory" in (folder / "cgroup.subtree_control").read_text(encoding="ascii").split() and os.access(folder, os.W_OK):
                return folder
        if folder == top:
            break
    raise GroupUnavailableError(f"no group at or above {own} hands the memory controller down to this user (cgroup.subtree_control)")
