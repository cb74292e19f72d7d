"""Take rights and resources from this very process, for good: what a child does before it looks at a foreign file.

Limits of the system (memory, processor time, open files, no written file, no core file) hold everywhere. On Linux with Landlock the
process can read nothing but what it is given and the installed code, run no program, and open no TCP connection; it ends with its parent.
Landlock's numbers and structures: include/uapi/linux/landlock.h of the Linux kernel, versions 1 to 7 of its interface.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import struct
import sys
from collections.abc import Iterable, Sequence

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
ASK_VERSION = 1
PATH_BENEATH = 1
READ_FILE, READ_FOLDER = 1 << 2, 1 << 3
RIGHTS_BY_VERSION = {1: 1 << 13, 2: 1 << 14, 3: 1 << 15, 5: 1 << 16}
"""From this version on, the rights that can be taken are all bits below this one."""
TCP_BIND_AND_CONNECT = 3
SIGNALS_AND_ABSTRACT_SOCKETS = 3
SET_PARENT_DEATH_SIGNAL, SET_NO_NEW_PRIVILEGES = 1, 38
MOST_OPEN_FILES = 64


def confine(readable: Sequence[str], *, memory_bytes: int, cpu_seconds: int) -> list[str]:
    """Limit this process; return what this system could not do, as words for a note.

    memory_bytes: what may be taken on top of what the process has. readable: the only files and folders that can be read from now on,
    beside the folders that modules come from.
    """
    missing = [words for words, is_done in _limited(memory_bytes, cpu_seconds) if not is_done]
    if not sys.platform.startswith("linux"):
        return [*missing, "access to other files and to the network"]
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall.restype = ctypes.c_long
    if libc.prctl(SET_PARENT_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0):
        missing.append("its life after its parent's")
    if not _fenced(libc, readable):
        missing.append("access to other files and to the network")
    return missing


def _limited(memory_bytes: int, cpu_seconds: int) -> Iterable[tuple[str, bool]]:
    # A second more than the soft limit: the signal that says so can be told from SIGKILL.
    yield "processor time", _limit(resource.RLIMIT_CPU, cpu_seconds, cpu_seconds + 1)
    yield "open files", _limit(resource.RLIMIT_NOFILE, MOST_OPEN_FILES, MOST_OPEN_FILES)
    yield "written files", _limit(resource.RLIMIT_FSIZE, 0, 0)
    yield "core files", _limit(resource.RLIMIT_CORE, 0, 0)
    most = _address_space() + memory_bytes
    yield "memory", _limit(resource.RLIMIT_AS, most, most)


def _limit(kind: int, soft: int, hard: int) -> bool:
    """Set a limit, never above what is allowed already; return whether it holds."""
    allowed = resource.getrlimit(kind)[1]
    if allowed != resource.RLIM_INFINITY:
        soft, hard = min(soft, allowed), min(hard, allowed)
    try:
        resource.setrlimit(kind, (soft, hard))
    except (OSError, ValueError):
        return False
    return True


def _address_space() -> int:
    """Return how many bytes of addresses the process has taken; 0 where the system does not say."""
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[0]) * resource.getpagesize()
    except OSError:
        return 0


def landlock_version() -> int:
    """Return the version of this kernel's Landlock, 0 where it has none."""
    if not sys.platform.startswith("linux"):
        return 0
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall.restype = ctypes.c_long
    return max(0, int(libc.syscall(CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(ASK_VERSION))))


def _fenced(libc: ctypes.CDLL, readable: Sequence[str]) -> bool:
    """Leave this process nothing but reading of these places and of installed code; return whether the kernel can."""
    version = landlock_version()
    if not version:
        return False
    rights = RIGHTS_BY_VERSION[max(each for each in RIGHTS_BY_VERSION if each <= version)] - 1
    attributes = struct.pack("<QQQ", rights, TCP_BIND_AND_CONNECT, SIGNALS_AND_ABSTRACT_SOCKETS)
    size = 24 if version >= 6 else 16 if version >= 4 else 8
    ruleset = libc.syscall(CREATE_RULESET, attributes, ctypes.c_size_t(size), ctypes.c_uint32(0))
    if ruleset < 0:
        return False
    try:
        given = all([_allowed(libc, ruleset, path) for path in (*readable, *filter(os.path.isdir, sys.path))])
        return (
            given and libc.prctl(SET_NO_NEW_PRIVILEGES, 1, 0, 0, 0) == 0 and libc.syscall(RESTRICT_SELF, ruleset, ctypes.c_uint32(0)) == 0
        )
    finally:
        os.close(ruleset)


def _allowed(libc: ctypes.CDLL, ruleset: int, path: str) -> bool:
    rights = READ_FILE | READ_FOLDER if os.path.isdir(path) else READ_FILE
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        # What is not there cannot be read either.
        return True
    try:
        rule = struct.pack("<Qi", rights, descriptor)
        return bool(libc.syscall(ADD_RULE, ruleset, PATH_BENEATH, rule, ctypes.c_uint32(0)) == 0)
    finally:
        os.close(descriptor)
