"""Processes that work together: each has a share, all begin at one word, and the time is that of the last.

They are children of a process that is started here once and forks them (`worker.py`). Each opens its store and reads its share once, or
has its images in memory, before the word; each compares what it read with the images themselves, which it maps, after the last has
ended.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import weakref
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any, Literal, NoReturn, TypeAlias, cast

from pixstore.bench.carried import carried_bytes, carry
from pixstore.bench.lab.lab import DifferenceError, Lab
from pixstore.bench.ways import tutorial_lmdb
from pixstore.bench.ways.base import Way, Work
from pixstore.errors import InvalidInputError, PixstoreError, StoreFullError, UnsafeInputError, WorkerDiedError

Doing: TypeAlias = Literal["read", "store"]
MOST_SECONDS = 120.0
"""For one job, with all that is not timed."""
PROGRAM = "import sys; sys.path[:] = {path!r}\nfrom pixstore.bench.lab.worker import serve\nserve()"
KINDS = {kind.__name__: kind for kind in (DifferenceError, InvalidInputError, StoreFullError, UnsafeInputError, WorkerDiedError)}


@dataclass(frozen=True)
class Share:
    """What one process does: with which folder, which images of the work lie or come there, and which of those it reads, in order."""

    folder: str
    start: int
    stop: int
    rows: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class Together:
    """Seconds from the word to begin until the last process ended, CPU seconds of all, and how many processes they were."""

    seconds: float
    cpu_seconds: float
    processes: int


class Workers:
    """Starts its process when it is first needed, and ends it with itself; the images of a lab are handed over once."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._process: subprocess.Popen[str] | None = None
        self._carried: tuple[Work, Path, dict[str, Any]] | None = None

    def work(self, doing: Doing, way: Way, work: Work, shares: Sequence[Share], *, batch: int = 1) -> Together:
        """Let one process for each share do it, on one thread each, and return what it took.

        Raises DifferenceError where what was read is not what was stored, what the way raises there, and WorkerDiedError where a process
        ends before its work does.
        """
        written = way.written if isinstance(way, tutorial_lmdb.TutorialLmdb) else []
        job = {"doing": doing, "way": way.name, "batch": batch, "written": written, "work": self._carry(work)}
        answer = self._ask({**job, "shares": [asdict(share) for share in shares]})
        if "error" in answer:
            kind, message = str(answer["error"]), str(answer["message"])
            raise KINDS[kind](message) if kind in KINDS else PixstoreError(f"{kind}: {message}")
        return Together(float(answer["seconds"]), float(answer["cpu_seconds"]), int(answer["processes"]))

    def end(self) -> None:
        """End the process; a later job starts another."""
        if self._process is not None:
            _end(self._process)
            self._process = None

    def _carry(self, work: Work) -> dict[str, Any]:
        if self._carried is None or self._carried[0] is not work or not self._carried[1].exists():
            folder = self._lab.fresh("carried", carried_bytes(work))
            self._carried = work, folder, carry(work, folder)
            self._lab.hold(folder)
        return self._carried[2]

    def _ask(self, job: dict[str, Any]) -> dict[str, Any]:
        process = self._started()
        timer = threading.Timer(MOST_SECONDS, process.kill)
        timer.start()
        try:
            print(json.dumps(job), file=process.stdin, flush=True)
            line = cast(IO[str], process.stdout).readline()
        except BrokenPipeError:
            line = ""
        finally:
            timer.cancel()
        if not line:
            self._raise_died(process)
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _started(self) -> subprocess.Popen[str]:
        if self._process is None:
            program = PROGRAM.format(path=[os.path.abspath(each) for each in sys.path])
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-B", "-c", program],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                # Threads of a library for matrices, which nobody here needs, would make forking less safe.
                env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
            )
            weakref.finalize(self, _end, self._process)
        return self._process

    def _raise_died(self, process: subprocess.Popen[str]) -> NoReturn:
        self.end()
        raise WorkerDiedError(
            f"process {process.pid}, which starts the workers, ended with status {process.returncode} before their work did, or took more "
            f"than {MOST_SECONDS:.0f} s; measure fewer images"
        )


def _end(process: subprocess.Popen[str]) -> None:
    process.kill()
    # Closes the pipes too, and waits.
    process.communicate()
