"""The programs that catch planted faults: each returns what it found wrong, nothing where pixstore is as it should be."""

from __future__ import annotations

import os
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np

import pixstore
from faults import kill, order, rot, syscalls
from faults.forked import run_forked
from faults.judge import content
from faults.model import play
from faults.operations import START_KEYS, add
from faults.rot_reading import read_everything
from faults.samples import digests
from faults.stage import stage, working_folder
from faults.syscalls import targets, traced
from pixstore.engines.hdf5 import Hdf5Reader
from pixstore.errors import PixstoreError
from pixstore.jobs import coordinate
from pixstore.writer import Writer

Plant = Callable[[], None]
MODEL_STEPS, MODEL_SEEDS = 60, 4
MOST_ROT_TRIALS, MOST_KILLS = 60, 40
SYNC_TRIALS = 6
READERS, ROUNDS = 3, 2000
FORKED_ROWS = 400


def by_order(engine: str, op: str, plant: Plant) -> list[str]:
    return order.violations(engine, op, plant)


def by_kill(engine: str, op: str, plant: Plant, *, most: int = MOST_KILLS) -> list[str]:
    """Kill until something is wrong."""
    with stage(engine, op, plant=plant) as ready:
        return next((found for seed in range(most) if (found := kill.trial(ready, seed, Counter()))), [])


def by_syscalls(engine: str, op: str, plant: Plant, *, fault: str = "kill") -> list[str]:
    """Kill at one write-type system call after the other until something is wrong."""
    with stage(engine, op, plant=plant) as ready:
        # The last calls are those of commits.
        chosen = reversed(targets(ready))
        return next((found for target in chosen if (found := syscalls.trial(ready, target, fault, Counter()))), [])


def by_full_disk(engine: str, op: str, plant: Plant) -> list[str]:
    """Refuse one write-type system call after the other for want of space until something is wrong."""
    return by_syscalls(engine, op, plant, fault="ENOSPC")


def by_rot(engine: str, sorts: str, plant: Plant, *, most: int = MOST_ROT_TRIALS) -> list[str]:
    """Put faults into files of these sorts until one is not met as it should be; `sorts` may name a kind of fault too."""
    with rot.sound_store(engine, plant) as sound:
        chosen = (seed for seed in range(100 * most) if {(fault := rot.fault_of(seed, sound)).sort, fault.kind} & {*sorts.split(", ")})
        return next((found for seed, _ in zip(chosen, range(most), strict=False) if (found := rot.trial(sound, seed, plant)[1])), [])


def by_model(engine: str, _: str, plant: Plant, *, most: int = MODEL_SEEDS) -> list[str]:
    """Tell stories until one is not that of the dict."""
    for seed in range(most):
        reply = run_forked(play, engine, seed, MODEL_STEPS, plant, False, seconds=120)
        if not reply.is_whole:
            said = str(reply).splitlines()
            return [f"seed {seed}: {next((line for line in reversed(said) if 'Error' in line), said[-1])}"]
    return []


def by_failed_sync(engine: str, op: str, plant: Plant) -> list[str]:
    """Let one fsync after the other fail: none may pass for done."""
    with stage(engine, op, plant=plant) as ready:
        for number in range(1, SYNC_TRIALS + 1):
            inject = f"inject=fsync:error=EIO:when={number}"
            with ready.attempt(ready.copy()) as attempt, traced(attempt, ready.folder, "trace=fsync", inject):
                attempt.begin()
                ending = attempt.end()
            if ending.finished:
                return [f"fsync {number} failed, and the operation ended as if it had not"]
    return []


def by_resume(engine: str, _: str, plant: Plant) -> list[str]:
    """Interrupt a conversion after its first commit, run it again, and compare what is there with the source."""
    with working_folder() as folder:
        for step, planted in ((_make_source, None), (_interrupted, None), (_resumed, plant)):
            reply = run_forked(_in_order, step, planted, folder, engine)
            if not reply.is_whole:
                return [str(reply).strip().splitlines()[-1]]
        held = run_forked(content, folder / "out").value
    expected = digests(dict.fromkeys(START_KEYS, (0, 0)))
    return [] if held == expected else [f"{len(expected.items() ^ held.items())} samples differ from the source's"]


def _in_order(step: Callable[[Path, str], None], plant: Plant | None, folder: Path, engine: str) -> None:
    if plant is not None:
        plant()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        step(folder, engine)


def _make_source(folder: Path, engine: str) -> None:
    with Writer(folder / "source", durability="process") as writer:
        add(writer, START_KEYS)


def _interrupted(folder: Path, engine: str) -> None:
    def progress(done: int, total: int, size: int) -> None:
        if 0 < done < total:
            raise KeyboardInterrupt

    try:
        _convert(folder, engine, progress)
    except KeyboardInterrupt:
        return
    raise AssertionError("the conversion was to be interrupted")


def _resumed(folder: Path, engine: str) -> None:
    _convert(folder, engine, None)


def _convert(folder: Path, engine: str, progress: Any) -> None:
    coordinate.COMMIT_SECONDS = 0.0
    pixstore.convert(
        folder / "source", folder / "out", engine=engine, durability="process", shard_bytes=4000, threads=1, workers=1, progress=progress
    )


