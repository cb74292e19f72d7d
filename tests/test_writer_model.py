"""Writer against a dict: whatever is added, changed, deleted, committed, aborted and opened again, both say the same."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test
from numpy.typing import NDArray

import pixstore
from pixstore.errors import KeyNotFoundError
from pixstore.registry import ENGINES
from pixstore.writer import Writer

KEYS = st.sampled_from([f"k{number}" for number in range(12)])
SIDES = st.integers(1, 3)
Row = tuple[NDArray[np.uint8], NDArray[np.uint8] | None, int | None]


def image(side: int, seed: int) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (side, 3, 3)).astype(np.uint8)


class StoreModel(RuleBasedStateMachine):
    """One store, one writer at a time, and the dict that says what must be read after the last commit."""

    engine = "packed"

    @initialize(codec=st.sampled_from(["raw", "png"]), shard_bytes=st.sampled_from([40, 300, 1 << 20]))
    def create(self, codec: str, shard_bytes: int) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.options: dict[str, Any] = {"engine": self.engine, "durability": "process", "shard_bytes": shard_bytes}
        self.codec = {"image": codec, "mask": "png"}
        self.committed: dict[str, Row] = {}
        self.current: dict[str, Row] = {}
        self.writer: Writer | None = None
        self.seed = 0
        self.open()
        self.close()

    @property
    def path(self) -> Path:
        return self.folder / "s"

    @property
    def w(self) -> Writer:
        assert self.writer is not None
        return self.writer

    def fresh(self) -> int:
        self.seed += 1
        return self.seed

    @precondition(lambda self: self.writer is None)
    @rule()
    def open(self) -> None:
        self.writer = Writer(self.path, mode="a", codec=self.codec, **self.options)

    @precondition(lambda self: self.writer is not None)
    @rule(key=KEYS, side=SIDES, label=st.none() | st.integers(0, 9), has_mask=st.booleans())
    def add(self, key: str, side: int, label: int | None, has_mask: bool) -> None:
        if key in self.current:
            return
        pixels, mask = image(side, self.fresh()), image(1, self.seed) if has_mask else None
        self.w.add(pixels, key=key, label=label, mask=mask)
        self.current[key] = pixels, mask, label

    @precondition(lambda self: self.writer is not None)
    @rule(keys=st.lists(KEYS, unique=True, max_size=6), side=SIDES)
    def add_batch(self, keys: list[str], side: int) -> None:
        keys = [key for key in keys if key not in self.current]
        images = np.stack([image(side, self.fresh()) for _ in keys]) if keys else np.zeros((0, side, 3, 3), np.uint8)
        self.w.add_batch(images, key=keys, label=list(range(len(keys))))
        self.current.update({key: (each, None, label) for label, (key, each) in enumerate(zip(keys, images, strict=True))})

    @precondition(lambda self: self.writer is not None)
    @rule(key=KEYS, label=st.integers(10, 19), side=st.none() | SIDES, mask=st.sampled_from(["keep", "drop", "new"]))
    def update(self, key: str, label: int, side: int | None, mask: str) -> None:
        changes: dict[str, Any] = {"label": label}
        if mask != "keep":
            changes["mask"] = image(1, self.fresh()) if mask == "new" else None
        if key not in self.current:
            with pytest.raises(KeyNotFoundError):
                self.w.update(key, **changes)
            return
        pixels, before, _ = self.current.pop(key)
        if side is not None:
            pixels = image(side, self.fresh())
        self.w.update(key, pixels if side is not None else None, **changes)
        self.current[key] = pixels, changes.get("mask", before), label

    @precondition(lambda self: self.writer is not None)
    @rule(key=KEYS)
    def delete(self, key: str) -> None:
        if key not in self.current:
            with pytest.raises(KeyNotFoundError):
                self.w.delete(key)
            return
        self.w.delete(key)
        del self.current[key]

    @precondition(lambda self: self.writer is not None)
    @rule()
    def commit(self) -> None:
        self.w.commit()
        self.committed = dict(self.current)

    @precondition(lambda self: self.writer is not None)
    @rule()
    def close(self) -> None:
        self.w.close()
        self.committed, self.writer = dict(self.current), None

    @precondition(lambda self: self.writer is not None)
    @rule()
    def abort(self) -> None:
        self.w.abort()
        self.current, self.writer = dict(self.committed), None

    @invariant()
    def reads_what_was_committed(self) -> None:
        if not hasattr(self, "folder") or not self.path.exists() or not (self.path / "manifest.json").exists():
            return
        ds = pixstore.open(self.path)
        assert set(ds.keys.to_pylist()) == self.committed.keys() and len(ds) == len(self.committed)
        for sample in ds:
            pixels, mask, label = self.committed[sample.key]
            assert np.array_equal(sample.image, pixels) and sample.get("label") == label
            assert (sample.get("mask") is None) == (mask is None) and (mask is None or np.array_equal(sample["mask"], mask))
        for key in ("k0", "k7"):
            assert (key in ds) == (key in self.committed)

    def teardown(self) -> None:
        if getattr(self, "writer", None) is not None:
            self.w.abort()
        shutil.rmtree(self.folder)


@pytest.mark.parametrize("engine", ENGINES)
def test_store_agrees_with_a_dict(engine: str) -> None:
    machine = type("Model", (StoreModel,), {"engine": engine})
    run_state_machine_as_test(machine, settings=settings(max_examples=25, stateful_step_count=14, deadline=None))
