"""Writer, when things go wrong: the store is as it was, nothing is lost without a word, one writer at a time."""

from __future__ import annotations

import errno
import fcntl
import gc
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.engine_kinds import DEEP

import pixstore
from pixstore import builder, disk, errors, manifest
from pixstore import writer as writer_module
from pixstore.engines import writing
from pixstore.registry import ENGINES
from pixstore.writer import FLUSH_ROWS, Writer


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def pixels(count: int, *shape: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (count, *shape)).astype(np.uint8)


def tree(path: Path) -> dict[str, bytes]:
    """Return every file below a folder, but for the lock."""
    return {str(each.relative_to(path)): each.read_bytes() for each in path.rglob("*") if each.is_file() and each.name != ".lock"}


def make(path: Path, engine: str = "packed", count: int = 4) -> None:
    with Writer(path, engine=engine) as writer:
        writer.add_batch(pixels(count, 3, 3, 3), key=[f"k{n}" for n in range(count)], label=list(range(count)))


# ---- aborting ----


def test_exception_in_the_block_leaves_the_store_byte_for_byte(tmp_path: Path, engine: str) -> None:
    make(tmp_path / "s", engine)
    before = tree(tmp_path / "s")
    with pytest.raises(ZeroDivisionError), Writer(tmp_path / "s", mode="a", shard_bytes=100) as writer:
        writer.add_batch(pixels(20, 3, 3, 3), label=[0] * 20)
        writer.add(pixels(1, 9, 9)[0], label=1)
        writer.update("k1", label=7)
        writer.update("k2", pixels(1, 5, 5)[0])
        writer.delete("k0")
        writer.add(pixels(1, 9, 9)[0], label=1)
        raise ZeroDivisionError
    assert tree(tmp_path / "s") == before


def test_exception_in_the_block_removes_a_new_store(tmp_path: Path, engine: str) -> None:
    with pytest.raises(ZeroDivisionError), Writer(tmp_path / "s", engine=engine) as writer:
        writer.add_batch(pixels(3, 3, 3))
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


def test_exception_in_the_block_leaves_what_others_put_into_a_new_store(tmp_path: Path, engine: str) -> None:
    with pytest.raises(ZeroDivisionError), Writer(tmp_path / "s", engine=engine, shard_bytes=30) as writer:
        writer.add_batch(pixels(3, 3, 3))
        for name in ("notes.txt", "model/weights.bin", "shards/mine.bin"):
            (tmp_path / "s" / name).parent.mkdir(exist_ok=True)
            (tmp_path / "s" / name).write_text("mine")
        raise ZeroDivisionError
    assert sorted(tree(tmp_path / "s")) == ["model/weights.bin", "notes.txt", "shards/mine.bin"]
    assert not (tmp_path / "s" / ".lock").exists()


def test_abort_after_a_commit_that_failed_when_it_was_visible_keeps_borrowed_pixels(
    tmp_path: Path, engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path / "s", engine)

    def failing(path: Path, real: Callable[[Path], None] = disk.sync_folder) -> None:
        if path == tmp_path / "s":
            raise OSError(errno.EIO, "injected")
        real(path)

    writer = Writer(tmp_path / "s", mode="a")
    writer.add_batch(pixels(3, 3, 3, 3, seed=1), key=["n0", "n1", "n2"], label=[1, 2, 3])
    for number in range(3):
        writer.update(f"n{number}", label=100)
    monkeypatch.setattr(disk, "sync_folder", failing)
    with pytest.raises(OSError, match="error"):
        writer.commit()
    writer.abort()
    ds = pixstore.open(tmp_path / "s")
    assert len(ds) == 7 and len(ds[:]["image"]) == 7 and pixstore.verify(tmp_path / "s").ok


def test_clean_up_that_fails_does_not_hide_the_error(tmp_path: Path, engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path / "s", engine)
    with pytest.raises(ZeroDivisionError), Writer(tmp_path / "s", mode="a", shard_bytes=30) as writer:
        writer.add_batch(pixels(3, 3, 3, 3), label=[0] * 3)
        for module in (builder, writing):
            monkeypatch.setattr(module, "remove", refusing)
        monkeypatch.setattr(writer_module, "load", refusing)
        raise ZeroDivisionError
    with pytest.raises(ZeroDivisionError), Writer(tmp_path / "t", engine=engine) as writer:
        writer.add_batch(pixels(3, 3, 3))
        monkeypatch.setattr(writer_module, "remove_ours", refusing)
        raise ZeroDivisionError


