"""Decay: faults in every file of a store, one at a time; what is read is right or refused, `verify` finds each, `repair` saves the rest."""

from __future__ import annotations

import importlib
import itertools
import random
import shutil
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pixstore
from faults.forked import run_forked
from faults.part import Part, Result
from faults.rot_faults import KINDS, Contents, Fault, draw
from faults.rot_reading import read_everything, read_rows
from faults.rot_store import Truth, build, named_files
from faults.stage import nothing, working_folder
from pixstore import builder
from pixstore.errors import PixstoreError
from pixstore.opening import open_dataset

SHARES = {"flip": 0.78, "truncate": 0.1, "remove": 0.02, "swap": 0.04, "zero page": 0.03, "duplicate page": 0.03}
"""Of every 2,600 faults 2,000 are flips and 260 truncations."""
SECONDS_AT_MOST = 60
LIBRARY_EVERY, REPAIR_EVERY, OLDER_EVERY = 50, 5, 4
"""What is dear is done for one fault in so many; faults in older versions' files are always looked for there."""


@dataclass(frozen=True)
class Sound:
    """A sound store, the bytes of its files, and the truth of what it holds."""

    path: Path
    before: Contents
    truth: Truth


@contextmanager
def sound_store(engine: str, plant: Callable[[], None] = nothing) -> Iterator[Sound]:
    """Make the store that faults are put into, one after the other; it is sound again after each. `plant` is called before it is made."""
    with working_folder() as folder:
        path = folder / "store"
        # In children: whoever forks thousands of them has opened nothing itself.
        built = run_forked(_build, path, engine, plant)
        assert built.is_whole, f"the store cannot be made: {built}"
        sound = Sound(path, {name: (path / name).read_bytes() for name in named_files(path)}, built.value)
        rehearsed = run_forked(_rehearse, sound, plant)
        assert rehearsed.is_whole, f"the sound store does not pass: {rehearsed}"
        for name in rehearsed.value:
            importlib.import_module(name)
        yield sound


def _build(path: Path, engine: str, plant: Callable[[], None]) -> Truth:
    plant()
    # A seed means the same fault in every run, so files must have the same names in every run.
    numbers = itertools.count()
    builder.new_id = lambda: f"{next(numbers):016x}"
    return build(path, engine)


def _rehearse(sound: Sound, plant: Callable[[], None]) -> list[str]:
    """Read and verify the sound store; return the modules that were first imported then."""
    plant()
    before = set(sys.modules)
    reading = read_everything(sound.path, sound.truth)
    assert not (reading.wrong or reading.foreign or reading.refusals), reading
    assert pixstore.verify(sound.path).ok
    return [name for name in sys.modules if name not in before]


def fault_of(seed: int, sound: Sound) -> Fault:
    """Return the fault that this seed means."""
    generator = random.Random(f"{sound.truth.engine} {seed}")
    kind = generator.choices(KINDS, [SHARES[each] for each in KINDS])[0]
    return draw(generator, kind, sound.before, sound.truth)


def trial(sound: Sound, seed: int, plant: Callable[[], None] = nothing) -> tuple[Fault, list[str]]:
    """Return the fault of this seed, and in what pixstore failed before it; `plant` puts a fault of ours into pixstore first."""
    fault = fault_of(seed, sound)
    fault.apply(sound.path)
    try:
        reply = run_forked(examine, sound, fault, seed, plant, seconds=SECONDS_AT_MOST)
    finally:
        fault.restore(sound.path, sound.before)
    failures = reply.value if reply.is_whole else [f"the process that read {reply}"]
    return fault, [f"seed {seed}: {fault.words}: {each}" for each in failures]


def examine(sound: Sound, fault: Fault, seed: int, plant: Callable[[], None]) -> list[str]:
    """Return everything that is not as it should be; runs in a child."""
    plant()
    failures = reading_failures(sound, fault, older=fault.sort == "versions" or seed % OLDER_EVERY == 0)
    # Asking the engines' libraries as well takes a child and a quarter of a second, for what the digests have proved already.
    failures += verify_failures(sound, fault, library=seed % LIBRARY_EVERY == 0)
    return failures + (repair_failures(sound, fault) if seed % REPAIR_EVERY == 0 else [])


