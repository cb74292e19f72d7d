"""What part of files lies in memory (the page cache), and how to make them cold or warm, without special rights.

Told by cachestat(2) (Linux 6.5), else by mincore(2), of which Linux 5.0 and later say nothing about files that one may not write
("mincore: pretend all resident"); elsewhere it cannot be told, and nothing is made cold. Cold means: out of this system's page cache.
Directory entries and inodes stay in memory, and so may the data itself in the disk or in the host of a virtual machine.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import stat
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

PAGE_BYTES = mmap.PAGESIZE
CACHESTAT = 451
"""The call's number, the same on every architecture (include/uapi/asm-generic/unistd.h)."""
WAIT_BEFORE, WRITE, WAIT_AFTER = 1, 2, 4
MEMORY_FILE_SYSTEMS = ("tmpfs", "ramfs", "hugetlbfs", "rootfs")
COLD_PART = 0.01
"""Files of which no more than this part lies in memory count as cold: a page or two may have been touched by others."""
READ_BYTES = 1 << 20
UNKNOWN = "unknown"

_LIBC = ctypes.CDLL(None, use_errno=True)


class _Range(ctypes.Structure):
    _fields_ = [("offset", ctypes.c_uint64), ("length", ctypes.c_uint64)]


class _Counts(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint64) for name in ("cached", "dirty", "written_back", "evicted", "recently_evicted")]


@dataclass(frozen=True)
class FilePages:
    """How many pages a file has by its length, and how many of them lie in memory; None where this system does not tell."""

    pages: int
    resident: int | None
    method: str = UNKNOWN
    unwritten: int = 0
    """Of those in memory, pages that the disk does not have yet; 0 where only mincore counts."""


@dataclass(frozen=True)
class Residency:
    """What part of files lies in memory.

    by_file: each regular file that is there. stayed: after `make_cold`, a line for each file whose pages would not leave, with why.
    """

    by_file: Mapping[str, FilePages]
    stayed: tuple[str, ...] = ()

    @property
    def method(self) -> str:
        """How it was told: "cachestat", "mincore", both, or "unknown"."""
        return " and ".join(sorted({each.method for each in self.by_file.values() if each.pages})) or UNKNOWN

    @property
    def pages(self) -> int:
        return sum(each.pages for each in self.by_file.values())

    @property
    def resident(self) -> int | None:
        """Pages in memory; None where that cannot be told of some file."""
        found = [each.resident for each in self.by_file.values()]
        return None if None in found else sum(each for each in found if each is not None)

    @property
    def part(self) -> float | None:
        """Resident of all pages, 0 to 1; None where it cannot be told, or where there are no pages."""
        return None if self.resident is None or not self.pages else self.resident / self.pages

    @property
    def is_cold(self) -> bool:
        """Whether it is known that next to nothing lies in memory."""
        return self.part is not None and self.part <= COLD_PART


def files_below(place: Path) -> list[str]:
    """Return every file in this folder and its sub-folders; the path itself where it is a file."""
    if not place.is_dir():
        return [str(place)]
    return sorted(os.path.join(folder, name) for folder, _, names in os.walk(place) for name in names)


def residency(paths: Iterable[str | Path]) -> Residency:
    """Return what part of these files lies in memory. What is not there (any more), and what is no regular file, is left out."""
    return Residency({path: found for path in _distinct(paths) if (found := _looked_at(path)) is not None})


def make_cold(paths: Iterable[str | Path]) -> Residency:
    """Write what is unwritten of these files, drop their pages from memory, and return what is still there, and why.

    A page leaves only if it is clean and nobody has it mapped, locked or in use. Nothing changes where the system has no such call.
    """
    names = _distinct(paths)
    if sys.platform != "linux":
        return residency(names)
    for name in names:
        # All begin to write before the first is waited for.
        _opened(name, _begin_writing)
    for name in names:
        _opened(name, _drop)
    found = residency(names)
    # Pages that another CPU had just put in its list, or a file system whose data sync_file_range leaves, get a second chance.
    for name in [name for name, each in found.by_file.items() if each.resident]:
        _opened(name, _sync_and_drop)
    found = residency(names)
    return replace(found, stayed=tuple(f"{name}: {_reason(name, each)}" for name, each in found.by_file.items() if each.resident))


def make_warm(paths: Iterable[str | Path]) -> Residency:
    """Read these files from end to end, so that they lie in memory as far as it suffices; return what does."""
    names = _distinct(paths)
    buffer = bytearray(READ_BYTES)
    for name in names:
        try:
            with open(name, "rb", buffering=0) as file:
                while file.readinto(buffer):
                    pass
        except (FileNotFoundError, IsADirectoryError):
            continue
    return residency(names)


