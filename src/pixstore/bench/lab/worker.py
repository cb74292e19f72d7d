"""The side of the workers: a fresh process that makes others by fork, as many as are asked to work together.

It is a new interpreter of one thread, so forking it is safe, and its children need import nothing: a few milliseconds instead of half a
second each. It reads one line of JSON per job from its standard input and answers with one. It ends, and its children with it, when
its input does: with the process that started it, however that ends.
"""

from __future__ import annotations

import gc
import json
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pixstore.bench import check, naming
from pixstore.bench.carried import carried
from pixstore.bench.lab.batches import read_in_batches
from pixstore.bench.lab.lab import DifferenceError
from pixstore.bench.memory import hand_out_memory
from pixstore.bench.ways import catalog, tutorial_lmdb
from pixstore.bench.ways.base import Found, Way, Work
from pixstore.errors import WorkerDiedError

GO = b"go"
PATIENCE_SECONDS = 5.0


def serve() -> None:
    """Do the jobs that standard input asks for, one after another."""
    # Ctrl-C reaches the whole group; who ends this process is the one that started it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # What a library prints must not be taken for an answer.
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    # A collection in a child would touch, and so copy, all that it has from here.
    gc.collect()
    gc.freeze()
    while line := sys.stdin.readline():
        try:
            said = _together(json.loads(line))
        except Exception as error:
            said = _said(error)
        print(json.dumps(said), file=answer, flush=True)


class _Told(Exception):
    """An error of a worker, as it told it."""


class _Member:
    """One worker and the pipe to it."""

    def __init__(self, job: dict[str, Any], share: dict[str, Any]) -> None:
        context = multiprocessing.get_context("fork")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_work, args=(theirs, job, share), daemon=True)
        self.process.start()
        theirs.close()

    def hear(self) -> dict[str, Any]:
        """Return what the worker says. Raises _Told for its error, WorkerDiedError where it has died."""
        try:
            said: dict[str, Any] = json.loads(self.pipe.recv_bytes())
        except (EOFError, ConnectionResetError) as error:
            self.process.join(PATIENCE_SECONDS)
            how = _how(self.process.exitcode)
            raise WorkerDiedError(
                f"process {self.process.pid} ended {how} before its work did; if memory is short, measure fewer images"
            ) from error
        if "error" in said:
            raise _Told(said)
        return said

    def end(self) -> None:
        self.pipe.close()
        self.process.terminate()
        self.process.join(PATIENCE_SECONDS)
        if self.process.exitcode is None:
            self.process.kill()
            self.process.join()


def _together(job: dict[str, Any]) -> dict[str, Any]:
    """Let one worker for each share begin at once; return how long the last one took and what they used."""
    members: list[_Member] = []
    try:
        for share in job["shares"]:
            members.append(_Member(job, share))
        pids = {said["pid"] for said in _hear_all(members)}
        released = time.perf_counter()
        for member in members:
            member.pipe.send_bytes(GO)
        done = _hear_all(members)
        # A second round of words: comparing must not run beside others' work.
        for member in members:
            member.pipe.send_bytes(GO)
        _hear_all(members)
    finally:
        for member in members:
            member.end()
    # One clock for all processes of the system, and not of each.
    seconds = max(each["ended"] for each in done) - released
    return {"seconds": seconds, "cpu_seconds": sum(each["cpu_seconds"] for each in done), "processes": len(pids)}


def _hear_all(members: Sequence[_Member]) -> list[dict[str, Any]]:
    """Return what each worker says, when all have spoken. Raises what `hear` raises, as soon as one has failed."""
    waiting = {member.pipe: number for number, member in enumerate(members)}
    found: dict[int, dict[str, Any]] = {}
    while waiting:
        for pipe in wait([*waiting, sys.stdin.fileno()]):
            if not isinstance(pipe, Connection):
                raise SystemExit(0)
            number = waiting.pop(pipe)
            found[number] = members[number].hear()
    return [found[number] for number in range(len(members))]


