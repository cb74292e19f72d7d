"""What tests of limited memory run in the child."""

from __future__ import annotations

import os
from typing import Any


def take(request: Any) -> int:
    """Take and touch so many bytes, and return how many."""
    return len(b"\1" * request)


def read_twice(request: Any) -> list[int]:
    """Read a file from end to end, twice; return its length as seen each time."""
    lengths = []
    for _ in range(2):
        with open(request, "rb", buffering=0) as file:
            lengths.append(sum(len(piece) for piece in iter(lambda: file.read(1 << 20), b"")))
    return lengths


def chatter(request: Any) -> Any:
    """Print, through Python and past it, and return the request."""
    print("chatter")
    os.write(1, b"more of it\n")
    return request


def fail(request: Any) -> None:
    raise ValueError(f"no {request} today")


def die(request: Any) -> None:
    os._exit(request)


def wait(request: Any) -> None:
    os.read(os.pipe()[0], request)