def refusing(path: Path) -> None:
    raise OSError(errno.EIO, "injected", str(path))


def test_exception_after_a_commit_keeps_what_was_committed(tmp_path: Path, engine: str) -> None:
    with pytest.raises(ZeroDivisionError), Writer(tmp_path / "s", engine=engine) as writer:
        writer.add_batch(pixels(3, 3, 3))
        assert writer.commit() == 1
        writer.add_batch(pixels(2, 3, 3))
        assert writer.commit() == 2
        writer.add_batch(pixels(2, 3, 3))
        raise ZeroDivisionError
    assert len(pixstore.open(tmp_path / "s")) == 5 and len(pixstore.open(tmp_path / "s", version=1)) == 3


def test_abort_leaves_nothing_and_ends_the_writer(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "s")
    writer.add(pixels(1, 3, 3)[0])
    writer.abort()
    writer.abort()
    writer.close()
    assert not (tmp_path / "s").exists()
    with pytest.raises(errors.WriterClosedError, match="closed"):
        writer.add(pixels(1, 3, 3)[0])


# ---- failing ----


BAD: dict[str, Callable[[Writer], Any]] = {
    "label of another type": lambda w: [w.add(pixels(1, 2, 2)[0], label="cat"), w.commit()],
    "bytes that are no image": lambda w: [w.add(b"no image at all", label=1), w.commit()],
    "key twice": lambda w: [w.add(pixels(1, 2, 2)[0], key="k0", label=1), w.commit()],
    "flush on update": lambda w: [w.add(b"no image at all", label=1), w.update("missing", label=3)],
    "second piece of a batch": lambda w: w.add_batch([pixels(1, 2, 2)[0]] * FLUSH_ROWS + [b"x"], label=[1] * (FLUSH_ROWS + 1)),
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD.keys())
def test_error_that_may_have_lost_samples_stops_the_writer_even_if_caught(tmp_path: Path, bad: Callable[[Writer], Any]) -> None:
    make(tmp_path / "s")
    before = tree(tmp_path / "s")
    writer = Writer(tmp_path / "s", mode="a")
    writer.add(pixels(1, 2, 2)[0], label=9)
    with pytest.raises(errors.PixstoreError):
        bad(writer)
    for call in (lambda: writer.add(pixels(1, 2, 2)[0]), writer.commit, lambda: writer.delete("k0")):
        with pytest.raises(errors.WriterClosedError, match="earlier error"):
            call()
    with pytest.raises(errors.WriterClosedError, match="earlier error"):
        writer.close()
    assert tree(tmp_path / "s") == before
    with Writer(tmp_path / "s", mode="a") as again:
        again.add(pixels(1, 2, 2)[0], label=9)


def test_refused_first_batch_leaves_no_names_behind(tmp_path: Path) -> None:
    with Writer(tmp_path / "s") as writer:
        with pytest.raises(errors.RecordError):
            writer.add_batch([b"no image"], lable=[1], mask=[pixels(1, 2, 2)[0]])
        with pytest.raises(errors.SchemaError):
            writer.add_batch(pixels(1, 2, 2), label=[object()])
        writer.add_batch(pixels(2, 2, 2), label=[1, 2], mask=[None, pixels(1, 2, 2)[0]])
    ds = pixstore.open(tmp_path / "s")
    assert ds.schema.columns.names == ["label"] and ds.schema.field_names == ("image", "mask") and ds[0]["mask"] is None


