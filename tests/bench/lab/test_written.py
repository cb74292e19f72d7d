"""What the process has written is counted by the system, at least once per byte that reaches the disk."""

from __future__ import annotations

import mmap
import os
from pathlib import Path

import pytest

from pixstore.bench.lab.written import written_bytes

MEGABYTE = 1 << 20


@pytest.fixture
def on_disk(tmp_path: Path) -> Path:
    """Return a folder on a file system whose writes are counted; skip where temporary files lie in memory."""
    before = written_bytes()
    (tmp_path / "probe").write_bytes(bytes(4096))
    if before is None or written_bytes() == before:
        pytest.skip("the system does not count what is written here")
    return tmp_path


def grown_by(folder: Path, times: int, *, synced: bool) -> int:
    before = written_bytes()
    with open(folder / f"written-{times}-{synced}", "wb", buffering=0) as file:
        for _ in range(times):
            file.seek(0)
            file.write(bytes(MEGABYTE))
            if synced:
                os.fsync(file.fileno())
    after = written_bytes()
    assert before is not None
    assert after is not None
    return after - before


def test_every_byte_written_counts_once(on_disk: Path) -> None:
    assert MEGABYTE <= grown_by(on_disk, 1, synced=False) < 1.5 * MEGABYTE


def test_what_is_written_again_after_it_reached_the_disk_counts_again(on_disk: Path) -> None:
    assert 3 * MEGABYTE <= grown_by(on_disk, 3, synced=True) < 4 * MEGABYTE


def test_what_is_written_through_a_map_counts(on_disk: Path) -> None:
    with open(on_disk / "mapped", "wb+") as file:
        file.truncate(MEGABYTE)
        before = written_bytes()
        with mmap.mmap(file.fileno(), MEGABYTE) as mapped:
            mapped[:] = bytes(range(256)) * (MEGABYTE // 256)
        after = written_bytes()
    assert before is not None
    assert after is not None
    assert MEGABYTE <= after - before < 1.5 * MEGABYTE
