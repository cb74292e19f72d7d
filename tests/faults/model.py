"""A store against a dict: whatever is done to it in whatever order, both say the same, and so does every reader of an older version."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test
from numpy.typing import NDArray

import pixstore
from faults.forked import Reply, run_forked
from faults.part import Part, Result
from faults.samples import ENGINES
from faults.stage import nothing
from pixstore.dataset import Dataset
from pixstore.errors import KeyNotFoundError, StoreBusyError, StoreFullError
from pixstore.manifest import KEPT_VERSIONS, load
from pixstore.testing import files_limited_to
from pixstore.writer import Writer

KEYS = st.sampled_from([f"k{number}" for number in range(12)])
SIDES = st.integers(1, 3)
TAGS = st.sampled_from(["good", "better"])
MOST_READERS = 3
COUNTED = {"open", "os.rename", "os.mkdir", "os.remove", "os.rmdir"}
"""What Python announces before it asks the system for it: the moments at which the crashing writer may end."""

EXAMPLES, STEPS = 10, 100
SECONDS_AT_MOST = 600
MOST_SAID = 3000
UNTOLD = ("File ", "^", "~", "state.readers_keep", "state.reads_what")

Pixels = NDArray[np.uint8]
Row = tuple[Pixels, Pixels | None, int | None, str | None]
"""Image, mask, label, note."""
Content = dict[str, Row]


def pixels_of(side: int, number: int) -> Pixels:
    return np.random.default_rng(number).integers(0, 256, (side, 3, 3)).astype(np.uint8)


def differences(dataset: Dataset, content: Content) -> list[str]:
    """Return how what a dataset says differs from the dict: keys, labels, pixels, masks, finding a key."""
    keys = dataset.keys.to_pylist()
    if sorted(keys) != sorted(content) or len(dataset) != len(content):
        return [f"keys {sorted(keys)}, not {sorted(content)}"]
    wrong = [f"{key!r} is in row {row}, found in {dataset.row_of(key)}" for row, key in enumerate(keys) if dataset.row_of(key) != row]
    for sample in dataset:
        image, mask, *columns = content[sample.key]
        found = sample.get("mask")
        if not np.array_equal(sample.image, image) or [sample.get("label"), sample.get("note")] != columns:
            wrong.append(f"{sample.key!r} has another image, or {sample.get('label')} and {sample.get('note')!r}, not {columns}")
        if (found is None) != (mask is None) or (mask is not None and not np.array_equal(found, mask)):
            wrong.append(f"{sample.key!r} has another mask")
    return wrong + [f"{key!r} is {'' if key in dataset else 'not '}there" for key in ("k0", "k7") if (key in dataset) != (key in content)]


class StoreModel(RuleBasedStateMachine):
    """One store, one writer at a time, readers of former versions, and the dicts that say what each version holds."""

    engine = "packed"

    @initialize(codec=st.sampled_from(["raw", "png"]), shard_bytes=st.sampled_from([40, 300, 1 << 20]))
    def create(self, codec: str, shard_bytes: int) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="pixstore-model-"))
        self.path = self.folder / "0"
        self.options: dict[str, Any] = {"durability": "process", "shard_bytes": shard_bytes, "threads": 1}
        self.codec = {"image": codec, "mask": "png"}
        self.versions: dict[int, Content] = {}
        self.current: Content = {}
        self.tags: dict[str, int] = {}
        self.readers: list[tuple[Dataset, Content]] = []
        self.writer: Writer | None = None
        self.drawn = self.copies = self.next_key = self.committed_key = 0
        self.open()
        # The first sample says which columns there are.
        self.add(None, 1, 0, True)
        self.close()

    @property
    def w(self) -> Writer:
        assert self.writer is not None
        return self.writer

    @property
    def committed(self) -> Content:
        return self.versions[max(self.versions)]

    def fresh(self, side: int) -> Pixels:
        self.drawn += 1
        return pixels_of(side, self.drawn)

    def default_key(self) -> str:
        self.next_key += 1
        return f"{self.next_key - 1:08}"

    def note_commit(self, content: Content) -> None:
        """Note the store's version as one that holds this; a step that had nothing to do made none."""
        self.versions[load(self.path).version] = dict(content)
        self.current, self.committed_key = dict(content), self.next_key

    # ---- writing ----

    @precondition(lambda self: self.writer is None)
    @rule()
    def open(self) -> None:
        self.writer = Writer(self.path, mode="a", engine=self.engine, codec=self.codec, **self.options)

    @precondition(lambda self: self.writer is not None)
    @rule(key=st.none() | KEYS, side=SIDES, label=st.none() | st.integers(0, 9), has_mask=st.booleans())
    def add(self, key: str | None, side: int, label: int | None, has_mask: bool) -> None:
        if key in self.current:
            return
        image, mask = self.fresh(side), self.fresh(1) if has_mask else None
        self.w.add(image, key=key, label=label, note=f"ü {self.drawn}", mask=mask)
        self.current[self.default_key() if key is None else key] = image, mask, label, f"ü {self.drawn}"

    @precondition(lambda self: self.writer is not None)
    @rule(keys=st.lists(KEYS, unique=True, max_size=6), side=SIDES, counted=st.booleans())
    def add_batch(self, keys: list[str], side: int, counted: bool) -> None:
        keys = [key for key in keys if key not in self.current]
        images = np.stack([self.fresh(side) for _ in keys]) if keys else np.zeros((0, side, 3, 3), np.uint8)
        self.w.add_batch(images, key=None if counted else keys, label=list(range(len(keys))))
        for label, (key, each) in enumerate(zip(keys, images, strict=True)):
            self.current[self.default_key() if counted else key] = each, None, label, None

    @precondition(lambda self: self.writer is not None)
    @rule(key=KEYS, label=st.integers(10, 19), side=st.none() | SIDES, mask=st.sampled_from(["keep", "drop", "new"]))
    def update(self, key: str, label: int, side: int | None, mask: str) -> None:
        changes: dict[str, Any] = {"label": label}
        if mask != "keep":
            changes["mask"] = self.fresh(1) if mask == "new" else None
        if key not in self.current:
            refused(KeyNotFoundError, lambda: self.w.update(key, **changes))
            return
        image, before, _, note = self.current.pop(key)
        if side is not None:
            image = self.fresh(side)
        self.w.update(key, image if side is not None else None, **changes)
        self.current[key] = image, changes.get("mask", before), label, note

    @precondition(lambda self: self.writer is not None)
    @rule(key=KEYS)
    def delete(self, key: str) -> None:
        if key not in self.current:
            refused(KeyNotFoundError, lambda: self.w.delete(key))
            return
        self.w.delete(key)
        del self.current[key]

    @precondition(lambda self: self.writer is not None)
    @rule()
    def commit(self) -> None:
        self.w.commit()
        self.note_commit(self.current)

    @precondition(lambda self: self.writer is not None)
    @rule()
    def close(self) -> None:
        self.w.close()
        self.writer = None
        self.note_commit(self.current)

    @precondition(lambda self: self.writer is not None)
    @rule()
    def abort(self) -> None:
        self.w.abort()
        self.current, self.writer, self.next_key = dict(self.committed), None, self.committed_key

    @precondition(lambda self: self.writer is not None)
    @rule()
    def second_writer(self) -> None:
        refused(StoreBusyError, lambda: Writer(self.path, mode="a", **self.options).abort())

    # ---- failing ----

    @precondition(lambda self: self.writer is None)
    @rule(moment=st.integers(1, 60), key=KEYS, side=SIDES)
    def crash(self, moment: int, key: str, side: int) -> None:
        """A writer in another process is killed at some moment; the store holds what it did before, or all that it did after."""
        image, changed = self.fresh(side), next(iter(self.committed), None)

        def work() -> None:
            writer = Writer(self.path, mode="a", **self.options)
            left = [moment]

            def count(event: str, _: Any) -> None:
                if event in COUNTED:
                    left[0] -= 1
                    if not left[0]:
                        os.kill(os.getpid(), signal.SIGKILL)

            sys.addaudithook(count)
            writer.add(image, label=5)
            if changed is not None:
                writer.update(changed, label=6)
            if key != changed and key in self.committed:
                writer.delete(key)
            writer.close()

        version, reply = load(self.path).version, run_forked(work)
        assert reply.error is None, reply.error
        if load(self.path).version == version:
            assert reply.signal, "a writer closed, and its version is not there"
            return
        after = dict(self.committed)
        if key != changed:
            after.pop(key, None)
        after[self.default_key()] = image, None, 5, None
        if changed is not None:
            after[changed] = *after[changed][:2], 6, after[changed][3]
        self.note_commit(after)

    @precondition(lambda self: self.writer is None)
    @rule(size=st.integers(0, 6000), count=st.integers(1, 6))
    def full_disk(self, size: int, count: int) -> None:
        """No file may grow above `size` bytes: the commit is whole or refused."""
        images = [self.fresh(3) for _ in range(count)]
        keys = [f"full {self.drawn} {number}" for number in range(count)]
        writer = Writer(self.path, mode="a", **self.options)
        try:
            with files_limited_to(size):
                writer.add_batch(images, key=keys, label=[1] * count)
                writer.commit()
        except StoreFullError:
            writer.abort()
            return
        writer.close()
        self.note_commit({**self.committed, **{key: (image, None, 1, None) for key, image in zip(keys, images, strict=True)}})

    # ---- versions ----

    @precondition(lambda self: len(self.readers) < MOST_READERS)
    @rule(back=st.integers(0, 3))
    def hold_reader(self, back: int) -> None:
        version = self.kept()[-1 - back :][0]
        self.readers.append((pixstore.open(self.path, version=version), self.versions[version]))

    @precondition(lambda self: self.readers)
    @rule()
    def drop_reader(self) -> None:
        self.readers.pop(0)[0].close()

    @precondition(lambda self: self.writer is None)
    @rule(name=TAGS, back=st.integers(0, 3))
    def tag(self, name: str, back: int) -> None:
        version = self.kept()[-1 - back :][0]
        pixstore.Store(self.path).tag(name, version, replace=True)
        self.tags[name] = version

    @precondition(lambda self: self.writer is None)
    @rule(back=st.integers(0, 3), name=st.none() | TAGS)
    def rollback(self, back: int, name: str | None) -> None:
        version = self.tags[name] if name in self.tags else self.kept()[-1 - back :][0]
        made = pixstore.Store(self.path).rollback(name if name in self.tags else version)
        assert made == load(self.path).version
        self.note_commit(self.versions[version])

    def kept(self) -> list[int]:
        """Return the versions that must be there: the newest and the tagged ones."""
        return sorted({*sorted(self.versions)[-KEPT_VERSIONS:], *self.tags.values()})

    @precondition(lambda self: self.writer is None)
    @rule()
    def compact(self) -> None:
        pixstore.Store(self.path).compact(threads=1)
        self.note_commit(self.committed)

    @precondition(lambda self: self.writer is None)
    @rule(keep=st.sampled_from([1, KEPT_VERSIONS]))
    def gc(self, keep: int) -> None:
        """What goes, goes for readers too: only those of kept versions are asked again."""
        left = {*sorted(self.versions)[-keep:], *self.tags.values()}
        for dataset, _ in self.readers:
            dataset.close()
        self.readers.clear()
        pixstore.Store(self.path).gc(keep=keep)
        self.versions = {version: content for version, content in self.versions.items() if version in left}

    # ---- whole stores ----

    @precondition(lambda self: self.writer is None and self.committed)
    @rule(other=st.sampled_from(ENGINES))
    def convert_there_and_back(self, other: str) -> None:
        there, back = self.next_path(), self.next_path()
        for source, target, engine in ((self.path, there, other), (there, back, self.engine)):
            report = pixstore.convert(source, target, engine=engine, durability="process", threads=1)
            assert report.samples == len(self.committed) and not report.bad_rows
        assert not (wrong := differences(pixstore.open(there), self.committed)), wrong
        self.move_to(back)

    @precondition(lambda self: self.writer is None and self.committed)
    @rule()
    def repair(self) -> None:
        out = self.next_path()
        report = pixstore.repair(self.path, out)
        assert not report.lost, f"repair of a sound store says lost: {report.lost}"
        assert not (wrong := differences(pixstore.open(out), self.committed)), wrong
        shutil.rmtree(out)

    @precondition(lambda self: self.writer is None)
    @rule()
    def verify(self) -> None:
        report = pixstore.verify(self.path)
        assert report.ok, f"verify of a sound store finds {report.findings}"
        # A commit that was cut off may leave the file of a version that never was; nobody may see it.
        never = {each.number for each in pixstore.Store(self.path).versions()} - self.versions.keys()
        assert not never, f"versions {never} were never committed"
        for version in self.kept():
            assert not (wrong := differences(pixstore.open(self.path, version=version), self.versions[version])), (version, wrong)

    def next_path(self) -> Path:
        self.copies += 1
        return self.folder / str(self.copies)

    def move_to(self, path: Path) -> None:
        """Go on with another store that holds the same; readers keep the former one."""
        content = self.committed
        self.path, self.versions, self.tags = path, {}, {}
        self.next_key = load(path).next_key
        self.note_commit(content)

    # ---- what always holds ----

    @invariant()
    def reads_what_was_committed(self) -> None:
        if getattr(self, "versions", None):
            dataset = pixstore.open(self.path)
            assert not (wrong := differences(dataset, self.committed)), wrong
            dataset.close()

    @invariant()
    def readers_keep_their_version(self) -> None:
        for dataset, content in getattr(self, "readers", ()):
            assert not (wrong := differences(dataset, content)), f"a reader of {dataset.origin}: {wrong}"

    def teardown(self) -> None:
        if getattr(self, "writer", None) is not None:
            self.w.abort()
        shutil.rmtree(self.folder)


