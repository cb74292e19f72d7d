"""The short tier of `make torture`: a few trials of each program on each engine; what fails is printed with its seed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from faults.samples import ENGINES

TESTS = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("part", ["kill", "syscalls", "power", "full"])
def test_nothing_is_lost_whatever_happens(part: str, engine: str) -> None:
    # A process of its own: this one may have threads, and trials are forked.
    command = [sys.executable, "-m", "faults.torture", "--short", "--part", part, "--engine", engine]
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": os.fspath(TESTS)}, capture_output=True, text=True, timeout=170)
    assert done.returncode == 0, done.stdout + done.stderr
    if "skipped:" in done.stdout:
        pytest.skip(done.stdout.splitlines()[0])
