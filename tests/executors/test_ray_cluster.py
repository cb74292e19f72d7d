"""Ray: the same results as on threads whatever becomes of the workers, and nothing of a cluster of our own outlives its run.

Run by `make test-frameworks`, in the environment that has Ray.
"""

from __future__ import annotations

import gc
import math
import os
import shutil
import signal
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import ray

import pixstore
from pixstore import executors
from pixstore.errors import InvalidInputError, StoreFullError, WorkerDiedError
from pixstore.executors.ray_cluster import MOST_DEATHS
from pixstore.trust.digest import dataset_digest

# Workers cannot import this file.
ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
KILLS = 5


@pytest.fixture(scope="class")
def cluster() -> Iterator[None]:
    """A cluster that somebody else started and this process is connected to."""
    os.environ.setdefault("RAY_AUTH_TOKEN", "0" * 64)
    folder = tempfile.mkdtemp(prefix="r-")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False, _temp_dir=folder, object_store_memory=100 << 20)
        yield
        ray.shutdown()
    shutil.rmtree(folder)
    with warnings.catch_warnings(action="ignore", category=ResourceWarning):
        gc.collect()


def square(task: int) -> int:
    return task * task


def die_the_first_time(folder: Path, task: int) -> int:
    """Die at two of the tasks, once each."""
    mark = folder / str(task)
    if task in (1, 3) and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return task


def die(task: int) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return task


def refuse(task: int) -> int:
    raise StoreFullError(28, f"no space for {task}")


def sleep_and_note(folder: Path, seconds: float) -> None:
    time.sleep(seconds)
    (folder / str(seconds)).touch()


@pytest.mark.usefixtures("cluster")
class TestOnAClusterThatIsThere:
    def test_every_task_is_done_once(self) -> None:
        assert sorted(executors.run(square, range(20), on="ray", workers=2)) == [(number, number**2) for number in range(20)]
        assert ray.is_initialized()

    def test_a_task_whose_worker_is_killed_is_done_again(self, tmp_path: Path) -> None:
        results = list(executors.run(partial(die_the_first_time, tmp_path), range(5), on="ray", workers=2))
        assert sorted(results) == [(number, number) for number in range(5)] and len(list(tmp_path.iterdir())) == 2

    def test_deaths_without_end_are_an_error(self) -> None:
        with pytest.raises(WorkerDiedError, match=rf"{MOST_DEATHS} Ray workers in a row .* at task 0"):
            list(executors.run(die, [0], on="ray", workers=1))

    def test_an_error_of_a_task_is_raised_as_it_was(self) -> None:
        with pytest.raises(StoreFullError, match="no space for 7") as caught:
            list(executors.run(refuse, [7], on="ray", workers=1))
        assert caught.value.errno == 28

    def test_closing_ends_the_tasks_that_run(self, tmp_path: Path) -> None:
        results = executors.run(partial(sleep_and_note, tmp_path), [0.01, 60.0, 60.5], on="ray", workers=2)
        next(results)
        results.close()  # type: ignore[attr-defined]
        deadline = time.monotonic() + 20
        while busy_workers() and time.monotonic() < deadline:
            time.sleep(0.1)
        assert busy_workers() == [] and [each.name for each in tmp_path.iterdir()] == ["0.01"]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Return a store of 48 arrays, which take long to encode as PNG with all effort."""
    with pixstore.Writer(tmp_path / "source.pixstore", durability="process") as writer:
        random = np.random.default_rng(0)
        ramps = np.linspace(0, 200, 300, dtype=np.uint8)[None, :, None]
        writer.add_batch(ramps + random.integers(0, 40, (48, 300, 300, 3), np.uint8), label=np.arange(48))
    return tmp_path / "source.pixstore"


def busy_workers() -> list[int]:
    """Return those of this process's grandchildren, the workers of its own cluster, that run a task now."""
    parents = {}
    for each in Path("/proc").iterdir():
        if each.name.isdigit():
            try:
                parents[int(each.name)] = int((each / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
    raylets = {pid for pid, parent in parents.items() if parent == os.getpid()}
    return [pid for pid, parent in parents.items() if parent in raylets and command(pid).startswith("ray::_call")]


def command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


def clusters() -> set[str]:
    """Return the command lines of processes that belong to some Ray session."""
    found = {command(int(each.name)) for each in Path("/proc").iterdir() if each.name.isdigit()}
    return {each for each in found if "/session_" in each or each.startswith("ray::")}


def test_a_conversion_whose_workers_are_killed_five_times_is_that_of_threads_and_leaves_nothing(
    source: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    handler = signal.getsignal(signal.SIGTERM)
    home = Path("~/.ray").expanduser().exists()
    shared, temporary, before = set(os.listdir("/dev/shm")), set(os.listdir(tempfile.gettempdir())), clusters()
    options = {"codec": "png", "level": 12, "shard_bytes": 2 * 270_000, "durability": "process"}
    killed: list[int] = []

    def kill(done: int, total: int, size: int) -> None:
        if len(killed) < KILLS and done >= 6 * len(killed):
            for pid in busy_workers()[:1]:
                os.kill(pid, signal.SIGKILL)
                killed.append(pid)

    pixstore.convert(source, tmp_path / "threads.pixstore", **options)  # type: ignore[arg-type]
    report = pixstore.convert(source, tmp_path / "ray.pixstore", on="ray", workers=2, progress=kill, **options)  # type: ignore[arg-type]

    assert len(set(killed)) == KILLS and report.samples == 48
    with pixstore.open(tmp_path / "threads.pixstore") as threads, pixstore.open(tmp_path / "ray.pixstore") as made:
        assert dataset_digest(made) == dataset_digest(threads)
        manifest = made.store_manifest
        assert manifest is not None and len(manifest.shards) >= 20 and not manifest.is_unfinished
        named = {file.name for each in manifest.shards for file in (each.table, each.keys, each.pixels) if file is not None}
    pixstore.Store(tmp_path / "ray.pixstore").gc()
    assert {each.name for each in (tmp_path / "ray.pixstore" / "shards").iterdir()} == named
    assert clusters() == before
    # Other programs have things there too.
    assert not {each for each in set(os.listdir("/dev/shm")) - shared if "plasma" in each or "ray" in each}
    assert not {each for each in set(os.listdir(tempfile.gettempdir())) - temporary if each.startswith("ray-")}
    assert Path("~/.ray").expanduser().exists() == home
    assert "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO" not in os.environ and signal.getsignal(signal.SIGTERM) == handler
    assert capfd.readouterr().out == ""


def test_where_no_cluster_answers_that_is_said_at_once() -> None:
    for address in ("127.0.0.1:1", "ray://127.0.0.1:1", "auto"):
        with pytest.raises(InvalidInputError, match=rf"no Ray cluster at '{address}'"):
            list(executors.run(math.factorial, [1], on=f"ray={address}"))
