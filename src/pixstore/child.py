"""Run one of our functions on a foreign file in a limited process of its own: what kills the reader there does not kill us.

The child is a fresh interpreter (nothing is forked), in an empty private folder, with an environment of nothing but where libraries lie
and that HDF5 takes no plugins. It imports the function's module, gives up what `confinement` takes, and only then looks at the file.
What it answers is not trusted: each length is checked against a limit before it is taken, and nothing is ever unpickled.
One start costs 0.1 to 0.3 s, so one child looks at one file, or at several that belong together.

    answer: "+" once the function is imported, then u64 length of the JSON, little-endian, then the JSON, then raw buffers, if any
    JSON: {"value": …, "buffers": [length, …], "missing": […]}, or {"error": name of the class, "message": …}, or {"fault": …}
"""

from __future__ import annotations

import json
import os
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, NoReturn, cast

from pixstore import errors
from pixstore.confinement import confine
from pixstore.errors import DependencyError, ForeignFileCrashedError, LimitExceededError, PixstoreError

LENGTH = struct.Struct("<Q")
READY = b"+"
START_SECONDS = 60.0
KEPT_NAMES = ("PIXSTORE_CORE", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
MOST_WORDS = 2000
PROGRAM = "import sys; sys.path[:] = {path!r}\nfrom {module} import {name} as function\nfrom pixstore.child import serve\nserve(function)"


@dataclass(frozen=True)
class Limits:
    """What the child may take: memory on top of its own code, processor time, time, and bytes of answer (JSON and buffers each)."""

    memory_bytes: int = 1 << 30
    cpu_seconds: int = 60
    seconds: float = 120.0
    answer_bytes: int = 256 << 20


DEFAULT_LIMITS = Limits()


@dataclass(frozen=True)
class Answer:
    """What a function that runs in a child returns: a value of plain JSON, and raw bytes beside it."""

    value: Any
    buffers: Sequence[bytes | bytearray | memoryview] = field(default=())


def run(
    function: Callable[..., Answer], path: str | Path, *arguments: Any, reads: Sequence[str | Path] = (), limits: Limits = DEFAULT_LIMITS
) -> Answer:
    """Return `function(path, *arguments)`, run in a limited process.

    function: a top-level function of an importable module; it gets the path as text and the arguments as JSON makes them. It can read
    that file (or folder) and those of `reads`, and nothing else.

    Raises the PixstoreError that the function raised (its class and words), LimitExceededError where memory did not suffice, and
    ForeignFileCrashedError where the process died, ran out of time, or answered nonsense; DependencyError where it does not even start.
    """
    readable = [os.path.abspath(each) for each in (path, *reads)]
    request = {"arguments": [readable[0], *arguments], "readable": readable, **_asked(limits)}
    with tempfile.TemporaryDirectory(prefix="pixstore-") as folder:
        process = _started(function, folder)
        try:
            with _killed_after(START_SECONDS, process):
                _ask(process, json.dumps(request).encode())
            with _killed_after(limits.seconds, process):
                header, buffers = _received(process, Path(path), limits)
        finally:
            _kill(process)
            process.wait()
            for stream in (process.stdin, process.stdout):
                # What was not sent to a process that has ended is of no use to it.
                with suppress(BrokenPipeError):
                    cast(BinaryIO, stream).close()
    return _answer(header, buffers, Path(path))


def _asked(limits: Limits) -> dict[str, int]:
    return {"memory_bytes": limits.memory_bytes, "cpu_seconds": limits.cpu_seconds}


def _started(function: Callable[..., Answer], folder: str) -> subprocess.Popen[bytes]:
    if function.__qualname__ != function.__name__ or function.__module__ == "__main__":
        raise TypeError(f"{function.__module__}.{function.__qualname__} is no top-level function of a module that can be imported")
    places = [os.path.abspath(each) for each in sys.path]
    program = PROGRAM.format(path=places, module=function.__module__, name=function.__name__)
    environment = {
        # Two colons: HDF5 looks for no plugin at all. The folder is empty, should a version of it look nevertheless.
        "HDF5_PLUGIN_PRELOAD": "::",
        "HDF5_PLUGIN_PATH": folder,
        "OPENBLAS_NUM_THREADS": "1",
        **{name: value for name, value in os.environ.items() if name in KEPT_NAMES},
    }
    # A session of its own: Ctrl-C at the terminal ends the child through us, after we have tidied up.
    return subprocess.Popen(
        [sys.executable, "-I", "-B", "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=folder,
        env=environment,
        start_new_session=True,
    )


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End the child and whatever it started; once its end was seen, its number may be another's."""
    if process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


@contextmanager
def _killed_after(seconds: float, process: subprocess.Popen[bytes]) -> Iterator[None]:
    timer = threading.Timer(seconds, _kill, [process])
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _ask(process: subprocess.Popen[bytes], request: bytes) -> None:
    assert process.stdin is not None and process.stdout is not None
    with suppress(BrokenPipeError):
        process.stdin.write(request)
        process.stdin.close()
    if process.stdout.read(len(READY)) != READY:
        _kill(process)
        raise DependencyError(
            f"the process that reads foreign files does not start (status {process.wait()}); try: {sys.executable} -I -c 'import h5py'"
        )


def _received(process: subprocess.Popen[bytes], path: Path, limits: Limits) -> tuple[dict[str, Any], list[bytes]]:
    assert process.stdout is not None
    head = process.stdout.read(LENGTH.size)
    if len(head) < LENGTH.size:
        _raise_died(process, path, limits)
    length = LENGTH.unpack(head)[0]
    if length > limits.answer_bytes:
        raise ForeignFileCrashedError(f"{path}: its reader answered with {length} bytes, the limit is {limits.answer_bytes}")
    header = _parsed(_exactly(process.stdout, length, process, path, limits), path)
    sizes = header.get("buffers", [])
    if not isinstance(sizes, list) or not all(type(size) is int and size >= 0 for size in sizes) or sum(sizes) > limits.answer_bytes:
        raise ForeignFileCrashedError(f"{path}: its reader answered with more bytes than the limit of {limits.answer_bytes}")
    return header, [_exactly(process.stdout, size, process, path, limits) for size in sizes]


def _exactly(stream: Any, size: int, process: subprocess.Popen[bytes], path: Path, limits: Limits) -> bytes:
    found: bytes = stream.read(size)
    if len(found) < size:
        _raise_died(process, path, limits)
    return found


def _parsed(text: bytes, path: Path) -> dict[str, Any]:
    try:
        header = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ForeignFileCrashedError(f"{path}: its reader answered nonsense; the file is damaged or hostile") from error
    if not isinstance(header, dict):
        raise ForeignFileCrashedError(f"{path}: its reader answered nonsense; the file is damaged or hostile")
    return header


def _raise_died(process: subprocess.Popen[bytes], path: Path, limits: Limits) -> NoReturn:
    """Say how the process ended; the timer ends one that hangs."""
    status = process.wait()
    number = -status if status < 0 else None
    if number == signal.SIGKILL:
        how = f"took more than {limits.seconds:g} s, or was killed"
    elif number == signal.SIGXCPU:
        how = f"took more than {limits.cpu_seconds} s of processor time"
    elif number is not None:
        how = f"died of {signal.Signals(number).name if number in set(signal.Signals) else f'signal {number}'}"
    else:
        how = f"ended with status {status}"
    raise ForeignFileCrashedError(
        f"{path}: the process that read it {how}; the file is damaged or hostile, get it again from its origin", number
    )


def _answer(header: dict[str, Any], buffers: list[bytes], path: Path) -> Answer:
    message = str(header.get("message", ""))[:MOST_WORDS]
    if "error" in header:
        kind = getattr(errors, str(header["error"]), PixstoreError)
        raise kind(message) if isinstance(kind, type) and issubclass(kind, PixstoreError) else PixstoreError(message)
    if "fault" in header:
        fault = str(header["fault"])[:MOST_WORDS]
        raise ForeignFileCrashedError(f"{path}: cannot be read ({fault}); the file is damaged or hostile, get it again from its origin")
    if missing := header.get("missing"):
        words = ", ".join(str(each)[:100] for each in missing[:10])
        warnings.warn(f"this system does not limit for the process that reads foreign files: {words}", stacklevel=3)
    return Answer(header.get("value"), buffers)


def serve(function: Callable[..., Answer]) -> None:
    """Answer the request on standard input by the function, in the child."""
    # What a library prints must not be taken for the answer.
    answer = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    answer.write(READY)
    answer.flush()
    request = json.loads(sys.stdin.buffer.read())
    limits = {name: request[name] for name in _asked(DEFAULT_LIMITS)}
    missing = confine(request["readable"], **limits)
    try:
        found = function(*request["arguments"])
        _send(answer, {"value": found.value, "missing": missing}, found.buffers)
    except PixstoreError as error:
        _send(answer, {"error": type(error).__name__, "message": str(error)})
    except MemoryError:
        _send(answer, {"error": LimitExceededError.__name__, "message": _out_of_memory(request["arguments"][0], limits["memory_bytes"])})
    except Exception as error:
        _send(answer, {"fault": f"{type(error).__name__}: {error}"})


def _out_of_memory(path: str, memory_bytes: int) -> str:
    return f"{path}: asks for more than {memory_bytes} bytes of memory to be read; it was refused"


def _send(answer: BinaryIO, header: dict[str, Any], buffers: Sequence[bytes | bytearray | memoryview] = ()) -> None:
    pieces = [memoryview(each).cast("B") for each in buffers]
    text = json.dumps({**header, "buffers": [len(each) for each in pieces]}).encode()
    answer.write(LENGTH.pack(len(text)))
    answer.write(text)
    for piece in pieces:
        answer.write(piece)
    answer.flush()
