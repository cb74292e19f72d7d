"""The tiledb engine: the conformance suite, what TileDB reads, forks, and damage."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tiledb

import pixstore
from pixstore.engines import tiledb as engine
from pixstore.errors import PixstoreError
from pixstore.schema import Schema
from pixstore.testing import EngineConformance

IMAGES = np.random.default_rng(0).integers(0, 256, (50, 8, 9, 3), np.uint8)


class TestConformance(EngineConformance):
    engine = engine.ENGINE


@pytest.fixture
def store(tmp_path: Path) -> Path:
    with pixstore.Writer(tmp_path / "s", engine="tiledb", codec={"image": "raw", "mask": "png"}, durability="process") as writer:
        writer.add_batch(IMAGES, mask=list(IMAGES[..., 0]))
    return tmp_path / "s"


def shard(store: Path) -> Path:
    return next((store / "shards").glob("*.tiledb"))


def test_tiledb_reads_one_array(store: Path) -> None:
    with tiledb.open(str(shard(store) / "image")) as array:
        assert np.array_equal(array[0:50], IMAGES) and array.nonempty_domain()[0] == (0, 49)


FORKED = """
import os, signal, sys
import numpy as np
import pixstore
dataset = pixstore.open(sys.argv[1])
before = dataset[:]["image"]
child = os.fork()
if child == 0:
    signal.alarm(30)
    os._exit(0 if np.array_equal(dataset[::-1]["image"], before[::-1]) else 1)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_a_child_of_a_fork_reads_though_tiledbs_threads_are_not_there(store: Path) -> None:
    """It ends as children of multiprocessing do: at a full exit TileDB itself waits for threads that only its parent has."""
    done = subprocess.run([sys.executable, "-c", FORKED, store], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def test_an_index_that_leads_out_of_the_bytes_is_refused_before_anything_is_allocated(store: Path) -> None:
    with tiledb.open(str(shard(store) / "mask/index"), "w") as index:
        index[3:4] = np.array([[0, 1 << 45]])
    reader = engine.ENGINE.open(shard(store), Schema())
    assert reader.read("mask", [2])[0][:4] == b"\x89PNG"
    with pytest.raises(PixstoreError, match="has nothing at"):
        reader.read("mask", [3])
    reader.close()


def test_verify_survives_whatever_damage_does_to_the_library(store: Path) -> None:
    for path in sorted(each for each in shard(store).rglob("*") if each.is_file() and each.stat().st_size)[::3]:
        data = path.read_bytes()
        path.write_bytes(data[: len(data) // 2] + bytes(8) + data[len(data) // 2 + 8 :])
        found = pixstore.verify(store)
        assert not found.ok or path.read_bytes() == data, path
        path.write_bytes(data)
    assert pixstore.verify(store).ok
