"""JAX: batches as arrays on this process's devices, spread by a sharding, each process with its own rows."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import pixstore
from pixstore import errors
from pixstore.dataset import Dataset
from pixstore.jax import Batches
from pixstore.loader.transforms import ToFloat
from pixstore.writer import Writer

COUNT = 50
IMAGES = np.random.default_rng(0).integers(0, 256, (COUNT, 6, 5, 3)).astype(np.uint8)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("jax") / "s"
    with Writer(path, codec="png", durability="process") as writer:
        writer.add_batch(IMAGES, label=np.arange(COUNT), share=np.arange(COUNT) / 2)
    return path


@pytest.fixture
def ds(path: Path) -> Dataset:
    return pixstore.open(path)


def test_fields_and_numbers_are_arrays_of_jax(ds: Dataset) -> None:
    batches = list(Batches(ds.loader(8, shuffle=True)))
    labels = [int(label) for batch in batches for label in batch["label"]]
    assert sorted(labels) == list(range(COUNT)) and len(batches) == 7
    for batch in batches:
        assert isinstance(batch["image"], jax.Array) and batch["image"].dtype == jnp.uint8 and batch["label"].dtype == jnp.int32
        assert np.array_equal(batch["image"], IMAGES[np.asarray(batch["label"])])
        assert batch["key"] == [f"{label:08}" for label in batch["label"].tolist()] and len(batch) == len(batch["key"])
        assert batch["share"].dtype == jnp.float32


def test_pixels_of_a_kept_batch_stay(ds: Dataset) -> None:
    kept = [batch["image"] for batch in Batches(ds.loader(5))]
    assert np.array_equal(np.concatenate([np.asarray(image) for image in kept]), IMAGES)


def test_floats_of_sixteen_bits_stay_so(ds: Dataset) -> None:
    batch = next(iter(Batches(ds.loader(8, transforms=[ToFloat("bfloat16")]))))
    assert batch["image"].dtype == jnp.bfloat16 and np.allclose(batch["image"].astype(jnp.float32), IMAGES[:8] / 255, atol=2**-8)


def test_passes_count_epochs_and_resume(ds: Dataset) -> None:
    def labels(batches: Any) -> list[int]:
        return [int(label) for batch in batches for label in batch["label"]]

    loader = ds.loader(8, shuffle=True)
    expected = [np.concatenate([batch["label"] for batch in loader]).tolist() for _ in range(2)]
    begun = Batches(ds.loader(8, shuffle=True))
    assert labels(begun) == expected[0] and begun.epoch == 1 and len(begun) == 7
    for number, _ in enumerate(begun):
        if number == 2:
            break
    rest = Batches(ds.loader(16, shuffle=True))
    rest.load_state_dict(begun.state_dict())
    assert labels(rest) == expected[1][24:]
    rest.set_epoch(0)
    assert labels(rest) == expected[0]


def test_sharding_spreads_rows_over_devices(path: Path) -> None:
    code = (
        "import sys, jax, numpy, pixstore, pixstore.jax\n"
        "mesh = jax.sharding.Mesh(numpy.array(jax.devices()), ('batch',))\n"
        "sharding = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec('batch'))\n"
        "for batch in pixstore.jax.Batches(pixstore.open(sys.argv[1]).loader(8, drop_last=True), sharding=sharding):\n"
        "    assert batch['image'].sharding == sharding and batch['image'].shape == (8, 6, 5, 3)\n"
        "    assert [shard.data.shape[0] for shard in batch['image'].addressable_shards] == [2] * 4\n"
        "    assert [int(shard.data[0]) % 2 for shard in batch['label'].addressable_shards] == [0] * 4\n"
    )
    run([sys.executable, "-c", code, str(path)], XLA_FLAGS="--xla_force_host_platform_device_count=4")


def test_each_process_reads_its_own_rows(path: Path, tmp_path: Path) -> None:
    code = (
        "import sys, jax, pixstore, pixstore.jax\n"
        "jax.distributed.initialize(sys.argv[3], num_processes=2, process_id=int(sys.argv[2]))\n"
        "loader = pixstore.open(sys.argv[1]).loader(8)\n"
        "print([int(label) for batch in pixstore.jax.Batches(loader) for label in batch['label']])\n"
        "print([int(label) for batch in pixstore.jax.Batches(loader.replace(), rank=0, world_size=1) for label in batch['label']])\n"
    )
    address = f"localhost:{20_000 + os.getpid() % 20_000}"
    command = [sys.executable, "-c", code, str(path)]
    started = [
        subprocess.Popen([*command, str(number), address], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for number in range(2)
    ]
    read = []
    for process in started:
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
        read.append([[int(number) for number in line.strip("[]").split(", ")] for line in out.splitlines()])
    assert sorted(read[0][0] + read[1][0]) == list(range(COUNT)) and len(read[0][0]) == COUNT // 2
    assert read[0][1] == read[1][1] == list(range(COUNT))


def test_rank_without_world_size_is_refused(ds: Dataset) -> None:
    with pytest.raises(errors.InvalidInputError, match="give both, or neither"):
        Batches(ds.loader(8), world_size=2)


def test_images_of_several_shapes_are_a_list_of_arrays(tmp_path: Path) -> None:
    with Writer(tmp_path / "s", codec="png", durability="process") as writer:
        writer.add(np.zeros((2, 3, 3), np.uint8))
        writer.add(np.ones((4, 5, 3), np.uint8))
    image = next(iter(Batches(pixstore.open(tmp_path / "s").loader(2))))["image"]
    assert [each.shape for each in image] == [(2, 3, 3), (4, 5, 3)] and all(isinstance(each, jax.Array) for each in image)


def run(command: list[str], **environment: str) -> None:
    done = subprocess.run(command, env={**os.environ, **environment}, timeout=60, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
