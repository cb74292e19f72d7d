"""A way at work in a process of its own: what it used comes back, what it read is compared, and its failures are named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pixstore.bench import apart
from pixstore.bench.carried import carry, digest_of
from pixstore.bench.ways import catalog
from pixstore.bench.ways.base import Work
from pixstore.errors import InvalidInputError, PixstoreError, WorkerDiedError

MIB = 1 << 20


def folder(place: Path) -> Path:
    place.mkdir()
    return place


@pytest.fixture
def large() -> Work:
    """Return images of 24 MB in all, so that holding them is seen."""
    return Work(np.random.default_rng(0).integers(0, 256, (128, 256, 256, 3), np.uint8), np.arange(128))


def test_reading_everything_at_once_is_told_from_reading_in_batches(large: Work, tmp_path: Path) -> None:
    said = carry(large, folder(tmp_path / "images"))
    used = {}
    for name in ("tutorial-hdf5", "hand-memmap"):
        way, place = catalog.find(name, None, 1), folder(tmp_path / name)
        way.store_many(place, large)
        used[name] = apart.use(way, "read", place, said, batch=8)
    held = {name: each.peak.private_bytes - each.before.private_bytes for name, each in used.items()}
    assert held["tutorial-hdf5"] >= large.pixel_bytes
    assert held["hand-memmap"] <= large.pixel_bytes / 4
    # It lies in the page cache, which is counted apart.
    assert used["hand-memmap"].peak.mapped_bytes - used["hand-memmap"].before.mapped_bytes >= large.pixel_bytes - MIB


@pytest.mark.parametrize(("name", "doing"), [("packed/png", "store"), ("tutorial-lmdb", "read")])
def test_what_is_stored_there_is_read_back_there(name: str, doing: apart.Doing, work: Work, tmp_path: Path) -> None:
    way, said = catalog.find(name, None, 2), carry(work, folder(tmp_path / "images"))
    used = apart.use(way, doing, folder(tmp_path / "store"), said, batch=4)
    assert used.digest == digest_of(work, work.order, is_lossy=False)
    assert used.images % len(work) == 0 and used.images >= len(work)
    assert used.seconds > 0 and used.cpu_seconds >= 0 and used.samples >= 1
    assert used.peak.private_bytes >= used.before.private_bytes > MIB


def test_what_the_way_refuses_there_is_raised_here(work: Work, tmp_path: Path) -> None:
    wide = Work(np.asarray(work.images).astype(np.uint16), work.labels)
    said = carry(wide, folder(tmp_path / "images"))
    with pytest.raises(InvalidInputError, match="tutorial-png keeps 8-bit images only"):
        apart.use(catalog.find("tutorial-png", None, 1), "store", folder(tmp_path / "store"), said, batch=4)


def test_errors_that_are_not_ours_keep_their_name(work: Work, tmp_path: Path) -> None:
    said = carry(work, folder(tmp_path / "images"))
    with pytest.raises(PixstoreError, match="FileNotFoundError"):
        apart.use(catalog.find("tutorial-hdf5", None, 1), "read", folder(tmp_path / "empty"), said, batch=4)


def test_a_process_that_cannot_even_start_is_named(monkeypatch: pytest.MonkeyPatch, work: Work, tmp_path: Path) -> None:
    said: dict[str, Any] = carry(work, folder(tmp_path / "images"))
    monkeypatch.setattr(apart, "PROGRAM", "raise SystemExit(7)")
    with pytest.raises(WorkerDiedError, match="status 7"):
        apart.use(catalog.find("packed/raw", None, 1), "store", folder(tmp_path / "store"), said, batch=4)
