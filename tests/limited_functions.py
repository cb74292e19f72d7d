"""What tests/test_child.py runs in children: good functions, and some that do what a hostile file may make of a reader."""

from __future__ import annotations

import ctypes
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from pixstore.child import Answer
from pixstore.errors import CorruptStoreError


def describe(path: str, *arguments: Any) -> Answer:
    return Answer({"bytes": Path(path).read_bytes().decode(), "arguments": arguments}, [b"abc", bytearray(2), memoryview(b"")])


def surroundings(path: str) -> Answer:
    return Answer({"names": sorted(os.environ), "folder": os.getcwd(), "preload": os.environ["HDF5_PLUGIN_PRELOAD"]})


def print_first(path: str) -> Answer:
    print("a library prints")
    sys.stdout.flush()
    return Answer("answered")


def refuse(path: str) -> Answer:
    raise CorruptStoreError(f"{path}: is damaged")


def stumble(path: str) -> Answer:
    raise KeyError("unexpected")


def crash(path: str) -> Answer:
    ctypes.string_at(0)
    return Answer(None)


def leave(path: str) -> Answer:
    os._exit(7)


def take_memory(path: str) -> Answer:
    return Answer(len(bytearray(2 << 30)))


def sleep(path: str) -> Answer:
    time.sleep(60)
    return Answer(None)


def spin(path: str) -> Answer:
    while True:
        pass


def answer_much(path: str) -> Answer:
    return Answer(None, [bytes(3000)])


def read_other(path: str, other: str) -> Answer:
    return Answer(Path(other).read_text())


def list_folder(path: str) -> Answer:
    return Answer(sorted(os.listdir(path)))


def write_here(path: str) -> Answer:
    Path("left").write_text("left")
    return Answer(None)


def write_there(path: str) -> Answer:
    Path(path).write_text("changed")
    return Answer(None)


def run_program(path: str) -> Answer:
    return Answer(subprocess.run(["/bin/true"], check=True).returncode)


def connect(path: str, port: int) -> Answer:
    socket.create_connection(("127.0.0.1", port), 5).close()
    return Answer(None)


def open_many(path: str) -> Answer:
    return Answer(len([os.open(path, os.O_RDONLY) for _ in range(100)]))


def raw_answer(path: str, content: str) -> Answer:
    """Write to the pipe what a child under somebody else's control would: it is the descriptor that `serve` made."""
    data = Path(content).read_bytes()
    pipe = next(number for number in range(3, 20) if os.path.exists(f"/proc/self/fd/{number}") and is_pipe(number))
    os.write(pipe, data)
    os._exit(0)


def is_pipe(number: int) -> bool:
    return os.readlink(f"/proc/self/fd/{number}").startswith("pipe:")
