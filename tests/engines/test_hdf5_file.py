"""LastingFile: whatever HDF5 writes arrives, and what the system refuses is told once the library is done with the file."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest

from pixstore.engines.hdf5_file import LastingFile
from pixstore.testing import files_limited_to

PIXELS = np.random.default_rng(0).integers(0, 256, (40, 20, 20, 3)).astype(np.uint8)


@pytest.fixture
def descriptor(tmp_path: Path) -> Iterator[int]:
    opened = os.open(tmp_path / "a.h5", os.O_RDWR | os.O_CREAT)
    yield opened
    os.close(opened)


def write(file: LastingFile) -> None:
    with h5py.File(file, "w", rdcc_nbytes=0) as library:
        dataset = library.create_dataset("image", (0, 20, 20, 3), "u1", maxshape=(None, 20, 20, 3), chunks=(7, 20, 20, 3))
        for start in range(0, 40, 8):
            dataset.resize(start + 8, axis=0)
            dataset[start : start + 8] = PIXELS[start : start + 8]


def test_what_the_library_writes_is_in_the_file(tmp_path: Path, descriptor: int) -> None:
    file = LastingFile(descriptor)
    write(file)
    file.require_whole()
    with h5py.File(tmp_path / "a.h5") as library:
        assert np.array_equal(library["image"][()], PIXELS)


@pytest.mark.parametrize("limit", [0, 1, 100, 3000, 20_000, 47_000])
def test_refusal_is_told_after_the_library_has_closed_the_file_without_knowing(tmp_path: Path, descriptor: int, limit: int) -> None:
    file = LastingFile(descriptor)
    with files_limited_to(limit):
        write(file)
    for _ in range(2):
        with pytest.raises(OSError, match="File too large"):
            file.require_whole()
    assert (tmp_path / "a.h5").stat().st_size <= limit


def test_nothing_is_written_after_a_refusal(tmp_path: Path, descriptor: int) -> None:
    file = LastingFile(descriptor)
    with files_limited_to(4):
        assert file.write(b"12345678") == 8
    file.seek(0)
    assert file.write(b"ab") == 2 and file.tell() == 2
    file.truncate(0)
    assert (tmp_path / "a.h5").read_bytes() == b"1234"


def test_it_reads_and_moves_as_a_file_does(descriptor: int) -> None:
    file = LastingFile(descriptor)
    file.write(b"0123456789")
    assert file.seek(-4, os.SEEK_END) == 6 and file.read(2) == b"67"
    assert file.seek(1, os.SEEK_CUR) == 9 and file.read() == b"9"
    assert file.truncate(3) == 3 and file.seek(0, os.SEEK_END) == 3
    assert file.readable() and file.writable() and file.seekable()


def test_what_was_dropped_reads_as_zeros(descriptor: int) -> None:
    file = LastingFile(descriptor)
    with files_limited_to(2):
        file.write(b"abcd")
    file.seek(0)
    assert file.read(4) == b"ab\0\0"


def test_forked_child_that_ends_writes_nothing_over_what_came_after_the_fork(tmp_path: Path, descriptor: int) -> None:
    file = LastingFile(descriptor)
    file.write(b"before")
    child = os.fork()
    if child == 0:
        file.seek(0)
        done = file.write(b"stale!") == 6 and file.truncate(2) == 2 and file.tell() == 6
        os._exit(0 if done else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert file.write(b" and after") == 10
    assert (tmp_path / "a.h5").read_bytes() == b"before and after"
