"""What a process asks the system for, as strace tells it: calls in order, with the paths they mean."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

STRACE = shutil.which("strace")
WRITES = ("write", "writev", "pwrite64", "pwritev", "pwritev2", "ftruncate", "truncate", "fallocate", "copy_file_range", "sendfile")
SYNCS = ("fsync", "fdatasync", "syncfs", "sync")
NAMES = ("rename", "renameat", "renameat2", "link", "linkat", "symlink", "symlinkat", "mkdir", "mkdirat", "unlink", "unlinkat", "rmdir")
TRACED = ("open", "openat", "creat", "mmap", *WRITES, *SYNCS, *NAMES)
ATTACH_SECONDS = 20
SHOWN_BYTES = 1 << 16

LINE = re.compile(r"^(\d+) +(.*)$")
CALL = re.compile(r"^(\w+)\((.*)\) += (-?\d+|\?|0x[0-9a-f]+)(?:<(.*)>)?(?: .*)?$", re.DOTALL)
ARGUMENT = re.compile(r'\s*("(?:[^"\\]|\\.)*"|(?:AT_FDCWD|\d+)<(?:[^>\\]|\\.)*>|[^,]+)')


@dataclass(frozen=True)
class Call:
    """One finished call that the system did not refuse. `began` and `ended` count lines of the trace: calls of threads overlap."""

    name: str
    arguments: tuple[str, ...]
    result: str
    began: int
    ended: int

    def path(self, number: int) -> str:
        """Return the path that an argument means: a descriptor, or a name in the folder of the descriptor before it, if there is one."""
        argument = self.arguments[number]
        if not argument.startswith('"'):
            return unescaped(argument.partition("<")[2][:-1])
        name = unescaped(argument[1:-1])
        before = self.arguments[number - 1] if number else ""
        return os.path.normpath(os.path.join(self.path(number - 1), name)) if "<" in before and not before.startswith('"') else name

    def text(self, number: int) -> str:
        return unescaped(self.arguments[number][1:-1])


def unescaped(text: str) -> str:
    """Return what strace wrote with octal digits and backslashes."""
    return text.encode().decode("unicode_escape").encode("latin-1").decode(errors="replace")


def traced(work: Callable[[int], None]) -> list[Call]:
    """Run `work(descriptor)` in a forked child; return its calls. What it writes to the descriptor, a pipe, is among them: its word.

    Raises RuntimeError where the child fails or strace cannot follow it.
    """
    assert STRACE is not None
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "trace")
        pipes = [*os.pipe(), *os.pipe()]
        child = os.fork()
        if child == 0:
            _work(work, pipes[0], pipes[3])
        what = ["-e", f"trace={','.join(TRACED)}", "-e", "signal=none", "-s", str(SHOWN_BYTES)]
        strace = subprocess.Popen([STRACE, "-f", "-y", "-q", *what, "-o", log, "-p", str(child)], stderr=subprocess.PIPE)
        try:
            _await_tracer(child, strace)
            os.write(pipes[1], b"go")
            status = os.waitpid(child, 0)[1]
            complaint = strace.communicate(timeout=ATTACH_SECONDS)[1].decode()
        finally:
            for descriptor in pipes:
                os.close(descriptor)
        if status != 0:
            raise RuntimeError(f"the traced process ended with status {status} {complaint}")
        return list(parsed(log.read_text(errors="replace")))


def _work(work: Callable[[int], None], go: int, say: int) -> None:
    """Run in the child; never returns."""
    status = 1
    try:
        os.read(go, 2)
        work(say)
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


def _await_tracer(child: int, strace: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + ATTACH_SECONDS
    while f"TracerPid:\t{strace.pid}\n" not in Path(f"/proc/{child}/status").read_text():
        if strace.poll() is not None or time.monotonic() > deadline:
            strace.kill()
            os.kill(child, 9)
            os.waitpid(child, 0)
            raise RuntimeError(f"strace does not follow: {strace.communicate()[1].decode()}")
        time.sleep(0.002)


def parsed(text: str) -> Iterator[Call]:
    """Yield the calls of a trace that were not refused, in the order in which they ended."""
    waiting: dict[str, tuple[str, int]] = {}
    for number, line in enumerate(text.splitlines()):
        found = LINE.match(line)
        if found is None:
            continue
        process, rest = found.groups()
        began = number
        if rest.endswith("<unfinished ...>"):
            waiting[process] = rest.removesuffix("<unfinished ...>").rstrip(), number
            continue
        if resumed := re.match(r"^<\.\.\. \w+ resumed>", rest):
            if process not in waiting:
                continue
            head, began = waiting.pop(process)
            rest = head + rest[resumed.end() :]
        call = CALL.match(rest)
        if call is not None and not call[3].startswith("-") and call[3] != "?":
            yield Call(call[1], tuple(ARGUMENT.findall(call[2])), unescaped(call[4] or ""), began, number)
