"""convert after a kill: the same call goes on, and ends with the store of an undisturbed run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import pixstore
from pixstore import errors, manifest
from pixstore.registry import ENGINES
from pixstore.trust.digest import dataset_digest

COUNT = 60
OPTIONS: dict[str, Any] = {"durability": "process", "shard_bytes": 1000, "order": "shuffle:4"}

CHILD = """
import sys, time, pixstore
from pixstore.jobs import coordinate
coordinate.COMMIT_SECONDS = 0.0
def report(done, total, size):
    if total:
        print(done, flush=True)
        time.sleep(0.01)
if __name__ == "__main__":
    pixstore.convert(sys.argv[1], sys.argv[2], engine=sys.argv[3], on=sys.argv[4], workers=2, progress=report, **{options!r})
"""


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Sixty PNG files of two classes, one of them cut off."""
    random = np.random.default_rng(0)
    for number in range(COUNT):
        place = tmp_path / "photos" / ("cat", "dog")[number % 2] / f"{number:02}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, (6, 5, 3), np.uint8)).save(place)
    place.write_bytes(place.read_bytes()[:60])
    return tmp_path / "photos"


@pytest.fixture
def script(tmp_path: Path) -> Path:
    (tmp_path / "child.py").write_text(CHILD.format(options=OPTIONS))
    return tmp_path / "child.py"


@contextmanager
def running(script: Path, photos: Path, out: Path, engine: str, on: str) -> Iterator[tuple[subprocess.Popen[str], Iterator[int]]]:
    """Yield a conversion in a process of its own, and how many samples it says are done."""
    command = [sys.executable, str(script), str(photos), str(out), engine, on]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        yield child, (int(line) for line in child.stdout)


def assert_like_undisturbed(out: Path, photos: Path, tmp_path: Path, engine: str) -> None:
    pixstore.convert(photos, tmp_path / "undisturbed", engine=engine, **OPTIONS)
    made, expected = pixstore.open(out), pixstore.open(tmp_path / "undisturbed")
    assert made.table.equals(expected.table) and made.encoded_many(slice(None)) == expected.encoded_many(slice(None))
    assert (
        dataset_digest(made) == dataset_digest(expected)
        and (out / "bad.csv").read_bytes() == (tmp_path / "undisturbed" / "bad.csv").read_bytes()
    )
    found = manifest.load(out)
    named = {file.name for each in found.shards for file in (each.table, each.keys, each.pixels) if file is not None}
    assert {each.name for each in (out / "shards").iterdir()} == named and found.version == 1


@pytest.mark.parametrize("engine", ENGINES)
def test_killed_three_times_it_ends_like_an_undisturbed_run(tmp_path: Path, photos: Path, script: Path, engine: str) -> None:
    out = tmp_path / "out"
    for kill in (10, 25, 40):
        with running(script, photos, out, engine, "threads") as (child, reports):
            for done in reports:
                if done >= kill:
                    child.kill()
        assert child.wait() == -signal.SIGKILL
        assert manifest.load(out).is_unfinished
    report = pixstore.convert(photos, out, engine=engine, resume=True, **OPTIONS)
    assert (report.samples, len(report.bad_rows)) == (COUNT - 1, 1) and 35 < report.resumed < COUNT
    assert_like_undisturbed(out, photos, tmp_path, engine)