def by_forks(engine: str, _: str, plant: Plant) -> list[str]:
    """Read in a process and in its forked children at once, through what the process had open before."""
    with working_folder() as folder:
        run_forked(_make_source, folder, engine)
        reply = run_forked(_read_in_forks, folder / "source", plant)
    return [str(reply).strip().splitlines()[-1]] if not reply.is_whole else reply.value


def _read_in_forks(path: Path, plant: Plant) -> list[str]:
    plant()
    dataset = pixstore.open(path, threads=1)
    expected = dataset.encoded_many(slice(None))
    readers = []
    for _ in range(READERS):
        readers.append(os.fork())
        if not readers[-1]:
            wrong = True
            try:
                wrong = any(dataset.encoded_many(slice(None)) != expected for _ in range(ROUNDS))
            finally:
                os._exit(wrong)
    statuses = [os.waitpid(each, 0)[1] for each in readers]
    return [f"{sum(map(bool, statuses))} of {READERS} children read other bytes"] if any(statuses) else []


def by_ending_forks(engine: str, _: str, plant: Plant) -> list[str]:
    """Fork while a shard is written; let the child end after the parent has written more, and look at every pixel."""
    with working_folder() as folder:
        reply = run_forked(_write_over_a_fork, folder / "store", engine, plant)
        return [] if reply.is_whole and not reply.value else [str(reply.value or reply).strip().splitlines()[-1]]


def _write_over_a_fork(path: Path, engine: str, plant: Plant) -> list[str]:
    plant()
    images = np.random.default_rng(0).integers(0, 256, (FORKED_ROWS, 64, 64, 3), dtype=np.uint8)
    reading, writing = os.pipe()
    with Writer(path, engine=engine, durability="process", threads=1) as writer:
        writer.add_batch(images[: FORKED_ROWS // 2])
        child = os.fork()
        if not child:
            try:
                os.close(writing)
                os.read(reading, 1)
                # The end of a process closes what its library has open.
                writer._roller._builder._writer._file.close()  # type: ignore[union-attr]
            finally:
                os._exit(0)
        writer.add_batch(images[FORKED_ROWS // 2 :])
        os.close(writing)
        os.waitpid(child, 0)
    return [str(each) for each in pixstore.verify(path).findings]


def by_links(engine: str, _: str, plant: Plant) -> list[str]:
    """Read an HDF5 shard whose bytes lie in another file."""
    with tempfile.TemporaryDirectory() as folder:
        reply = run_forked(_read_linked, Path(folder), plant)
    return [str(reply).strip().splitlines()[-1]] if not reply.is_whole else reply.value


def _read_linked(folder: Path, plant: Plant) -> list[str]:
    plant()
    (folder / "secret").write_bytes(bytes(range(12)))
    with h5py.File(folder / "shard.h5", "w") as file:
        file.create_dataset("image", (1, 2, 2, 3), "u1", external=[(str(folder / "secret"), 0, 12)])
    try:
        read = Hdf5Reader(folder / "shard.h5").read("image", [0])
    except PixstoreError:
        return []
    return [f"{len(read[0])} bytes of another file were read"]


def by_compacting_damage(engine: str, _: str, plant: Plant) -> list[str]:
    """Compact a store with a damaged record: it is refused, and the record is still refused afterwards."""
    with rot.sound_store(engine) as sound:
        span = next(each for each in sound.truth.spans if each.key in sound.truth.rows and sound.truth.rows[each.key].encoded is None)
        data = bytearray(sound.before[span.file])
        data[span.start] ^= 1
        (sound.path / span.file).write_bytes(data)
        run_forked(_compact, sound.path, plant)
        reading = run_forked(read_everything, sound.path, sound.truth).value
    return [f"read wrongly after compacting: {each}" for each in reading.wrong]


def _compact(path: Path, plant: Plant) -> None:
    plant()
    try:
        pixstore.Store(path).compact(threads=1)
    except PixstoreError:
        return


def by_gc(engine: str, _: str, plant: Plant) -> list[str]:
    """Change every label, so that only another shard's table points to the pixels; then remove what no version names, and read."""
    with working_folder() as folder:
        run_forked(_make_borrower, folder / "store", engine)
        run_forked(_collect, folder / "store", plant)
        reply = run_forked(content, folder / "store")
    return [] if reply.is_whole and len(reply.value) == len(START_KEYS) else [str(reply).strip().splitlines()[-1]]


def _make_borrower(path: Path, engine: str) -> None:
    with Writer(path, engine=engine, durability="process", threads=1) as writer:
        add(writer, START_KEYS)
        writer.commit()
        for key in START_KEYS:
            writer.update(key, label=7)


def _collect(path: Path, plant: Plant) -> None:
    plant()
    pixstore.Store(path).gc(keep=1)


def by_eye(engine: str, op: str, plant: Plant) -> list[str]:
    """Run an operation undisturbed and look at what is there."""
    with stage(engine, op, plant=plant) as ready:
        store = ready.copy()
        with ready.attempt(store) as attempt:
            attempt.begin()
            ending = attempt.end()
        return ready.problems(store, ending) if ending.finished else [str(ending)]