def _work(pipe: Connection, job: dict[str, Any], share: dict[str, Any]) -> None:
    """Prepare, say so, wait for the word, work, say when it ended; then compare and say that it is right."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        steps = DEEDS[job["doing"]](job, share)
        pixel_bytes = next(steps)
        gc.collect()
        hand_out_memory(pixel_bytes)
        gc.freeze()
        _say(pipe, {"pid": os.getpid()})
        pipe.recv_bytes()
        cpu_started = time.process_time()
        next(steps)
        ended = time.perf_counter()
        _say(pipe, {"ended": ended, "cpu_seconds": time.process_time() - cpu_started})
        pipe.recv_bytes()
        next(steps, None)
        _say(pipe, {"same": True})
    except EOFError:
        return
    except Exception as error:
        _say(pipe, _said(error))


def _read(job: dict[str, Any], share: dict[str, Any]) -> Iterator[int]:
    """Yield once when the store is open and all rows have been read, once when they have been read again; then compare."""
    way, part, rows, batch = _way(job), _part(job, share), np.asarray(share["rows"], np.int64), int(job["batch"])
    reader = way.reader(Path(share["folder"]), part)
    try:
        # A fresh process has no memory of its own yet; what the first read pays for that is not the readers' matter.
        read_in_batches(reader, rows, batch)
        yield part.pixel_bytes
        found = read_in_batches(reader, rows, batch)
        yield 0
    finally:
        reader.close()
    for number, each in enumerate(found):
        _require_same(way, each, part, rows[number * batch : (number + 1) * batch])


def _store(job: dict[str, Any], share: dict[str, Any]) -> Iterator[int]:
    """Yield once when the images are in memory and one has been stored beside, once when all are stored; then read and compare."""
    way, part, folder = _way(job), _in_memory(_part(job, share)), Path(share["folder"])
    beside = folder.with_name(folder.name + "-warm-up")
    beside.mkdir()
    way.store_one(beside, part)
    yield part.pixel_bytes
    way.store_many(folder, part)
    yield 0
    _require_same(way, way.read_many(folder, part), part, np.arange(len(part)))


DEEDS = {"read": _read, "store": _store}


def _way(job: dict[str, Any]) -> Way:
    if job["way"] == tutorial_lmdb.WAY.name:
        return tutorial_lmdb.TutorialLmdb((device, inode) for device, inode in job["written"])
    return catalog.find(job["way"], None, 1)


def _part(job: dict[str, Any], share: dict[str, Any]) -> Work:
    work, chosen = carried(job["work"]), slice(share["start"], share["stop"])
    return Work(work.images[chosen], work.labels[chosen], work.encoded and work.encoded[chosen])


def _in_memory(work: Work) -> Work:
    """Return the work with pixels of its own, as a program has them that made them: mapped ones are fetched when first looked at."""
    images = np.array(work.images) if isinstance(work.images, np.ndarray) else [np.array(image) for image in work.images]
    return Work(images, work.labels, work.encoded)


def _require_same(way: Way, found: Found, work: Work, rows: NDArray[np.int64]) -> None:
    problem = check.difference(found, work, rows, is_lossy=naming.is_lossy(way.name))
    if problem:
        raise DifferenceError(f"the read-back differs from the input: {problem}")


def _said(error: Exception) -> dict[str, Any]:
    if isinstance(error, _Told):
        told: dict[str, Any] = error.args[0]
        return told
    return {"error": type(error).__name__, "message": str(error)}


def _say(pipe: Connection, said: dict[str, Any]) -> None:
    pipe.send_bytes(json.dumps(said).encode())


def _how(code: int | None) -> str:
    if code is not None and code < 0:
        return f"by signal {-code} ({signal.strsignal(-code) or 'unknown'})"
    return f"with exit status {code}"


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