def test_caught_error_makes_the_block_raise_at_its_end(tmp_path: Path) -> None:
    with pytest.raises(errors.WriterClosedError, match="no image"), Writer(tmp_path / "s") as writer:
        writer.add(b"no image", key="a")
        with pytest.raises(errors.PixstoreError):
            writer.commit()
    assert not (tmp_path / "s").exists()


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda w: w.add(object()), errors.InvalidInputError),
        (lambda w: w.add("no/such/file.png"), errors.PathNotFoundError),
        (lambda w: w.add_batch([b"no image"]), errors.RecordError),
        (lambda w: w.update("nobody", label=3), errors.KeyNotFoundError),
        (lambda w: w.delete("nobody"), errors.KeyNotFoundError),
        (lambda w: w.delete("\udcff"), errors.KeyInvalidError),
        (lambda w: w.update("k0", unknown=3), errors.SchemaError),
    ],
)
def test_refusal_before_anything_is_noted_leaves_the_writer_working(tmp_path: Path, call: Callable[[Writer], Any], error: type) -> None:
    make(tmp_path / "s")
    with Writer(tmp_path / "s", mode="a") as writer:
        writer.add(pixels(1, 2, 2)[0], key="before", label=1)
        with pytest.raises(error):
            call(writer)
        writer.add(pixels(1, 2, 2)[0], key="after", label=2)
    ds = pixstore.open(tmp_path / "s")
    assert ds.keys.to_pylist() == ["k0", "k1", "k2", "k3", "before", "after"] and ds["k0"]["label"] == 0


@pytest.mark.parametrize("engine", DEEP)
def test_no_moment_of_a_failing_disk_loses_a_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: str) -> None:
    """The first, second … fsync fails: afterwards the store opens as one of the two versions, whole, and can be added to."""
    real, images = os.fsync, pixels(2, 3, 3, 3, seed=5)
    for good_calls in range(40):
        path, calls = tmp_path / str(good_calls), iter(range(1000))
        make(path, engine)

        def failing(descriptor: int, calls: Any = calls, good: int = good_calls) -> None:
            if next(calls) == good:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            real(descriptor)

        monkeypatch.setattr(os, "fsync", failing)
        try:
            with Writer(path, mode="a") as writer:
                writer.add_batch(images, label=[8, 9])
                writer.update("k1", label=5)
            finished = True
        except OSError:
            finished = False
        monkeypatch.setattr(os, "fsync", real)
        ds = pixstore.open(path)
        assert np.array_equal(ds[:4]["image"][0], pixels(4, 3, 3, 3)[0]) and len(ds) in (4, 6)
        assert len(ds[:]) == 6 if finished else len(ds[:]) == len(ds)
        if finished:
            break
    assert finished and good_calls >= 4, "the loop must have met every fsync"
    with Writer(tmp_path / "0", mode="a") as writer:
        writer.add_batch(images, label=[8, 9])
    assert len(pixstore.open(tmp_path / "0")) == 6


def test_full_disk_is_told_with_the_bytes_that_are_free(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int, views: Any) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "writev", full)
    with pytest.raises(errors.StoreFullError, match=r"no space left.*bytes free.*run the same again"), Writer(tmp_path / "s") as writer:
        writer.add_batch(pixels(3, 3, 3))
    assert list(tmp_path.iterdir()) == []


# ---- durability ----


@pytest.mark.parametrize("durability", ["power", "process"])
def test_durability_is_recorded_and_is_what_is_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, durability: Any, engine: str) -> None:
    real, synced = os.fsync, set()

    def noting(descriptor: int) -> None:
        synced.add(os.readlink(f"/proc/self/fd/{descriptor}"))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", noting)
    with Writer(tmp_path / "deep" / "s", engine=engine, durability=durability) as writer:
        writer.add_batch(pixels(3, 3, 3), key=["a", "b", "c"])
    path = tmp_path / "deep" / "s"
    assert manifest.load(path).durability == durability
    folders = {str(each) for each in (tmp_path, tmp_path / "deep", path, path / "shards", path / "versions")}
    # The manifest and its name always: earlier versions, which may survive a loss of power, are found through it.
    assert folders <= synced if durability == "power" else {Path(each).name.partition(".")[0] for each in synced} == {"manifest", "s"}
    if durability == "power":
        assert any(each.endswith(".arrow") for each in synced) and any(each.endswith(".keys") for each in synced)


# ---- one writer at a time ----


def test_second_writer_is_told_who_has_the_store(tmp_path: Path) -> None:
    make(tmp_path / "s")
    with Writer(tmp_path / "s", mode="a") as writer:
        with pytest.raises(errors.StoreBusyError, match=f"pid {os.getpid()} "):
            Writer(tmp_path / "s", mode="a")
        writer.add(pixels(1, 3, 3)[0], label=1)
    assert len(pixstore.open(tmp_path / "s")) == 5


