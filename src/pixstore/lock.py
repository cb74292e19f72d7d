"""One writer per store: a lock that the system lets go of when its process ends, however it ends.

It is flock on `.lock`, whose text says who has it: pid, host, since when, and what tells a process from a later one of the same number
(the machine's boot id, the process's start time). The text is for people; who holds the lock is for the system to say. So a file that a
killed writer left is no obstacle and never needs to be deleted: deleting it would let a second writer in beside a living one.
"""

from __future__ import annotations

import contextlib
import datetime
import errno
import fcntl
import json
import os
import re
import socket
import stat
import weakref
from dataclasses import asdict, dataclass
from pathlib import Path

from pixstore.disk import FULL, file_system, translated
from pixstore.errors import ReadOnlyError, StoreBusyError, UnsafeInputError

NAME = ".lock"
OPEN = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP}
MOST_BYTES = 4096


@dataclass(frozen=True)
class Owner:
    """Who wrote the text of a lock; `boot` and `started` are "" where the system does not tell them."""

    pid: int
    host: str
    since: str
    boot: str = ""
    started: str = ""

    @classmethod
    def of_this_process(cls) -> Owner:
        since = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        return cls(os.getpid(), socket.gethostname(), since, boot_id(), start_time(os.getpid()))

    @classmethod
    def parse(cls, text: bytes) -> Owner | None:
        """Return the owner that a lock's text names; None where it names none."""
        try:
            value = json.loads(text)
            return cls(int(value["pid"]), *(str(value.get(name, "")) for name in ("host", "since", "boot", "started")))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return None

    @property
    def is_elsewhere(self) -> bool:
        """Whether another machine, or a container that counts processes by itself, wrote this."""
        return self.host != socket.gethostname()

    @property
    def has_ended(self) -> bool:
        """Whether the process is surely gone: none has its number, or one that began at another time, or the machine was started anew."""
        if self.is_elsewhere:
            return False
        if self.boot and self.boot != boot_id():
            return True
        started = start_time(self.pid)
        return not Path("/proc", str(self.pid)).exists() if not started else bool(self.started) and started != self.started

    def __str__(self) -> str:
        return f"pid {self.pid} on {self.host}, since {self.since}"


def boot_id() -> str:
    """Return what names this start of the machine; "" where the system does not tell."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def start_time(pid: int) -> str:
    """Return when a process began, in clock ticks since the machine did; "" where there is none or the system does not tell."""
    try:
        data = Path("/proc", str(pid), "stat").read_bytes()
    except OSError:
        return ""
    # The name in parentheses may hold anything, parentheses too; 20 values follow it before the one we ask for.
    return data.rpartition(b")")[2].split()[19].decode()


class WriterLock:
    """Held from construction to `release`, or until nothing refers to it. A child made by fork does not have it."""

    def __init__(self, store: Path) -> None:
        """Take the lock.

        Raises StoreBusyError, naming who has it, where another writer does; ReadOnlyError where the store cannot be written or its file
        system has no locks; UnsafeInputError where a link or a special file stands in the lock's place.
        """
        path = store / NAME
        try:
            with translated(store):
                # A file object, not a bare descriptor: a writer that is dropped without being closed must not hold the lock for good.
                self._file = open(os.open(path, OPEN, 0o666), "r+b", buffering=0)  # noqa: SIM115
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.ENXIO):
                raise UnsafeInputError(f"{path}: is a link or no regular file, which no store has; remove it") from error
            raise
        # Before the lock is taken: a fork at any later moment finds it here.
        _locks.add(self)
        try:
            self._take(path)
        except BaseException:
            self.release()
            raise

    @property
    def is_held(self) -> bool:
        """Whether this process has the lock: not after `release`, nor in a child made by fork."""
        return not self._file.closed

    def release(self) -> None:
        """Let go; may be called more than once."""
        self._file.close()

    def _take(self, path: Path) -> None:
        if not stat.S_ISREG(os.fstat(self._file.fileno()).st_mode):
            raise UnsafeInputError(f"{path}: is no regular file, so no lock of ours; remove it")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StoreBusyError(f"{path.parent}: {_busy(path, Owner.parse(self._file.read(MOST_BYTES)))}") from error
        except OSError as error:
            if error.errno not in NO_LOCKS:
                raise
            kind = file_system(path) or "of unknown type"
            raise ReadOnlyError(
                error.errno,
                f"{path.parent}: its file system ({kind}) has no locks, so two writers would not know of each other; "
                "write elsewhere and copy the store here, or mount it with locks",
            ) from error
        if not path.exists() or not os.path.samestat(os.fstat(self._file.fileno()), path.stat()):
            raise StoreBusyError(f"{path.parent}: another writer has just removed it; run the same again")
        self._sign(path)

    def _sign(self, path: Path) -> None:
        text = json.dumps(asdict(Owner.of_this_process())).encode()
        try:
            with translated(path.parent):
                os.pwrite(self._file.fileno(), text, 0)
                self._file.truncate(len(text))
        except OSError as error:
            # Nobody is kept from freeing space by a disk that is full; the lock is ours without its text too.
            if error.errno not in FULL:
                raise
            self._file.truncate(0)


_locks: weakref.WeakSet[WriterLock] = weakref.WeakSet()


def _release_inherited() -> None:
    """In a child made by fork: close what would keep the parent's locks held after the parent has ended. The parent still has them."""
    for lock in list(_locks):
        lock.release()


os.register_at_fork(after_in_child=_release_inherited)


def _busy(path: Path, owner: Owner | None) -> str:
    """Return who has the lock, and what to do about it."""
    if owner is None:
        return "another writer has it (it has not said who it is); wait for it, or stop it"
    if owner.is_elsewhere:
        return (
            f"another writer has it ({owner}); wait for it, or stop it there. `ps -p {owner.pid}` on {owner.host} tells whether it "
            "still runs; if that machine is gone, its file server lets go of the lock by itself, usually within minutes. "
            f"Do not delete {path}: a second writer beside a living one would lose versions"
        )
    if owner.pid == os.getpid() and not owner.has_ended:
        return f"a writer of this very process has it ({owner}); close that one, wait for it, or write with it"
    if owner.has_ended:
        heirs = ", ".join(map(str, holders(path))) or "which ones cannot be told"
        return (
            f"its writer has ended ({owner}), but processes that it started still hold its lock (pid {heirs}); wait for them, or stop them"
        )
    return f"another writer has it ({owner}); wait for it, or stop it"


def holders(path: Path) -> list[int]:
    """Return the processes of this machine that have the file open and that we may look at, but for this one."""
    found = []
    try:
        wanted = path.stat()
        numbers = [int(name) for name in os.listdir("/proc") if re.fullmatch(r"\d+", name)]
    except OSError:
        return []
    for number in numbers:
        # Processes end, and others' are not ours to look at.
        with contextlib.suppress(OSError):
            folder = f"/proc/{number}/fd"
            if number != os.getpid() and any(_is_open_as(f"{folder}/{name}", wanted) for name in os.listdir(folder)):
                found.append(number)
    return sorted(found)


def _is_open_as(link: str, wanted: os.stat_result) -> bool:
    with contextlib.suppress(OSError):
        return os.path.samestat(os.stat(link), wanted)
    return False
