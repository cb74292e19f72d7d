"""Store against a dict: whatever is committed, tagged, undone, compacted and collected, a kept version reads what it read at first."""

from __future__ import annotations

import pickle
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from tests.engine_kinds import DEEP

import pixstore
from pixstore import errors
from pixstore.manifest import load
from pixstore.registry import ENGINES

from .conftest import content, pixels

KEYS = st.sampled_from([f"k{number}" for number in range(8)])


class UpkeepModel(RuleBasedStateMachine):
    """One store, and for each version what was read when it was committed."""

    engine = "packed"

    @initialize(shard_bytes=st.sampled_from([40, 200, 1 << 20]))
    def create(self, shard_bytes: int) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.path = self.folder / "s"
        self.shard_bytes = shard_bytes
        self.seed = 0
        self.read: dict[int, list[str]] = {}
        self.tags: dict[str, int] = {}
        with self.writer() as writer:
            writer.add(pixels(1, 2, 3, seed=1)[0], key="k0", label=0)
        self.store = pixstore.Store(self.path)
        self.note()

    def writer(self) -> pixstore.Writer:
        return pixstore.Writer(self.path, mode="a", engine=self.engine, durability="process", shard_bytes=self.shard_bytes)

    def note(self) -> None:
        self.read[load(self.path).version] = content(self.path)

    @rule(
        changes=st.lists(st.tuples(KEYS, st.sampled_from(["image", "label", "mask", "delete"]), st.integers(1, 3)), min_size=1, max_size=5)
    )
    def commit(self, changes: list[tuple[str, str, int]]) -> None:
        with self.writer() as writer:
            present = set(pixstore.open(self.path).keys.to_pylist())
            for key, change, side in changes:
                self.seed += 1
                image = pixels(1, side, 3, seed=self.seed)[0]
                if key not in present:
                    writer.add(image, key=key, label=side, **({"mask": image} if change == "mask" else {}))
                    present.add(key)
                elif change == "delete":
                    writer.delete(key)
                    present.discard(key)
                elif change == "label":
                    writer.update(key, label=self.seed)
                else:
                    writer.update(key, **{change: image})
        self.note()

    @rule(data=st.data())
    def rollback(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(sorted(self.kept())))
        made = self.store.rollback(number)
        assert content(self.path) == self.read[number]
        self.read[made] = self.read[number]

    @rule(data=st.data(), name=st.sampled_from(["one", "two"]))
    def tag(self, data: st.DataObject, name: str) -> None:
        number = data.draw(st.sampled_from(sorted(self.kept())))
        self.tags[name] = self.store.tag(name, number, replace=True)

    @rule(name=st.sampled_from(["one", "two"]))
    def untag(self, name: str) -> None:
        if name in self.tags:
            assert self.store.untag(name) == self.tags.pop(name)

    @rule(shard_bytes=st.sampled_from([50, 300, 1 << 20]))
    def compact(self, shard_bytes: int) -> None:
        before = content(self.path)
        report = self.store.compact(shard_bytes=shard_bytes)
        assert content(self.path) == before and (report.version is not None) == report.is_needed
        assert not any(shard.deleted or shard.borrows for shard in load(self.path).shards)
        self.note()

    @rule(keep=st.none() | st.integers(1, 4))
    def gc(self, keep: int | None) -> None:
        foretold = self.store.gc(keep=keep, dry_run=True)
        report = self.store.gc(keep=keep)
        assert report == foretold and self.kept() == set(report.kept) and set(self.tags.values()) <= self.kept()
        assert keep is None or len(self.kept() - set(self.tags.values())) <= keep
        assert self.store.gc(keep=keep).files == 0

    def kept(self) -> set[int]:
        return {each.number for each in self.store.versions()}

    @invariant()
    def every_kept_version_reads_as_it_did(self) -> None:
        if hasattr(self, "store"):
            for number in self.kept():
                assert content(self.path, number) == self.read[number]
            for name, number in self.tags.items():
                assert load(self.path).tags[name] == number

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            shutil.rmtree(self.folder)


@pytest.mark.parametrize("engine", ENGINES)
def test_no_kept_version_ever_changes(engine: str) -> None:
    machine = type("Model", (UpkeepModel,), {"engine": engine})
    run_state_machine_as_test(machine, settings=settings(max_examples=8 if engine in DEEP else 3, stateful_step_count=10, deadline=None))


def test_store_opens_versions_and_tags(path: Path) -> None:
    store = pixstore.Store(path)
    assert repr(store) == f"<Store {str(path)!r}>" and len(store.versions()) == 6
    assert store.tag("start", 1) == 1
    assert [len(store.open(each)) for each in (1, "start", None)] == [30, 30, 34]
    assert len(pickle.loads(pickle.dumps(store.open("start")))) == 30
    assert np.array_equal(store.open("start", io="pread", threads=1)[0].image, pixels(30, 4, 5, 3)[0])


def test_store_is_made_by_writers_alone(tmp_path: Path) -> None:
    with pytest.raises(errors.PathNotFoundError, match="nothing was created"):
        pixstore.Store(tmp_path / "none")
    with pytest.raises(errors.NotAStoreError):
        pixstore.Store(tmp_path)
    assert list(tmp_path.iterdir()) == []
