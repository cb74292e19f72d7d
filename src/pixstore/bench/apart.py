"""A way at work in a fresh process of its own, watched from outside: its memory and its processor time are nobody else's.

The process is a new interpreter (nothing is forked, `ru_maxrss` and freed memory of this one do not follow it). Both sides talk in lines of
JSON: it is told what to do, says when it is ready, is told to begin, says what it used, and at last what it read, as a digest.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from pixstore import errors
from pixstore.bench import naming
from pixstore.bench.carried import Digest, carried
from pixstore.bench.private_memory import Memory, PeakSampler
from pixstore.bench.ways import catalog
from pixstore.bench.ways.base import Way, Work
from pixstore.errors import PixstoreError, WorkerDiedError

Doing: TypeAlias = Literal["store", "read"]
LEAST_SECONDS = 0.15
"""Reading is repeated for so long, or a peak might fall between two looks."""
MOST_SECONDS = 120.0
READ_BY_THEIR_WRITER = ("tutorial-lmdb",)
"""Ways that load nothing but what the same process has written."""
PROGRAM = "import sys; sys.path[:] = {path!r}\nfrom pixstore.bench.apart import serve\nserve()"


@dataclass(frozen=True)
class Used:
    """What a way used: seconds and CPU seconds for `images`, memory before and at its peak, and the digest of what it reads back."""

    images: int
    seconds: float
    cpu_seconds: float
    before: Memory
    peak: Memory
    samples: int
    digest: str


def use(way: Way, doing: Doing, folder: Path, work: dict[str, Any], *, batch: int) -> Used:
    """Return what storing the work into the empty folder, or reading what lies in it, uses in a fresh process.

    work: what `carry` returned. batch: images read at once, shuffled; none of them is kept. Raises what the way raises there, and
    WorkerDiedError where the process ends before its work does.
    """
    request = {"way": way.name, "threads": way.threads, "doing": doing, "folder": str(folder), "work": work, "batch": batch}
    with _process() as process:
        _tell(process, request)
        _answer(process)
        with PeakSampler(process.pid) as sampler:
            before = sampler.peak
            _tell(process, "begin")
            done = _answer(process)
        _tell(process, "read back")
        digest = str(_answer(process)["digest"])
    images, seconds, cpu_seconds = int(done["images"]), float(done["seconds"]), float(done["cpu_seconds"])
    return Used(images, seconds, cpu_seconds, before, sampler.peak, sampler.samples, digest)


@contextmanager
def _process() -> Iterator[subprocess.Popen[str]]:
    program = PROGRAM.format(path=[os.path.abspath(each) for each in sys.path])
    process = subprocess.Popen(
        [sys.executable, "-I", "-B", "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    timer = threading.Timer(MOST_SECONDS, process.kill)
    timer.start()
    try:
        yield process
    finally:
        timer.cancel()
        process.kill()
        # Closes the pipes too, and waits.
        process.communicate()


def _tell(process: subprocess.Popen[str], said: Any) -> None:
    try:
        print(json.dumps(said), file=process.stdin, flush=True)
    except BrokenPipeError:
        _raise_died(process)


def _answer(process: subprocess.Popen[str]) -> dict[str, Any]:
    line = cast(IO[str], process.stdout).readline()
    if not line:
        _raise_died(process)
    said: dict[str, Any] = json.loads(line)
    if "error" in said:
        kind = getattr(errors, said["error"], None)
        is_ours = isinstance(kind, type) and issubclass(kind, PixstoreError)
        raise kind(said["message"]) if is_ours and kind else PixstoreError(f"{said['error']}: {said['message']}")
    return said


def _raise_died(process: subprocess.Popen[str]) -> None:
    raise WorkerDiedError(f"the process that this way works in ended with status {process.wait()} before its work did")


def serve() -> None:
    """Do what standard input asks for, in the fresh process."""
    # What a library prints must not be taken for an answer.
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    try:
        for said in _served(json.loads(sys.stdin.readline())):
            print(json.dumps(said), file=answer, flush=True)
            sys.stdin.readline()
    except Exception as error:
        print(json.dumps({"error": type(error).__name__, "message": str(error)}), file=answer, flush=True)


def _served(request: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the answers; what comes after one is done when it has been asked for."""
    way = catalog.find(request["way"], None, request["threads"])
    work, folder, batch = carried(request["work"]), Path(request["folder"]), int(request["batch"])
    order = work.order
    if request["doing"] == "read" and way.name in READ_BY_THEIR_WRITER:
        way.store_many(folder, work)
    _give_back()
    yield {"ready": True}
    passes, started, cpu_started = 0, time.perf_counter(), time.process_time()
    if request["doing"] == "store":
        way.store_many(folder, work)
        passes = 1
    else:
        passes = _read_again_and_again(way, folder, work, order, batch)
    seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - cpu_started
    yield {"images": passes * len(work), "seconds": seconds, "cpu_seconds": cpu_seconds}
    digest = Digest(is_lossy=naming.is_lossy(way.name))
    for found in _batches(way, folder, work, order, batch):
        digest.add(found)
    yield {"digest": digest.text}


def _read_again_and_again(way: Way, folder: Path, work: Work, order: NDArray[np.int64], batch: int) -> int:
    """Open and read everything until enough time has gone; return how often."""
    passes, started = 0, time.perf_counter()
    while passes == 0 or time.perf_counter() - started < LEAST_SECONDS:
        for _ in _batches(way, folder, work, order, batch):
            pass
        passes += 1
    return passes


def _batches(way: Way, folder: Path, work: Work, order: NDArray[np.int64], batch: int) -> Iterator[Any]:
    reader = way.reader(folder, work)
    try:
        for start in range(0, len(order), batch):
            yield reader.read(order[start : start + batch])
    finally:
        reader.close()


def _give_back() -> None:
    """Give freed memory back to the system, or the way would use it again and nobody would see it."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
