"""The order of writing and syncing, proved call by call: what a commit names is on the medium before it, the commit before its word.

A power cut keeps what was synced and may keep or lose anything else, in any order. So at the moment a new manifest takes the place of the
former one, every file it names must have been synced after its last byte was written, and so must every folder that got one of these
names; and before anybody is told that the commit is done, the folder of the manifest must have been synced too.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from faults.forked import run_forked
from faults.operations import OPERATIONS
from faults.part import Part, Result
from faults.stage import TRIAL, nothing, working_folder
from faults.tracing import STRACE, SYNCS, WRITES, Call, traced

MANIFEST = "manifest.json"
UNNAMED = (".lock",)
NEVER = -1
WORD = "it is committed"
"""What the process writes to a pipe when it was told that a commit is done."""


@dataclass
class Medium:
    """What is known of the files and folders that a process made or wrote to: when they were last changed, and last synced."""

    written: dict[str, int] = field(default_factory=dict)
    synced: dict[str, int] = field(default_factory=dict)
    named: dict[str, int] = field(default_factory=dict)
    """When a path got its name in its folder."""
    everything_synced: int = NEVER

    def is_whole(self, path: str) -> bool:
        """Return whether every byte written to this file was synced afterwards."""
        return self.written.get(path, NEVER) <= max(self.synced.get(path, NEVER), self.everything_synced)

    def is_named(self, path: str) -> bool:
        """Return whether the folder was synced after it got this name."""
        return self.named.get(path, NEVER) <= max(self.synced.get(os.path.dirname(path), NEVER), self.everything_synced)

    def move(self, source: str, target: str, when: int) -> None:
        """Give a file, or a folder with all it holds, another name."""
        for known in (self.written, self.synced, self.named):
            for path in [each for each in known if each == source or each.startswith(f"{source}/")]:
                known[target + path[len(source) :]] = known.pop(path)
        self.named[target] = when

    def forget(self, path: str) -> None:
        for known in (self.written, self.synced, self.named):
            known.pop(path, None)

    def below(self, folder: str) -> Iterator[str]:
        """Yield the folder itself and all that is known to lie in it."""
        yield from (each for each in {*self.written, *self.named} if each == folder or each.startswith(f"{folder}/"))


@dataclass
class Judge:
    """Follows the calls of a process that writes to `store`; `faults` are the moments at which a power cut would lose something."""

    store: str
    before: frozenset[str] = frozenset()
    """The files that were there before: those of earlier commits."""
    medium: Medium = field(default_factory=Medium)
    faults: list[str] = field(default_factory=list)
    commits: int = 0
    words: int = 0
    manifests: dict[str, str] = field(default_factory=dict)

    def follow(self, calls: Iterable[Call]) -> Judge:
        for call in calls:
            self._take(call)
        return self

    def _take(self, call: Call) -> None:
        if call.name in ("open", "openat", "creat"):
            self._opened(call)
        elif call.name in WRITES:
            self._wrote(call)
        elif call.name in SYNCS:
            self._synced(call)
        elif call.name.startswith("rename"):
            self._renamed(call)
        elif call.name in ("mkdir", "mkdirat"):
            self.medium.named[call.path(len(call.arguments) - 2)] = call.ended
        elif call.name in ("unlink", "unlinkat", "rmdir"):
            self.medium.forget(call.path(1 if call.name == "unlinkat" else 0))
        elif call.name.startswith(("link", "symlink")):
            self.faults.append(f"{call.name}: a link, of which this check knows nothing")
        elif (
            call.name == "mmap"
            and "MAP_SHARED" in call.arguments[3]
            and "PROT_WRITE" in call.arguments[2]
            and self._is_inside(call.path(4))
        ):
            self.faults.append(f"{call.path(4)}: written through a map, of which this check knows nothing")

    def _is_inside(self, path: str) -> bool:
        return path == self.store or path.startswith(f"{self.store}/")

    def _opened(self, call: Call) -> None:
        flags = next((each for each in call.arguments if "O_" in each), "O_CREAT" if call.name == "creat" else "")
        # O_CREAT on a file that was there changes nothing; the folder is synced once too often in what follows, never once too little.
        if "O_CREAT" in flags and call.result not in self.medium.named and self._is_inside(call.result):
            self.medium.named[call.result] = call.ended
        if "O_TRUNC" in flags and self._is_inside(call.result):
            self.medium.written[call.result] = call.ended

    def _wrote(self, call: Call) -> None:
        if "<pipe:" in call.arguments[0] and call.name == "write" and call.text(1) == WORD:
            self.words += 1
            self._told()
            return
        path = call.path(2 if call.name == "copy_file_range" else 0)
        if not self._is_inside(path):
            return
        self.medium.written[path] = call.ended
        if self._is_final(path):
            self.faults.append(f"{self._short(path)}: written to ({call.name}) though it had its last name already")
        if MANIFEST in os.path.basename(path) and call.name == "write":
            self.manifests[path] = self.manifests.get(path, "") + call.text(1)

    def _is_final(self, path: str) -> bool:
        if ".partial" in path or os.path.basename(path) in UNNAMED:
            return False
        return path in self.medium.named or os.path.relpath(path, self.store) in self.before

    def _synced(self, call: Call) -> None:
        if call.name in ("syncfs", "sync"):
            self.medium.everything_synced = max(self.medium.everything_synced, call.began)
        else:
            self.medium.synced[call.path(0)] = call.began

    def _renamed(self, call: Call) -> None:
        source, target = (call.path(0), call.path(1)) if call.name == "rename" else (call.path(1), call.path(3))
        if not self._is_inside(target):
            return
        for path in sorted(self.medium.below(source)):
            if not self.medium.is_whole(path):
                self.faults.append(f"{self._short(target)}: gets its name while {self._short(path)} is not synced")
        if target == f"{self.store}/{MANIFEST}":
            self._committed(self.manifests.pop(source, ""))
        self.medium.move(source, target, call.ended)

    def _committed(self, manifest: str) -> None:
        """Look at all that the new manifest names, and at every folder above it."""
        self.commits += 1
        when = f"commit {self.commits}"
        try:
            value = json.loads(manifest)
        except ValueError:
            self.faults.append(f"{when}: its manifest was not seen whole, so nothing is known of what it names")
            return
        files = {each["name"] for shard in value["shards"] for part in ("table", "keys", "pixels") if (each := shard[part]) is not None}
        files |= {name for shard in value["shards"] for name in shard["borrows"]}
        named = {f"shards/{name}" for name in files} | {f"splits/{name}" for name in value["splits"].values()}
        named.add(f"versions/{value['version']:08}.json")
        for name in sorted(named - self.before):
            self._must_last_with_all(f"{self.store}/{name}", when)
        for folder in (self.store, *(f"{self.store}/{name}" for name in ("shards", "versions", "splits"))):
            self._must_last(folder, when)
        self.before = frozenset(self.before | named)

    def _must_last_with_all(self, path: str, when: str) -> None:
        parts = sorted(self.medium.below(path))
        if path not in parts:
            self.faults.append(f"{when}: {self._short(path)} is named, and was never made")
        for each in parts:
            self._must_last(each, when)

    def _must_last(self, path: str, when: str) -> None:
        if not self.medium.is_whole(path):
            self.faults.append(f"{when}: {self._short(path)} is not synced")
        if not self.medium.is_named(path):
            self.faults.append(f"{when}: the folder of {self._short(path)} is not synced, so its name may be lost")

    def _told(self) -> None:
        self._must_last(f"{self.store}/{MANIFEST}", f"word {self.words}")
        if not self.commits:
            self.faults.append(f"word {self.words}: given before any commit")

    def _short(self, path: str) -> str:
        return re.sub(r"[0-9a-f]{16}", "<id>", os.path.relpath(path, self.store)) if self._is_inside(path) else path


def violations(engine: str, op: str, plant: Callable[[], None] = nothing) -> list[str]:
    """Return every moment of this operation at which a power cut would lose what was committed; `plant` puts a fault of ours in."""
    operation = OPERATIONS[op]
    with working_folder() as folder:
        store = folder / TRIAL
        store.parent.mkdir()
        made = run_forked(operation.prepare, store, engine, "power")
        assert made.is_whole, f"the store before {op} cannot be made: {made}"
        before = frozenset(str(each.relative_to(store)) for each in store.rglob("*"))

        def work(descriptor: int) -> None:
            plant()
            operation.run(store, engine, "power", lambda steps: _say(descriptor, steps))

        judge = Judge(str(store), before).follow(traced(work))
    if not judge.words:
        judge.faults.append("nothing was acknowledged: nothing was proved")
    return judge.faults


def _say(descriptor: int, steps: int) -> None:
    if steps:
        os.write(descriptor, WORD.encode())


def run(engine: str, op: str, trials: int, seed: int) -> list[Result]:
    """Prove the order of one run; it is the same whatever `trials` and `seed`."""
    if STRACE is None:
        return [Result("order", engine, op, "order of syncing", 0, seed, 0.0, skipped="strace is not installed")]
    began = time.perf_counter()
    found = tuple(f"seed {seed}: {each}" for each in violations(engine, op))
    return [Result("order", engine, op, "order of syncing", 1, seed, time.perf_counter() - began, found)]


PART = Part(
    "order",
    "Order of writing and syncing",
    run,
    tuple(OPERATIONS),
    trials=1,
    short=1,
    explains="Every system call of an operation is looked at: no file gets its last name, and no manifest takes the place of the former "
    "one, before all that it names is synced, files and folders, and nobody is told before the manifest's folder is. It needs no root and "
    "no power cut, and finds what a power cut finds only by luck.",
)