def children_of(process: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


@pytest.mark.skipif(sys.platform != "linux", reason="/proc names the workers")
def test_a_worker_process_may_be_killed(tmp_path: Path, photos: Path, script: Path) -> None:
    killed = 0
    with running(script, photos, tmp_path / "out", "packed", "processes") as (child, reports):
        for done in reports:
            if done >= 10 and not killed:
                # One of them is the interpreter's own tracker of what is shared.
                workers = [each for each in children_of(child.pid) if b"spawn_main" in Path(f"/proc/{each}/cmdline").read_bytes()]
                os.kill(workers[0], signal.SIGKILL)
                killed += 1
    assert killed and child.wait() == 0
    assert_like_undisturbed(tmp_path / "out", photos, tmp_path, "packed")


@pytest.mark.skipif(sys.platform != "linux", reason="/proc names the workers")
def test_workers_end_with_the_process_that_started_them(tmp_path: Path, photos: Path, script: Path) -> None:
    with running(script, photos, tmp_path / "out", "packed", "processes") as (child, reports):
        workers = next(children_of(child.pid) for done in reports if done >= 10)
        child.kill()
    assert workers and all(has_ended(each) for each in workers)
    pixstore.convert(photos, tmp_path / "out", **OPTIONS)
    assert_like_undisturbed(tmp_path / "out", photos, tmp_path, "packed")


def has_ended(process: int, seconds: float = 10.0) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return True
        if state in "ZX":
            return True
        time.sleep(0.01)
    return False


def interrupted(photos: Path, out: Path, **options: Any) -> None:
    """Stop a conversion once a range of it is done."""

    def stop(done: int, total: int, size: int) -> None:
        if total and done >= 10:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pixstore.convert(photos, out, progress=stop, **{**OPTIONS, **options})


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"engine": "lmdb"}, "engine: 'packed' → 'lmdb'"),
        ({"codec": "raw"}, "codec: 'keep' → 'raw'"),
        ({"order": "key"}, "order: 'shuffle:4' → 'key'"),
        ({"check": "none"}, "check: 'structure' → 'none'"),
        ({"dedup": True}, "dedup: False → True"),
        ({"durability": "power"}, "durability: 'process' → 'power'"),
        ({"shard_bytes": 2000}, "shard_bytes: 1,000 → 2,000"),
        ({"label_from": "(.)"}, "label_from: none → '(.)'"),
    ],
)
def test_other_options_are_refused_by_name(tmp_path: Path, photos: Path, changes: dict[str, Any], said: str) -> None:
    interrupted(photos, tmp_path / "out")
    with pytest.raises(errors.JobMismatchError) as raised:
        pixstore.convert(photos, tmp_path / "out", **{**OPTIONS, **changes})
    assert said in str(raised.value)


def test_what_decides_nothing_may_change(tmp_path: Path, photos: Path) -> None:
    interrupted(photos, tmp_path / "out", bad_limit=5)
    report = pixstore.convert(
        photos, tmp_path / "out", on="processes", workers=1, memory=1 << 20, threads=1, bad_limit="none", on_bad="quarantine", **OPTIONS
    )
    assert report.samples == COUNT - 1 and 0 < report.resumed < COUNT
    assert_like_undisturbed(tmp_path / "out", photos, tmp_path, "packed")


def test_changed_source_is_refused_by_what_changed(tmp_path: Path, photos: Path) -> None:
    interrupted(photos, tmp_path / "out")
    one = photos / "cat" / "00.png"
    content, status = one.read_bytes(), one.stat()
    one.unlink()
    with pytest.raises(errors.JobMismatchError, match="samples in the source: 60 → 59"):
        pixstore.convert(photos, tmp_path / "out", **OPTIONS)
    one.write_bytes(content)
    with pytest.raises(errors.JobMismatchError, match="newest change in the source: '20"):
        pixstore.convert(photos, tmp_path / "out", **OPTIONS)
    os.utime(one, ns=(status.st_atime_ns, status.st_mtime_ns))
    pixstore.convert(photos, tmp_path / "out", **OPTIONS)
    assert_like_undisturbed(tmp_path / "out", photos, tmp_path, "packed")


def test_nothing_else_writes_to_what_is_not_finished(tmp_path: Path, photos: Path) -> None:
    interrupted(photos, tmp_path / "out")
    with pytest.raises(errors.StoreBusyError, match="not finished"):
        pixstore.Writer(tmp_path / "out", mode="a")
    with pixstore.Writer(tmp_path / "out", mode="w", durability="process") as writer:
        writer.add(np.zeros((2, 2), np.uint8))
    assert manifest.load(tmp_path / "out").job is None