def reading_failures(sound: Sound, fault: Fault, *, older: bool) -> list[str]:
    """Return wrong answers, errors that are not ours, and damaged records that reading did not name, or sound ones that it did."""
    reading = read_everything(sound.path, sound.truth, older=older)
    failures = [f"read wrongly: {each}" for each in reading.wrong]
    failures += [f"an error that is not ours: {each.splitlines()[-1]}" for each in reading.foreign]
    if reading.opened and fault.sort == "pixels":
        damaged = {(span.key, span.field) for span in fault.damaged(sound.before, sound.truth.spans)}
        if reading.named != damaged:
            failures.append(f"reading names {sorted(reading.named)[:3]}, damaged are {sorted(damaged)[:3]}")
    return failures


def verify_failures(sound: Sound, fault: Fault, *, library: bool) -> list[str]:
    """Return that `verify` does not find the fault, or does not name the damaged records alone."""
    try:
        report = pixstore.verify(sound.path, library=library)
    except PixstoreError:
        # Without a manifest it is no store any more.
        return [] if "manifest.json" in fault.after else [f"verify raises {traceback.format_exc(limit=-1)}"]
    if report.ok:
        return ["verify finds nothing"]
    named = {key for each in report.findings for key in each.keys}
    damaged = {span.key for span in fault.damaged(sound.before, sound.truth.spans)}
    if fault.is_within(sound.before, sound.truth.spans) and named != damaged:
        return [f"verify names {sorted(named)[:3]}, damaged are {sorted(damaged)[:3]}"]
    return []


def repair_failures(sound: Sound, fault: Fault) -> list[str]:
    """Return how `repair` loses a sample that is not damaged, keeps one that is, does not list one, or touches the original."""
    rows, out = sound.truth.rows, sound.path.parent / "repaired"
    try:
        report = pixstore.repair(sound.path, out)
        kept = set(open_dataset(out).keys.to_pylist())
        reading = read_rows(out, {key: row for key, row in rows.items() if key in kept})
    except Exception:
        return [f"repair: {traceback.format_exc(limit=-1).splitlines()[-1]}"]
    finally:
        shutil.rmtree(out, ignore_errors=True)
    damaged = {span.key for span in fault.damaged(sound.before, sound.truth.spans)}
    # What a damaged table says of its rows cannot be believed, keys included: they are listed by shard and row.
    in_table = {key for name in fault.after if fault.sort == "tables" for key in sound.truth.shard_keys.get(Path(name).stem, ())}
    named = {each.key for each in report.lost if each.key}
    failures = [f"repair: {each}" for each in (*reading.wrong, *reading.foreign, *reading.refusals)]
    if rows.keys() - kept != damaged | in_table or named != damaged - in_table or len(report.lost) != len(rows) - len(kept):
        gone = sorted(rows.keys() - kept)
        failures.append(f"repair loses {gone[:3]} ({len(gone)}) and lists {len(report.lost)}; damaged are {sorted(damaged | in_table)[:3]}")
    now = {name: (sound.path / name).read_bytes() for name in named_files(sound.path)}
    if now != {name: data for name, data in {**sound.before, **fault.after}.items() if data is not None}:
        failures.append("repair: the original is not as it was")
    return failures


def run(engine: str, operation: str, trials: int, seed: int) -> list[Result]:
    """Put `trials` faults into a store of this engine, one after the other; return one Result per kind of fault."""
    counts, seconds = Counter[str](), dict.fromkeys(KINDS, 0.0)
    files: dict[str, Counter[str]] = {kind: Counter() for kind in KINDS}
    failures: dict[str, list[str]] = {kind: [] for kind in KINDS}
    with sound_store(engine) as sound:
        for number in range(seed, seed + trials):
            began = time.perf_counter()
            fault, wrong = trial(sound, number)
            counts[fault.kind] += 1
            files[fault.kind][fault.sort] += 1
            failures[fault.kind] += wrong
            seconds[fault.kind] += time.perf_counter() - began
    return [
        Result(
            "rot",
            engine,
            operation,
            kind,
            counts[kind],
            seed,
            round(seconds[kind], 2),
            tuple(failures[kind]),
            "process",
            counts=dict(files[kind]),
        )
        for kind in KINDS
        if counts[kind]
    ]


PART = Part(
    name="rot",
    title="Decay on the medium",
    run=run,
    ops=("",),
    trials=2600,
    short=60,
    explains="One fault at a time is put into one of all the files of a store (manifest, versions, tables, key indices, pixels, splits): "
    "1 to 8 bytes flipped, a file cut or gone, two records in each other's place, a page zeroed or written twice. Then everything is read: "
    "each answer is right or an error is raised, and a damaged record is named by its key. `verify` finds every fault and names the same "
    "records; `repair` keeps every sample that is not damaged and lists every one that is.",
)
