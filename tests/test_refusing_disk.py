"""A disk that is full, read-only or gone while a store is written: one clear error, and what was committed before is whole.

Small file systems in memory where root may mount them; a limit on the size of files elsewhere.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import pixstore
from pixstore import errors
from pixstore.registry import ENGINES

LIBC = ctypes.CDLL(None, use_errno=True)
READ_ONLY, REMOUNT = 1, 32


def mount(place: Path, flags: int, options: str) -> bool:
    return bool(LIBC.mount(b"tmpfs", os.fsencode(place), b"tmpfs", flags, options.encode()) == 0)


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """Return a folder on a file system of 6 MB."""
    place = tmp_path / "small"
    place.mkdir()
    if not mount(place, 0, "size=6m"):
        pytest.skip(f"no permission to mount a small file system ({os.strerror(ctypes.get_errno())})")
    yield place
    assert LIBC.umount2(os.fsencode(place), 2) == 0


def pixels(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, 32, 32, 3)).astype(np.uint8)


@pytest.mark.parametrize("engine", ENGINES)
def test_full_disk_is_one_clear_error_and_space_that_was_freed_is_used(small: Path, engine: str) -> None:
    path = small / "s"
    with pixstore.Writer(path, engine=engine) as writer:
        writer.add_batch(pixels(300), label=[0] * 300)
    files = {str(each): each.stat().st_size for each in path.rglob("*") if each.is_file()}
    with pytest.raises(errors.StoreFullError) as caught, pixstore.Writer(path, mode="a", shard_bytes=1 << 20) as writer:
        for turn in range(20):
            writer.add_batch(pixels(300, seed=turn), label=[1] * 300)
    assert str(path) in str(caught.value) and "bytes needed" in str(caught.value) and "bytes free" in str(caught.value)
    assert {str(each): each.stat().st_size for each in path.rglob("*") if each.is_file()} == files
    assert np.array_equal(pixstore.open(path)[:]["image"], pixels(300))
    with pixstore.Writer(path, mode="a") as writer:
        writer.add_batch(pixels(9), label=[2] * 9)
    assert len(pixstore.open(path)[:]["label"]) == 309


def test_upkeep_of_a_full_disk_frees_it_or_leaves_it_as_it_was(small: Path) -> None:
    path = small / "s"
    for turn in range(3):
        with pixstore.Writer(path, mode="a" if turn else "x", durability="process") as writer:
            writer.add_batch(pixels(300, seed=turn), label=[turn] * 300)
    with pixstore.Writer(path, mode="a", durability="process") as writer:
        for row in range(600):
            writer.delete(f"{row:08}")
    with open(small / "filler", "wb") as filler, pytest.raises(OSError, match="No space"):
        while True:
            filler.write(bytes(1 << 14))
            filler.flush()
    before = sorted(each.name for each in path.rglob("*"))
    store = pixstore.Store(path)
    words = rf"{path}/shards/.*: no space left, 30,720 bytes needed, [\d,]+ bytes free"
    with pytest.raises(errors.StoreFullError, match=words), pixstore.Writer(path, mode="a", durability="process") as writer:
        writer.add_batch(pixels(10), label=[0] * 10)
    with pytest.raises(errors.StoreFullError, match=rf"{path}.*: no space left"):
        store.rollback(1)
    assert sorted(each.name for each in path.rglob("*")) == before
    assert store.gc(keep=1).bytes > 600 * 3000
    assert np.array_equal(pixstore.open(path)[:]["image"], pixels(300, seed=2))
    with pixstore.Writer(path, mode="a", durability="process") as writer:
        writer.add_batch(pixels(300), label=[0] * 300)


def test_store_on_a_disk_that_became_read_only_is_read_and_not_written(small: Path) -> None:
    path = small / "s"
    with pixstore.Writer(path) as writer:
        writer.add_batch(pixels(5))
    (path / "shards" / "0123456789abcdef.partial").mkdir()
    assert mount(small, READ_ONLY | REMOUNT, "size=6m")
    assert np.array_equal(pixstore.open(path)[:]["image"], pixels(5))
    store = pixstore.Store(path)
    assert len(store.versions()) == 1 and store.gc(dry_run=True).names == ("shards/0123456789abcdef.partial",)
    for call in (lambda: pixstore.Writer(path, mode="a"), store.gc, store.compact, lambda: store.tag("x")):
        with pytest.raises(errors.ReadOnlyError, match=rf"{path}: cannot be written \(Read-only file system\)"):
            call()
    assert mount(small, REMOUNT, "size=6m")


LIMITED = """
    import resource, signal, sys
    import numpy as np, pixstore
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    with pixstore.Writer(sys.argv[1], engine=sys.argv[2], durability="process") as writer:
        writer.add_batch(np.zeros((3, 32, 32, 3), "uint8"))
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
    try:
        with pixstore.Writer(sys.argv[1], mode="a", durability="process") as writer:
            writer.add_batch(np.zeros((2000, 32, 32, 3) if sys.argv[2] not in ("files", "zarr") else (1, 1024, 1024, 3), "uint8"))
    except pixstore.errors.StoreFullError as error:
        print(error)
    print(len(pixstore.open(sys.argv[1])[:]["image"]))
"""


@pytest.mark.parametrize("engine", ENGINES)
def test_limit_on_the_size_of_files_is_told_as_such(tmp_path: Path, engine: str) -> None:
    command = [sys.executable, "-c", textwrap.dedent(LIMITED), str(tmp_path / "s"), engine]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    refusal, count = done.stdout.splitlines()
    assert str(tmp_path / "s") in refusal and "limit" in refusal and "bytes free" in refusal and count == "3"


@pytest.mark.parametrize("engine", ENGINES)
def test_folder_that_is_moved_away_while_it_is_written_is_named(tmp_path: Path, engine: str) -> None:
    path = tmp_path / "s"
    with pixstore.Writer(path, engine=engine) as writer:
        writer.add_batch(pixels(5))
    writer = pixstore.Writer(path, mode="a")
    writer.add_batch(pixels(5, seed=1))
    path.rename(tmp_path / "elsewhere")
    with pytest.raises(errors.PathNotFoundError, match=str(path)):
        writer.commit()
    with pytest.raises(errors.WriterClosedError, match="earlier error"):
        writer.close()
    assert not path.exists(), "nothing is made anew where the store was"
    (tmp_path / "elsewhere").rename(path)
    assert np.array_equal(pixstore.open(path)[:]["image"], pixels(5))
    with pixstore.Writer(path, mode="a") as again:
        again.add_batch(pixels(5, seed=1))
    assert len(pixstore.open(path)) == 10
