"""What a store must hold after a fault, and after its operation was run again."""

from __future__ import annotations

import json
import shutil
import warnings
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pixstore
from faults.operations import Operation
from faults.samples import digest_of, digests
from pixstore.errors import PixstoreError
from pixstore.manifest import Durability
from pixstore.trust.digest import dataset_digest

SHOWN = 3
ROOT = {"manifest.json", "versions", "shards", "splits", ".lock", "bad.csv", "lost.csv"}


@dataclass(frozen=True)
class Task:
    """What is to be judged: an operation on a store, with so many steps acknowledged, or ended by itself."""

    store: Path
    engine: str
    operation: Operation
    durability: Durability
    acknowledged: int
    finished: bool

    @property
    def allowed(self) -> range:
        """The steps that may be done: what was acknowledged, and at most the one after it."""
        steps = self.operation.steps
        return range(steps, steps + 1) if self.finished else range(self.acknowledged, min(self.acknowledged + 1, steps) + 1)


def judge(task: Task, whole: str) -> list[str]:
    """Return what is wrong with the store, then with the store after the operation was run to its end and after gc.

    `whole` is the digest of the store where nothing disturbed the operation. For a forked child: it starts threads.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        problems = [*state_problems(task), *leftover_problems(task)]
        if problems:
            return problems
        try:
            task.operation.run(task.store, task.engine, task.durability, lambda steps: None)
        except Exception as error:
            return [f"run again it stops with {type(error).__name__}: {error}"]
        return [f"run again: {each}" for each in closing_problems(task.store, task.operation, whole)]


def closing_problems(store: Path, operation: Operation, whole: str, *, keep: int | None = None) -> list[str]:
    """Return what is wrong with a store at the end of its operation, and after a gc that keeps so many versions."""
    problems = [*differences(content(store), operation, [operation.steps]), *operation.unfinished(store)]
    if not problems and store_digest(store) != whole:
        problems = ["the digest is not that of an undisturbed run"]
    pixstore.Store(store).gc(keep=keep)
    return problems + [f"after gc still there: {name}" for name in sorted(unnamed(store))[:SHOWN]]


def state_problems(task: Task) -> list[str]:
    """Return why the store cannot be opened and read, or how its rows differ from every state that is allowed."""
    try:
        held = content(task.store)
    except (PixstoreError, OSError) as error:
        return [f"does not open or read: {type(error).__name__}: {error}"]
    return differences(held, task.operation, task.allowed)


def content(store: Path, version: int | None = None) -> dict[str, str]:
    """Return the digest of each row, by key, with every record read and checked; {} where there is no store yet."""
    if not (store / "manifest.json").exists():
        return {}
    dataset = pixstore.open(store, version=version, threads=1)
    keys = dataset.keys.to_pylist()
    batch = dataset[:]
    rows = {
        key: digest_of(image, thumb, label, name)
        for key, image, thumb, label, name in zip(
            keys, batch["image"], batch["thumb"], batch["label"].tolist(), _list(batch["name"]), strict=True
        )
    }
    if len(rows) != len(keys):
        raise PixstoreError("a key stands twice")
    return rows


def _list(values: Any) -> list[Any]:
    return values.tolist() if hasattr(values, "tolist") else list(values)


def differences(held: Mapping[str, str], operation: Operation, allowed: Collection[int]) -> list[str]:
    """Return how these rows differ from the state after the fewest steps that are allowed; nothing where they are one of those states."""
    states = [digests(operation.expected(steps)) for steps in allowed]
    if dict(held) in states:
        return []
    expected = states[0]
    lost = sorted(expected.keys() - held.keys())
    strange = sorted(held.keys() - expected.keys())
    wrong = sorted(key for key in expected.keys() & held.keys() if expected[key] != held[key])
    found = [
        f"{len(keys)} {what}: {', '.join(keys[:SHOWN])}"
        for what, keys in (("samples lost", lost), ("samples that should not be there", strange), ("samples with other content", wrong))
        if keys
    ]
    return [f"neither of the states after {list(allowed)} steps; against the first: {'; '.join(found)}"]


def leftover_problems(task: Task) -> list[str]:
    """Return what was left behind beyond the shards of the one step that was cut off."""
    ids = {name.partition(".")[0] for name in unnamed(task.store) if name.startswith("shards/")}
    ids -= {""}
    most = task.operation.shards_per_step
    return [f"{len(ids)} shards left behind, {most} expected at most"] if len(ids) > most else []


def unnamed(store: Path) -> set[str]:
    """Return what lies in the store and is named by none of its versions, as paths in it."""
    if not store.exists():
        return set()
    manifests = [store / "manifest.json", *(store / "versions").glob("*.json")]
    named: set[str] = set()
    for manifest in manifests if manifests[0].exists() else []:
        for shard in _shards(manifest):
            named.update(each["name"] for each in (shard["table"], shard["keys"], shard["pixels"]) if each is not None)
            named.update(shard["borrows"])
    lying = {f"shards/{each.name}" for each in (store / "shards").glob("*") if each.name not in named}
    lying |= {f"versions/{each.name}" for each in (store / "versions").glob("*") if each.suffix != ".json"}
    return lying | {each.name for each in store.iterdir() if each.name not in ROOT}


def _shards(manifest: Path) -> list[Any]:
    try:
        shards: list[Any] = json.loads(manifest.read_bytes())["shards"]
    except ValueError:
        # In durability `process` a version's file may be damaged; it names nothing that can be read.
        return []
    return shards


def store_digest(store: Path) -> str:
    """Return the digest of all that the store holds."""
    return dataset_digest(pixstore.open(store), threads=1)


def judge_recovery(task: Task, whole: str) -> tuple[str, list[str]]:
    """Go back to the newest version that is whole and run the operation to its end; return which that was, and what is wrong.

    For durability `process` after a loss of power: the newest versions may be damaged, but not read as something else. For a forked child.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        lost, version, problems = newest_whole(task.store, task.operation)
        if problems:
            return "a version that never was", problems
        if lost and task.operation.makes_store:
            # Nothing was there before that could be gone back to.
            shutil.rmtree(task.store)
        elif version is None and lost:
            return "none", ["no version can be read"]
        elif version is not None:
            pixstore.Store(task.store).rollback(version)
        task.operation.run(task.store, task.engine, task.durability, lambda steps: None)
        # A version that is damaged cannot say what it needs: gc asks that it be forgotten.
        problems = closing_problems(task.store, task.operation, whole, keep=1)
        return "an earlier version" if lost else "the current version", problems


def newest_whole(store: Path, operation: Operation) -> tuple[int, int | None, list[str]]:
    """Return how many of the newest versions cannot be read, the newest that can (None is the current), and how that one is wrong."""
    states = [digests(operation.expected(steps)) for steps in range(operation.steps + 1)]
    numbers = sorted((int(each.stem) for each in (store / "versions").glob("*.json") if each.stem.isdigit()), reverse=True)
    for lost, number in enumerate([None, *numbers]):
        try:
            held = content(store, number)
        except (PixstoreError, OSError):
            continue
        return lost, number, [] if held in states else [f"version {number or 'now'} opens and holds rows that never were together"]
    return 1 + len(numbers), None, []
