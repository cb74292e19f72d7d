from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pixstore.bench.images import built_in, from_source
from pixstore.bench.lab.lab import DifferenceError, Lab
from pixstore.bench.lab.sharing import bounds, shares_apart, shares_of_one
from pixstore.bench.lab.workers import Share, Workers
from pixstore.bench.ways import catalog, hand_lmdb, hand_memmap
from pixstore.bench.ways.base import Work
from pixstore.errors import InvalidInputError, WorkerDiedError

PATIENCE_SECONDS = 20.0


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(built_in(40), [], tmp_path / "lab", 2)


def test_processes_read_one_store_together(lab: Lab) -> None:
    work, workers = lab.work(40), Workers(lab)
    for name in ("tutorial-lmdb", "hand-files", "hand-lmdb", "hand-hdf5", "hand-memmap", "packed/png", "lmdb/raw"):
        way = catalog.find(name, None, 2)
        together = workers.work("read", way, work, shares_of_one(str(lab.stored(way, work)), work.order, 2), batch=7)
        assert together.processes == 2 and together.seconds > 0 and together.cpu_seconds >= 0
    workers.end()


def test_processes_store_their_parts_and_read_them_again(lab: Lab) -> None:
    way, work, workers, place = hand_memmap.WAY, lab.work(40), Workers(lab), lab.fresh("apart")
    folders = [str(place / str(number)) for number in range(2)]
    for folder in folders:
        Path(folder).mkdir()
    shares = [Share(folder, start, stop) for folder, (start, stop) in zip(folders, bounds(40, 2), strict=True)]
    assert workers.work("store", way, work, shares).processes == 2
    assert workers.work("read", way, work, shares_apart(folders, 40), batch=8).processes == 2
    workers.end()


def test_encoded_photos_of_mixed_sizes_pass_too(photos: Path, tmp_path: Path) -> None:
    sample = from_source(photos, 8)
    lab = Lab(sample, [], tmp_path / "lab", 2)
    way, work, workers = catalog.find("packed/keep", None, 2), lab.work(8), Workers(lab)
    workers.work("read", way, work, shares_of_one(str(lab.stored(way, work)), work.order, 2), batch=3)
    workers.end()
    sample.close()


@pytest.mark.parametrize("wrong", ["labels", "pixels"])
def test_what_was_not_stored_so_is_a_difference(lab: Lab, wrong: str) -> None:
    way, work, workers = hand_lmdb.WAY, lab.work(40), Workers(lab)
    place = lab.stored(way, work)
    other = replace(work, labels=work.labels + 1) if wrong == "labels" else replace(work, images=work.images[::-1])
    with pytest.raises(DifferenceError, match="the read-back differs from the input: image"):
        workers.work("read", way, other, shares_of_one(str(place), work.order, 2), batch=8)
    assert workers.work("read", way, work, shares_of_one(str(place), work.order, 2), batch=8).processes == 2
    workers.end()


def test_an_error_of_the_way_is_raised_here(lab: Lab, mixed_work: Work) -> None:
    workers, place = Workers(lab), lab.fresh("mixed")
    with pytest.raises(InvalidInputError, match="hand-memmap keeps one array"):
        workers.work("store", hand_memmap.WAY, mixed_work, [Share(str(place), 0, 4)])
    workers.end()


def test_a_process_that_dies_is_named_at_once_and_nobody_waits_for_it(lab: Lab) -> None:
    way, work, workers = hand_lmdb.WAY, lab.work(40), Workers(lab)
    place = lab.stored(way, work)
    # What LMDB maps beyond the end of the file ends the process that looks at it.
    os.truncate(place / hand_lmdb.FILE, 3 * os.sysconf("SC_PAGE_SIZE"))
    started = time.monotonic()
    with pytest.raises(WorkerDiedError, match=r"process \d+ ended by signal \d+ .* before its work did"):
        workers.work("read", way, work, shares_of_one(str(place), work.order, 2), batch=8)
    assert time.monotonic() - started < PATIENCE_SECONDS
    assert wait_for(lambda: not children_of(pid_of(workers)))
    workers.end()


def test_no_process_is_left_after_the_end_nor_after_the_last_use(lab: Lab) -> None:
    way, work = hand_memmap.WAY, lab.work(40)
    for is_ended in (True, False):
        workers = Workers(lab)
        workers.work("read", way, work, shares_of_one(str(lab.stored(way, work)), work.order, 2), batch=8)
        pid = pid_of(workers)
        assert not children_of(pid)
        if is_ended:
            workers.end()
        del workers
        assert wait_for(lambda pid=pid: not is_there(pid))


def test_processes_end_with_the_one_that_started_them(lab: Lab) -> None:
    work, workers = lab.work(4000), Workers(lab)
    place, errors = lab.fresh("long"), []
    shares = [Share(str(place / str(number)), start, stop) for number, (start, stop) in enumerate(bounds(4000, 2))]
    for share in shares:
        Path(share.folder).mkdir()

    def work_for_long() -> None:
        try:
            workers.work("store", catalog.find("tutorial-png", None, 1), work, shares)
        except WorkerDiedError as error:
            errors.append(str(error))

    thread = threading.Thread(target=work_for_long)
    thread.start()
    assert wait_for(lambda: workers._process is not None and len(children_of(pid_of(workers))) == 2)
    pid = pid_of(workers)
    children = children_of(pid)
    os.kill(pid, signal.SIGKILL)
    thread.join(PATIENCE_SECONDS)
    assert errors and f"process {pid}, which starts the workers, ended with status -9" in errors[0]
    assert wait_for(lambda: not any(is_there(child) for child in children))


def test_processes_end_with_a_run_that_is_killed(tmp_path: Path) -> None:
    program = f"""
import os
from pathlib import Path
from pixstore.bench.images import built_in
from pixstore.bench.lab.lab import Lab
from pixstore.bench.lab.sharing import shares_of_one
from pixstore.bench.lab.workers import Workers
from pixstore.bench.ways import hand_memmap
lab = Lab(built_in(10), [], Path({str(tmp_path / "lab")!r}), 1)
work, workers = lab.work(10), Workers(lab)
workers.work("read", hand_memmap.WAY, work, shares_of_one(str(lab.stored(hand_memmap.WAY, work)), work.order, 1))
print(workers._process.pid, flush=True)
os._exit(1)
"""
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert found.stdout, found.stderr
    assert wait_for(lambda: not is_there(int(found.stdout)))


def pid_of(workers: Workers) -> int:
    assert workers._process is not None
    return workers._process.pid


def children_of(pid: int) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            state = state_of(int(entry.name))
            if state and state[0] != "Z" and int(state[1]) == pid:
                found.append(int(entry.name))
    return found


def is_there(pid: int) -> bool:
    state = state_of(pid)
    return bool(state) and state[0] != "Z"


def state_of(pid: int) -> list[str]:
    """Return state and parent of a process, nothing where there is none."""
    try:
        return (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[:2]
    except OSError:
        return []


def wait_for(is_so: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