def refused(kind: type[Exception], call: Callable[[], object]) -> None:
    try:
        call()
    except kind:
        return
    raise AssertionError(f"{kind.__name__} was to be raised, and was not")


def play(engine: str, number: int, steps: int, plant: Callable[[], None] = nothing, shrink: bool = False) -> None:
    """Tell EXAMPLES stories of so many steps, drawn from this seed. Raises what the first failing one raises; its notes say the steps."""
    plant()
    machine = seed(number)(type("Model", (StoreModel,), {"engine": engine}))
    chosen = settings(
        max_examples=EXAMPLES,
        stateful_step_count=steps,
        deadline=None,
        database=None,
        derandomize=False,
        phases=(Phase.generate, *((Phase.shrink,) if shrink else ())),
        suppress_health_check=list(HealthCheck),
        print_blob=False,
    )
    run_state_machine_as_test(machine, settings=chosen)


def run(engine: str, op: str, trials: int, seed: int) -> list[Result]:
    """Play so often, each time in a child of its own. A single trial is made as short as it still fails: so it is looked at again."""
    began = time.perf_counter()
    failures = []
    for number in range(seed, seed + trials):
        reply = run_forked(play, engine, number, STEPS, nothing, trials == 1, seconds=SECONDS_AT_MOST)
        if not reply.is_whole:
            failures.append(f"seed {number}: {in_one_line(reply)}")
    seconds, counts = time.perf_counter() - began, {"stories": trials * EXAMPLES, "steps in each": STEPS}
    return [Result("model", engine, op, "any order of steps", trials, seed, seconds, tuple(failures), "process", counts=counts)]


def in_one_line(reply: Reply) -> str:
    """Return what failed, and after which steps."""
    lines = [line.strip() for line in str(reply).splitlines()]
    said = [line for line in lines if line and not line.startswith(UNTOLD)]
    return " | ".join(said)[-MOST_SAID:]


PART = Part(
    "model",
    "Any order of steps",
    run,
    ("",),
    trials=30,
    short=1,
    explains=f"Each trial is {EXAMPLES} stories of up to {STEPS} steps, which Hypothesis draws: add, change, delete, commit, abort, a "
    "second writer, a writer that is killed, a disk that is full, tags, rollback, compact, gc, convert to another engine and back, repair, "
    "verify, readers that stay with older versions. After each step all of the store is compared with a dict, and so is each reader.",
)