def test_killed_writer_blocks_nobody_and_loses_nothing(tmp_path: Path) -> None:
    make(tmp_path / "s")
    script = textwrap.dedent(f"""
        import numpy, pixstore, sys, time
        writer = pixstore.Writer({str(tmp_path / "s")!r}, mode="a")
        writer.add_batch(numpy.zeros((5, 3, 3), "uint8"), label=[0] * 5)
        print("ready", flush=True)
        time.sleep(60)
    """)
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        with pytest.raises(errors.StoreBusyError, match=str(process.pid)):
            Writer(tmp_path / "s", mode="a")
        process.send_signal(signal.SIGKILL)
    assert len(pixstore.open(tmp_path / "s")) == 4
    with Writer(tmp_path / "s", mode="a") as writer:
        writer.add(pixels(1, 3, 3)[0], label=1)
    assert len(pixstore.open(tmp_path / "s")) == 5


@pytest.mark.parametrize("engine", DEEP)
def test_child_made_by_fork_leaves_the_writer_to_its_parent(tmp_path: Path, engine: str) -> None:
    """A child that leaves the block, by an error or not, removes nothing of what the parent is writing."""
    make(tmp_path / "s", engine)
    script = textwrap.dedent("""
        import os, sys
        import numpy, pixstore
        for wrong in (False, True):
            writer = pixstore.Writer(sys.argv[1], mode="a", durability="process", shard_bytes=100)
            writer.add_batch(numpy.zeros((5, 3, 3), "uint8"), label=[0] * 5)
            child = os.fork()
            if child == 0:
                try:
                    with writer:
                        if wrong:
                            raise ZeroDivisionError
                except (pixstore.errors.WriterClosedError, ZeroDivisionError) as error:
                    print(error, flush=True)
                os._exit(0)
            os.waitpid(child, 0)
            writer.close()
    """)
    command = [sys.executable, "-c", script, str(tmp_path / "s")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "forked from" in done.stdout and len(pixstore.open(tmp_path / "s")[:]["label"]) == 14


def test_missing_key_is_answered_with_the_nearest(tmp_path: Path) -> None:
    make(tmp_path / "s")
    with Writer(tmp_path / "s", mode="a") as writer:
        with pytest.raises(errors.KeyNotFoundError, match=r"no sample with key 'K1' in .*; did you mean 'k1'\?"):
            writer.delete("K1")
        writer.delete("k1")
        with pytest.raises(errors.KeyNotFoundError, match="'zzzz' in"):
            writer.update("zzzz", label=1)


def test_writer_that_is_dropped_lets_go_of_the_store(tmp_path: Path) -> None:
    make(tmp_path / "s")
    writer = Writer(tmp_path / "s", mode="a")
    with pytest.warns(ResourceWarning):
        del writer
        gc.collect()
    Writer(tmp_path / "s", mode="a").close()


@pytest.mark.parametrize("mode", ["a", "w", "x"])
def test_version_committed_while_waiting_for_the_lock_is_not_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: Any
) -> None:
    """The other writer commits between this one's look at the store and its taking of the lock."""
    path, real = tmp_path / "s", fcntl.flock
    if mode != "x":
        make(path)
    other = Writer(path, mode="x" if mode == "x" else "a")
    other.add(pixels(1, 3, 3)[0], key="theirs")

    def late(file: Any, how: int) -> None:
        if not other._open:
            return real(file, how)
        other.close()
        return real(file, how)

    monkeypatch.setattr(fcntl, "flock", late)
    with pytest.raises((errors.StoreBusyError, errors.DestinationExistsError)):
        Writer(path, mode=mode)
    assert "theirs" in pixstore.open(path)


def test_new_store_of_another_writer_is_never_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second writer comes for the lock while the first one removes its new store: it is refused, or its store stays."""
    path, real = tmp_path / "s", fcntl.flock
    first = Writer(path)

    def late(file: Any, how: int) -> None:
        first.abort()
        return real(file, how)

    monkeypatch.setattr(fcntl, "flock", late)
    with pytest.raises(errors.StoreBusyError, match="run the same again"):
        Writer(path)
    monkeypatch.setattr(fcntl, "flock", real)
    make(path)
    assert len(pixstore.open(path)) == 4