def read_from_disk() -> int | None:
    """Return the bytes that this process has made the disk read so far; None where the system does not count them.

    The kernel counts what it fetched for the process, read-ahead included (Documentation/filesystems/proc.rst, read_bytes).
    """
    try:
        lines = Path("/proc/self/io").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) for line in lines if line.startswith("read_bytes:")), None)


def counted_by_cachestat(descriptor: int, size: int) -> FilePages | None:
    """Return the pages of an open file of this many bytes; None where the call is missing, forbidden or knows no such file."""
    whole, counts = _Range(0, 0), _Counts()
    if _LIBC.syscall(ctypes.c_long(CACHESTAT), descriptor, ctypes.byref(whole), ctypes.byref(counts), ctypes.c_uint(0)) != 0:
        return None
    pages = _pages(size)
    return FilePages(pages, min(counts.cached, pages), "cachestat", counts.dirty + counts.written_back)


def counted_by_mincore(descriptor: int, size: int) -> FilePages | None:
    """Return the pages of an open file of this many bytes; None where the kernel would not tell the truth about it."""
    if not _may_be_asked(descriptor):
        return None
    pages = _pages(size)
    try:
        with mmap.mmap(descriptor, size, prot=mmap.PROT_READ) as mapped:
            is_resident = np.zeros(pages, np.uint8)
            address = np.frombuffer(mapped, np.uint8).ctypes.data
            status = _LIBC.mincore(ctypes.c_void_p(address), ctypes.c_size_t(size), ctypes.c_void_p(is_resident.ctypes.data))
    except (OSError, ValueError):
        return None
    return None if status != 0 else FilePages(pages, int((is_resident & 1).sum()), "mincore")


def _may_be_asked(descriptor: int) -> bool:
    """Return whether the kernel tells this user where the file's pages are: its owner, and who may write it."""
    return os.geteuid() in (0, os.fstat(descriptor).st_uid) or os.access(f"/proc/self/fd/{descriptor}", os.W_OK)


def _looked_at(path: str) -> FilePages | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    if not stat.S_ISREG(status.st_mode):
        return None
    if status.st_size == 0 or sys.platform != "linux":
        return FilePages(_pages(status.st_size), None if status.st_size else 0)
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError:
        return FilePages(_pages(status.st_size), None)
    try:
        counted = counted_by_cachestat(descriptor, status.st_size) or counted_by_mincore(descriptor, status.st_size)
    finally:
        os.close(descriptor)
    return counted or FilePages(_pages(status.st_size), None)


def _opened(path: str, action: Callable[[int], None]) -> None:
    """Do something with a regular file; one that is not there or must not be read is left as it is, which its residency shows."""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            return
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return
    try:
        action(descriptor)
    finally:
        os.close(descriptor)


def _begin_writing(descriptor: int) -> None:
    _write_out(descriptor, WRITE)


def _drop(descriptor: int) -> None:
    _write_out(descriptor, WAIT_BEFORE | WRITE | WAIT_AFTER)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)


def _sync_and_drop(descriptor: int) -> None:
    os.fsync(descriptor)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)


def _write_out(descriptor: int, flags: int) -> None:
    # Only the pages, not the journal, nor the disk's own cache: a thousand files would cost a thousand flushes. Whether it
    # did what was asked is seen in the residency.
    _LIBC.sync_file_range(descriptor, ctypes.c_int64(0), ctypes.c_int64(0), ctypes.c_uint(flags))


def _reason(path: str, pages: FilePages) -> str:
    kept = f"{pages.resident:,} of {pages.pages:,} pages stayed"
    system = _file_system(path)
    if system in MEMORY_FILE_SYSTEMS:
        return f"{kept}: it lies on {system}, which is memory"
    if pages.unwritten:
        return f"{kept}: {pages.unwritten:,} are not written to the disk yet"
    return f"{kept}: somebody has them mapped, locked or in use"


def _file_system(path: str) -> str:
    """Return the type of the file system that a file lies on, by its device's number."""
    try:
        device = os.stat(path).st_dev
        lines = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return UNKNOWN
    number = f"{os.major(device)}:{os.minor(device)}"
    return next((line.partition(" - ")[2].split()[0] for line in lines if line.split()[2] == number), UNKNOWN)


def _distinct(paths: Iterable[str | Path]) -> list[str]:
    return list(dict.fromkeys(os.fspath(path) for path in paths))


def _pages(size: int) -> int:
    return -(-size // PAGE_BYTES)
