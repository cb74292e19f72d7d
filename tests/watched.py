"""Run verbs and reads on bad input in this one process, which an audit hook watches, and print what became of each as a line of JSON.

Standard input: {"dest": folder that may be written, "warm": arguments of a good run, "cases": [{"name": …, "arguments": […], "open": path,
"key": key}]}. Of a case, `arguments` go to the program, the last being where it writes; with `open` that path is opened first, and its
sample `key` read, or all samples without one. After the good run, which imports everything, whatever runs a program, connects,
unpickles or writes outside `dest` is noted, as is any child that is left. The limited process that examines HDF5 files, with its
private folder, is ours.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import pixstore
from pixstore.cli.main import main

RUNS = ("os.system", "os.exec", "os.fork", "os.posix_spawn", "subprocess.Popen", "socket.connect", "pickle.find_class", "ctypes.dlopen")
# Where each event's arguments hold the folder that its path is relative to.
CHANGES = {"os.remove": 1, "os.rename": 2, "os.mkdir": 2, "os.rmdir": 1, "os.link": 2, "os.symlink": 2, "os.chmod": 2, "os.truncate": None}
EXAMINES = [sys.executable, "-I", "-B", "-c"]
PRIVATE = os.path.join(tempfile.gettempdir(), "pixstore-")


def watch(allowed: tuple[str, ...], seen: list[str]) -> None:
    """Note in `seen`, from now on, what no bad input may bring about."""

    def note(event: str, arguments: Any) -> None:
        if event in RUNS:
            if event != "subprocess.Popen" or list(arguments[1][:4]) != EXAMINES:
                seen.append(f"{event} {arguments[:1]}")
        elif event in CHANGES or (event == "open" and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)):
            if isinstance(arguments[0], int):
                return
            folder = CHANGES.get(event) and arguments[CHANGES[event] or 0]
            base = os.readlink(f"/proc/self/fd/{folder}") if folder not in (None, -1) else os.getcwd()
            place = os.path.normpath(os.path.join(base, os.fsdecode(arguments[0])))
            if not place.startswith(allowed):
                seen.append(f"{event} {place}")

    sys.addaudithook(note)


def run(arguments: list[str]) -> dict[str, Any]:
    """Return status, output and errors of the program."""
    out, err = io.TextIOWrapper(io.BytesIO()), io.TextIOWrapper(io.BytesIO())
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = main(arguments)
    out.flush()
    err.flush()
    return {"status": status, "out": out.buffer.getvalue().decode(), "error": err.buffer.getvalue().decode()}  # type: ignore[attr-defined]


def read(path: str, key: str | None) -> dict[str, Any]:
    """Return the class and the words of the error that reading raises; the class is "" where it raises none."""
    try:
        with pixstore.open(path) as dataset:
            if key is not None and key not in dataset:
                left_out = {each.path: each.reason for each in dataset.report.skipped}
                return {"raised": "left out", "words": left_out.get(key, "")}
            _ = dataset[:] if key is None else dataset[key]
    except pixstore.PixstoreError as error:
        return {"raised": type(error).__name__, "words": str(error)}
    return {"raised": "", "words": ""}


def children_left() -> bool:
    try:
        os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return False
    return True


def peak_bytes() -> int:
    """Return the most resident memory this program had; ru_maxrss would begin with what the process had that started it."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM"))


def outcome(case: dict[str, Any], dest: str, seen: list[str]) -> dict[str, Any]:
    seen.clear()
    found: dict[str, Any] = {}
    times = [time.perf_counter()]
    if "open" in case:
        found |= read(case["open"], case.get("key"))
        times.append(time.perf_counter())
    found |= run(case["arguments"])
    times.append(time.perf_counter())
    seconds = max(stop - start for start, stop in pairwise(times))
    left = os.path.exists(case["arguments"][-1])
    return {**found, "name": case["name"], "seconds": seconds, "seen": list(seen), "left": left, "children": children_left(),
            "peak_bytes": peak_bytes()}  # fmt: skip


def watched() -> None:
    request = json.load(sys.stdin)
    assert run(request["warm"])["status"] == 0
    seen: list[str] = []
    watch((request["dest"], PRIVATE, os.devnull), seen)
    for case in request["cases"]:
        print(json.dumps(outcome(case, request["dest"], seen)), flush=True)


if __name__ == "__main__":
    watched()
