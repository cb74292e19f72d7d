"""Memory of a process: what it fills itself is told apart from what it maps of files, and peaks are seen after they are gone."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from pixstore.bench.private_memory import PeakSampler, memory_of
from pixstore.errors import DependencyError

MIB = 1 << 20
ROOM = 4 * MIB
"""The kernel counts in batches, and other threads of the test's process come and go."""

PROGRAM = f"""
import sys
for line in sys.stdin:
    memory = bytearray(64 * {MIB}) if line.strip() == "fill" else None
    print("done", flush=True)
"""


@pytest.fixture
def process() -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen([sys.executable, "-I", "-c", PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as started:
        ask(started, "begin")
        yield started
        started.stdin.close()  # type: ignore[union-attr]


def ask(process: subprocess.Popen[str], word: str) -> None:
    assert process.stdin is not None and process.stdout is not None
    print(word, file=process.stdin, flush=True)
    assert process.stdout.readline() == "done\n"


def test_what_a_process_fills_is_private() -> None:
    before = memory_of()
    filled = np.ones(64 * MIB, np.uint8)
    after = memory_of()
    assert after.private_bytes - before.private_bytes >= filled.nbytes - ROOM
    assert after.mapped_bytes - before.mapped_bytes < ROOM


def test_what_a_process_maps_of_a_file_is_not_private(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(bytes(64 * MIB))
    before = memory_of()
    mapped = np.memmap(file, np.uint8, "r")
    assert int(mapped[::4096].sum()) == 0
    after = memory_of()
    assert after.mapped_bytes - before.mapped_bytes >= len(mapped) - ROOM
    assert after.private_bytes - before.private_bytes < ROOM


def wait_for_looks(sampler: PeakSampler, looks: int = 2) -> None:
    """Return when the sampler has looked so often again."""
    until = sampler.samples + looks
    while sampler.samples < until:
        time.sleep(0.001)


def test_a_peak_is_seen_though_the_memory_is_free_again(process: subprocess.Popen[str]) -> None:
    before = memory_of(process.pid)
    with PeakSampler(process.pid) as sampler:
        ask(process, "fill")
        wait_for_looks(sampler)
        ask(process, "free")
    assert sampler.peak.private_bytes - before.private_bytes >= 64 * MIB - ROOM
    assert memory_of(process.pid).private_bytes - before.private_bytes < ROOM


def test_a_process_that_ends_leaves_what_was_seen(process: subprocess.Popen[str]) -> None:
    with PeakSampler(process.pid) as sampler:
        ask(process, "fill")
        wait_for_looks(sampler)
        assert process.stdin is not None
        process.stdin.close()
        process.wait()
    assert sampler.peak.private_bytes >= 64 * MIB


def test_a_process_that_is_not_there_is_named() -> None:
    with pytest.raises(DependencyError, match="/proc/none/status"):
        memory_of("none")
