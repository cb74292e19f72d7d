"""What of files lies in memory, with real files on the disk of the tests and in memory."""

from __future__ import annotations

import ctypes
import mmap
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from pixstore.bench import residency as module
from pixstore.bench.residency import (
    PAGE_BYTES,
    FilePages,
    counted_by_cachestat,
    counted_by_mincore,
    files_below,
    make_cold,
    make_warm,
    read_from_disk,
    residency,
)

PAGES = 64


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Return a folder whose files can leave memory; skip where this system does not tell, or the folder lies in memory."""
    probe = tmp_path / "probe"
    probe.write_bytes(os.urandom(PAGE_BYTES))
    found = make_cold([probe])
    if found.part is None:
        pytest.skip("this system does not tell what lies in the page cache")
    if found.stayed:
        pytest.skip(f"files of the tests cannot be made cold: {found.stayed[0]}")
    probe.unlink()
    return tmp_path


def written(path: Path, pages: int = PAGES) -> Path:
    path.write_bytes(os.urandom(pages * PAGE_BYTES))
    return path


def test_what_was_just_written_is_resident(place: Path) -> None:
    found = residency([written(place / "a")])
    assert (found.pages, found.resident, found.part) == (PAGES, PAGES, 1.0)
    assert not found.is_cold


def test_after_make_cold_nothing_is_resident_and_the_bytes_are_the_same(place: Path) -> None:
    path = written(place / "a")
    before = path.read_bytes()
    found = make_cold([path])
    assert (found.pages, found.resident, found.stayed, found.is_cold) == (PAGES, 0, (), True)
    assert residency([path]).resident == 0
    assert path.read_bytes() == before
    assert residency([path]).resident == PAGES


def test_make_warm_brings_everything_back(place: Path) -> None:
    path = written(place / "a", 700)
    make_cold([path])
    assert make_warm([path, place / "absent"]).part == 1.0


def test_pages_that_are_mapped_and_touched_stay_and_are_named(place: Path) -> None:
    held, free = written(place / "held"), written(place / "free")
    with open(held, "rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as mapped:
        touched = mapped[0]
        found = make_cold([held, free])
        assert found.by_file[str(held)].resident
        assert found.by_file[str(free)].resident == 0
        assert [line.partition(": ")[0] for line in found.stayed] == [str(held)]
        assert "mapped, locked or in use" in found.stayed[0]
        assert touched == mapped[0]
    assert make_cold([held]).is_cold


def test_pages_that_are_locked_stay_all_of_them(place: Path) -> None:
    path = written(place / "a", 8)
    libc = ctypes.CDLL(None, use_errno=True)
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as mapped:
        address = np.frombuffer(mapped, np.uint8).ctypes.data
        if libc.mlock(ctypes.c_void_p(address), ctypes.c_size_t(8 * PAGE_BYTES)):
            pytest.skip("this system does not let these tests lock memory")
        found = make_cold([path])
        assert found.resident == 8
        assert len(found.stayed) == 1


@pytest.fixture
def in_memory() -> Iterator[Path]:
    """Return a file in /dev/shm, which is removed."""
    folder = Path("/dev/shm")
    if module._file_system("/dev/shm") != "tmpfs" or not os.access(folder, os.W_OK):
        pytest.skip("no tmpfs at /dev/shm")
    path = folder / f"pixstore-test-{os.getpid()}"
    try:
        yield written(path)
    finally:
        path.unlink(missing_ok=True)


def test_a_file_on_tmpfs_stays_and_is_named_with_why(in_memory: Path) -> None:
    found = make_cold([in_memory])
    if found.part is None:
        pytest.skip("this system does not tell what lies in the page cache")
    assert found.resident == PAGES
    assert found.stayed == (f"{in_memory}: {PAGES} of {PAGES} pages stayed: it lies on tmpfs, which is memory",)


def test_empty_absent_and_other_files_are_no_pages(place: Path) -> None:
    (place / "empty").touch()
    (place / "folder").mkdir()
    os.mkfifo(place / "pipe")
    asked = [place / name for name in ("empty", "folder", "pipe", "absent")]
    for look in (residency, make_cold):
        found = look(asked)
        assert found.by_file == {str(place / "empty"): FilePages(0, 0)}
        assert (found.pages, found.resident, found.part, found.is_cold) == (0, 0, None, False)


def test_a_hole_is_resident_only_once_it_was_read(place: Path) -> None:
    path = place / "hole"
    with open(path, "wb") as file:
        file.truncate(PAGES * PAGE_BYTES)
    assert residency([path]).resident == 0
    assert make_warm([path]).resident == PAGES
    assert make_cold([path]).is_cold


def test_a_file_named_twice_counts_once_and_its_last_page_counts_whole(place: Path) -> None:
    path = place / "a"
    path.write_bytes(b"x" * (PAGE_BYTES + 1))
    assert residency([path, str(path)]).pages == 2


def test_many_files_become_cold(place: Path) -> None:
    for number in range(300):
        (place / f"{number}").write_bytes(os.urandom(100 + number * 20))
    files = files_below(place)
    assert len(files) == 300
    assert residency(files).part == 1.0
    assert make_cold(files).resident == 0


@pytest.mark.parametrize("count", [counted_by_cachestat, counted_by_mincore])
def test_both_calls_count_the_same_pages(count: Callable[[int, int], FilePages | None], place: Path) -> None:
    path = written(place / "a", 700)
    descriptor = os.open(path, os.O_RDONLY)
    try:
        first = count(descriptor, 700 * PAGE_BYTES)
        if first is None:
            pytest.skip("this system has no such call")
        assert first.resident == 700
        make_cold([path])
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_RANDOM)
        os.pread(descriptor, 3 * PAGE_BYTES, 100 * PAGE_BYTES)
        again = count(descriptor, 700 * PAGE_BYTES)
        assert again is not None and again.resident is not None
        assert 3 <= again.resident < 700
    finally:
        os.close(descriptor)


def test_cachestat_tells_what_is_not_written_yet(place: Path) -> None:
    unwritten = []
    # The system may write at any moment, and others may ask it to: not with every one of several files.
    for number in range(5):
        with open(written(place / f"{number}"), "rb") as file:
            found = counted_by_cachestat(file.fileno(), PAGES * PAGE_BYTES)
            if found is None:
                pytest.skip("this system has no such call")
            unwritten.append(found.unwritten)
            os.fsync(file.fileno())
            after = counted_by_cachestat(file.fileno(), PAGES * PAGE_BYTES)
            assert after is not None and after.unwritten == 0
    assert max(unwritten) == PAGES


def test_files_below_a_file_are_itself(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    for name in ("z", "b/y", "a"):
        (tmp_path / name).touch()
    assert files_below(tmp_path) == [str(tmp_path / name) for name in ("a", "b/y", "z")]
    assert files_below(tmp_path / "z") == [str(tmp_path / "z")]


def test_reading_cold_files_counts_as_read_from_the_disk(place: Path) -> None:
    path = written(place / "a", 256)
    make_cold([path])
    before = read_from_disk()
    if before is None:
        pytest.skip("this system does not count what a process reads")
    path.read_bytes()
    between = read_from_disk()
    path.read_bytes()
    after = read_from_disk()
    assert between is not None and after is not None
    assert between - before >= 256 * PAGE_BYTES
    assert after == between


def test_on_other_systems_it_cannot_be_told_and_nothing_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path / "a")
    monkeypatch.setattr("sys.platform", "darwin")
    for look in (residency, make_cold, make_warm):
        found = look([path, tmp_path / "absent"])
        assert (found.pages, found.resident, found.part, found.method, found.is_cold) == (PAGES, None, None, "unknown", False)


ASKED_BY_ANOTHER = """
import os, sys
sys.path[:] = {path!r}
from pixstore.bench.residency import make_cold
os.setgid(65534)
os.setuid(65534)
found = make_cold([{file!r}])
print(found.pages, found.resident)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can ask as somebody else")
def test_of_files_that_one_may_not_write_the_kernel_is_not_believed(place: Path) -> None:
    # It would say that all of them are resident.
    with tempfile.TemporaryDirectory() as folder:
        path = written(Path(folder, "a"))
        for each, mode in ((Path(folder), 0o755), (path, 0o644)):
            each.chmod(mode)
        program = ASKED_BY_ANOTHER.format(path=[os.path.abspath(each) for each in sys.path], file=str(path))
        told = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert told == [str(PAGES), "None"]
