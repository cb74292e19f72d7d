"""PyTorch: each row once for any ranks, workers and resumes; the same batches however workers start; nothing copied, nothing hanging."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import distributed
from torch.utils.data import BatchSampler, DataLoader, DistributedSampler, SequentialSampler

import pixstore
from pixstore import errors
from pixstore.dataset import Dataset
from pixstore.loader.loader import Loader, UnevenRanksWarning
from pixstore.loader.transforms import ChannelsFirst, HorizontalFlip, Normalize, RandomCrop, ToFloat
from pixstore.torch import Batches, MapDataset, StreamDataset, TensorBatch, collate
from pixstore.writer import Writer

COUNT = 101
START_METHODS = ("fork", "spawn", "forkserver")
RANDOM = (RandomCrop((6, 6), padding=2), HorizontalFlip())
# Python warns of every fork in a process with threads, torch of more workers than CPUs; these tests are about both working.
forks = pytest.mark.filterwarnings(
    "ignore:This process.*is multi-threaded:DeprecationWarning", "ignore:This DataLoader will create:UserWarning"
)


def encoded(rows: Sequence[int] | NDArray[Any]) -> NDArray[np.uint8]:
    """Return images of 6 × 5 pixels whose every pixel says its row: (row, 255 - row, 7)."""
    red = np.asarray(rows, np.uint8)
    pixel = np.stack([red, 255 - red, np.full_like(red, 7)], axis=-1)
    return np.broadcast_to(pixel[:, None, None, :], (len(red), 6, 5, 3)).copy()


def rows_of(batch: TensorBatch) -> list[int]:
    """Return the rows that the pixels say, having checked that all pixels, labels and keys say the same."""
    if not len(batch):
        return list(batch["key"])
    image = batch["image"]
    red = image[:, 0, 0, 0].to(torch.int64)
    assert torch.equal(
        image, torch.stack([red, 255 - red, torch.full_like(red, 7)], 1)[:, :, None, None].expand(image.shape).to(image.dtype)
    )
    assert batch["label"].dtype == torch.int64 and batch["label"].tolist() == red.tolist()
    assert list(batch["key"]) == [f"{row:08}" for row in red.tolist()]
    return [int(row) for row in red]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("torch") / "s"
    with Writer(path, codec="png", durability="process", shard_bytes=4000) as writer:
        writer.add_batch(
            encoded(range(COUNT)), label=np.arange(COUNT), share=np.arange(COUNT) / 2, name=[f"n{row}" for row in range(COUNT)]
        )
    return path


@pytest.fixture
def ds(path: Path) -> Dataset:
    return pixstore.open(path)


# ---- tensors ----


def test_images_are_channels_first_on_the_memory_of_the_loader(ds: Dataset) -> None:
    read: list[int] = []

    def note(batch: Any) -> Any:
        read.append(batch["image"].ctypes.data)
        return batch

    for batch, address in zip(Batches(ds.loader(32, transforms=[note], ahead=1)), read, strict=False):
        assert batch["image"].shape[1:] == (3, 6, 5) and batch["image"].data_ptr() == address
        assert batch["image"].is_contiguous(memory_format=torch.channels_last)
    read.clear()
    for batch, address in zip(Batches(ds.loader(32, transforms=[ChannelsFirst(), note], ahead=1)), read, strict=False):
        assert batch["image"].shape[1:] == (3, 6, 5) and batch["image"].data_ptr() == address and batch["image"].is_contiguous()


def test_pixels_of_a_kept_batch_stay(ds: Dataset) -> None:
    kept = list(Batches(ds.loader(10)))
    assert [row for batch in kept for row in rows_of(batch)] == list(range(COUNT))


def test_columns_are_tensors_and_lists(ds: Dataset) -> None:
    batch = next(iter(Batches(ds.loader(4))))
    assert batch["label"].dtype == torch.int64 and batch["share"].dtype == torch.float64 and batch["share"].tolist() == [0, 0.5, 1, 1.5]
    assert batch["name"] == ["n0", "n1", "n2", "n3"] and batch.key[1] == "00000001" and len(batch) == 4 and batch.ok.all()
    assert repr(batch).startswith("Batch of 4 (image=4·3·6·5 torch.uint8, label=4 torch.int64")


@pytest.mark.parametrize(("dtype", "expected"), [("float32", torch.float32), ("float16", torch.float16), ("bfloat16", torch.bfloat16)])
def test_floats_keep_their_type_and_memory(ds: Dataset, dtype: Any, expected: torch.dtype) -> None:
    loader = ds.loader(COUNT, transforms=[ToFloat(dtype)])
    image = next(iter(Batches(loader)))["image"]
    assert image.dtype == expected and image.is_contiguous(memory_format=torch.channels_last)
    exact = torch.arange(COUNT, dtype=torch.float32)[:, None, None].expand(COUNT, 6, 5) / 255
    assert torch.allclose(image[:, 0].float(), exact, atol=2**-8)


def test_sixteen_bits_become_int32(tmp_path: Path) -> None:
    images = np.array([0, 1, 40_000, 65_535], np.uint16)[:, None, None].repeat(3, 1).repeat(2, 2)
    with Writer(tmp_path / "s", durability="process") as writer:
        writer.add_batch(images, small=np.arange(4, dtype=np.uint8), large=np.array([0, 1, 2, 2**64 - 1], np.uint64))
    batch = next(iter(Batches(pixstore.open(tmp_path / "s").loader(4, color="keep"))))
    assert (
        batch["image"].dtype == torch.int32
        and batch["image"].shape == (4, 3, 2)
        and batch["image"][:, 0, 0].tolist() == [0, 1, 40_000, 65_535]
    )
    assert batch["small"].dtype == torch.int64 and batch["large"].dtype == torch.uint64 and int(batch["large"].numpy()[3]) == 2**64 - 1


def test_images_of_several_shapes_are_a_list_of_tensors(tmp_path: Path) -> None:
    with Writer(tmp_path / "s", codec="png", durability="process") as writer:
        writer.add(np.zeros((2, 3, 3), np.uint8))
        writer.add(np.ones((4, 5, 3), np.uint8))
    batch = next(iter(Batches(pixstore.open(tmp_path / "s").loader(2))))
    assert [tuple(image.shape) for image in batch["image"]] == [(3, 2, 3), (3, 4, 5)] and int(batch["image"][1].min()) == 1


def test_a_batch_moves_to_a_device_and_may_be_changed(ds: Dataset) -> None:
    batch = next(iter(Batches(ds.loader(4)))).to("meta")
    assert (
        batch["image"].device.type == "meta" and batch["label"].device.type == "meta" and batch["name"][0] == "n0" and batch.position == 4
    )
    batch["image"] = batch["image"].float()
    del batch["share"]
    assert batch["image"].dtype == torch.float32 and "share" not in batch


def test_page_locked_memory_is_for_cuda(ds: Dataset) -> None:
    assert next(iter(Batches(ds.loader(4))))["image"].is_pinned() == torch.cuda.is_available()


# ---- exactly once ----


def all_ranks(ds: Dataset, world: int, batch_size: int, workers: int, state: dict[str, int] | None) -> list[Batches]:
    """Return what each rank iterates; the loaders have random transforms, as those must not depend on any of this."""
    made = []
    for rank in range(world):
        batches = Batches(ds.loader(batch_size, shuffle=True, seed=5, rank=rank, world_size=world), workers=workers, start_method="fork")
        if state is not None:
            batches.load_state_dict(state)
        made.append(batches)
    return made


def step_by_step(ranks: list[Batches]) -> Iterator[list[TensorBatch]]:
    """Yield what all ranks get in each step. Fails where one has fewer batches than another."""
    for step in zip_longest(*ranks):
        assert None not in step, "a rank ended before the others"
        yield list(step)


@forks
@pytest.mark.filterwarnings(f"ignore::{UnevenRanksWarning.__module__}.{UnevenRanksWarning.__name__}")
@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("world", [1, 2, 3, 8])
# A failure is not made smaller: that would take longer than the watchdog waits.
@settings(max_examples=4, phases=[Phase.generate])
@given(data=st.data())
def test_each_row_comes_once_over_ranks_workers_and_three_resumes(path: Path, world: int, workers: int, data: st.DataObject) -> None:
    """Three stops at any steps, each gone on with by as many ranks or others, with another batch size."""
    ds = pixstore.open(path)
    seen: list[int] = []
    state = None
    for part in range(4):
        worlds = st.sampled_from([world] if part == 0 else [world, 1, 2, 3, 8])
        ranks = all_ranks(ds, data.draw(worlds), data.draw(st.integers(2, 5)), workers, state)
        stop_after = data.draw(st.integers(1, 5)) if part < 3 else None
        states = [rank.state_dict() for rank in ranks]
        for number, step in enumerate(step_by_step(ranks), start=1):
            seen += [row for batch in step for row in rows_of(batch)]
            states = [rank.state_dict() for rank in ranks]
            if number == stop_after:
                break
        for rank in ranks:
            rank.close()
        assert all(each == states[0] for each in states)
        state = pickle.loads(pickle.dumps(states[0]))
        if state["epoch"]:
            break
    assert sorted(seen) == list(range(COUNT))
    assert {rank.epoch for rank in ranks} == {1}


@forks
@pytest.mark.parametrize("workers", [0, 2])
def test_a_resumed_epoch_is_the_rest_of_the_unbroken_one(ds: Dataset, workers: int) -> None:
    def batches() -> Batches:
        return Batches(ds.loader(8, shuffle=True, seed=3, transforms=RANDOM), workers=workers, start_method="fork")

    whole = [batch["image"].clone() for batch in batches()]
    begun = batches()
    for stopped, _ in enumerate(begun, start=1):
        if stopped == 4:
            break
    state = begun.state_dict()
    assert state["position"] == 32 and state["epoch"] == 0
    rest = batches()
    rest.load_state_dict(state)
    for expected, batch in zip(whole[4:], rest, strict=True):
        assert torch.equal(batch["image"], expected)
    assert rest.epoch == 1 and rest.state_dict()["position"] == 0


@forks
def test_a_state_with_another_seed_reaches_running_workers(ds: Dataset) -> None:
    other = ds.loader(8, shuffle=True, seed=77)
    batches = Batches(ds.loader(8, shuffle=True), workers=2, start_method="fork")
    first = [rows_of(batch) for batch in batches]
    batches.load_state_dict(other.state_dict())
    second = [rows_of(batch) for batch in batches]
    assert first != second == [batch["label"].tolist() for batch in other]


@forks
@pytest.mark.parametrize("workers", [0, 1, 3])
def test_each_pass_is_the_next_epoch_of_the_loader(ds: Dataset, workers: int) -> None:
    loader = ds.loader(16, shuffle=True)
    expected = [[batch["label"].tolist() for batch in loader] for _ in range(3)]
    batches = Batches(ds.loader(16, shuffle=True), workers=workers, start_method="fork")
    passes = []
    for epoch in range(3):
        assert batches.epoch == epoch and len(batches) == 7
        passes.append([rows_of(batch) for batch in batches])
    assert passes == expected and passes[0] != passes[1]
    batches.set_epoch(1)
    next(iter(batches))
    assert [rows_of(batch) for batch in batches] == expected[2], "a pass that was left is not gone on with"


@forks
def test_a_pass_whose_workers_serve_another_says_so(ds: Dataset) -> None:
    batches = Batches(ds.loader(8), workers=2, start_method="fork")
    first = iter(batches)
    next(first)
    second = iter(batches)
    assert rows_of(next(second)) == list(range(8))
    with pytest.raises(errors.InvalidInputError, match="this pass has ended"):
        next(first)
    assert rows_of(next(second)) == list(range(8, 16))
    batches.close()
    with pytest.raises(errors.InvalidInputError, match="this pass has ended"):
        next(second)


# ---- processes ----


@forks
@pytest.mark.parametrize("method", START_METHODS)
def test_workers_give_the_batches_of_one_process_however_they_start(ds: Dataset, method: Any) -> None:
    loader = ds.loader(8, shuffle=True, seed=1, transforms=[*RANDOM, ToFloat(), Normalize(0.5, 0.25)])
    alone = [(batch["image"].copy(), batch["label"].tolist(), batch["key"]) for _ in range(2) for batch in loader]
    batches = Batches(ds.loader(8, shuffle=True, seed=1, transforms=loader.options.transforms), workers=2, start_method=method)
    shared = [batch for _ in range(2) for batch in batches]
    assert len(shared) == len(alone)
    for (image, label, key), batch in zip(alone, shared, strict=True):
        assert torch.equal(batch["image"].permute(0, 2, 3, 1), torch.from_numpy(image)), "the pixels differ"
        assert batch["label"].tolist() == label and list(batch["key"]) == key


@forks
@pytest.mark.parametrize("engine", ["packed", "files", "lmdb", "hdf5"])
def test_workers_fork_from_a_process_that_is_reading(tmp_path: Path, engine: str) -> None:
    with Writer(tmp_path / "s", engine=engine, codec="png", durability="process") as writer:
        writer.add_batch(encoded(range(COUNT)), label=np.arange(COUNT))
    ds = pixstore.open(tmp_path / "s")
    running = iter(Batches(ds.loader(4)))
    rows = rows_of(next(running))
    assert [row for batch in Batches(ds.loader(8), workers=2, start_method="fork") for row in rows_of(batch)] == list(range(COUNT))
    assert rows + [row for batch in running for row in rows_of(batch)] == list(range(COUNT))


@forks
def test_rows_that_could_not_be_read_stay_marked_behind_workers(tmp_path: Path) -> None:
    with Writer(tmp_path / "s", engine="files", codec="png", durability="process") as writer:
        writer.add_batch(encoded(range(6)), label=np.arange(6))
    damaged = sorted((tmp_path / "s").rglob("*.png"))[3]
    damaged.write_bytes(damaged.read_bytes()[:40])
    loader = pixstore.open(tmp_path / "s").loader(6, on_error="mask")
    for batch in Batches(loader, workers=1, start_method="fork"):
        assert batch.ok.tolist() == [True, True, True, False, True, True] and [bad.key for bad in batch.bad] == ["00000003"]
    for batch in DataLoader(StreamDataset(loader), batch_size=None):
        assert not batch.ok[3]
    with pytest.raises(errors.RecordError, match="00000003"):
        list(Batches(pixstore.open(tmp_path / "s").loader(6), workers=1, start_method="fork"))


def killed(batch: Any) -> Any:
    """Return the first batches; then die as by the kernel's out-of-memory killer."""
    if 40 in batch["label"]:
        os.kill(os.getpid(), signal.SIGKILL)
    return batch


@forks
def test_a_worker_that_is_killed_is_an_error_that_names_it(ds: Dataset) -> None:
    batches = Batches(ds.loader(8, transforms=[killed]), workers=2, start_method="fork")
    with pytest.raises(errors.WorkerDiedError, match=r"^worker process \d+ ended with status -9;"):
        list(batches)
    assert multiprocessing.active_children() == []


@forks
def test_workers_share_the_cpus(ds: Dataset) -> None:
    def note_threads(batch: Any) -> Any:
        batch["label"][:] = len(os.listdir("/proc/self/task"))
        return batch

    for stated, loader in ((None, ds.loader(50, transforms=[note_threads])), (1, ds.loader(50, threads=1, transforms=[note_threads]))):
        batches = Batches(loader, workers=pixstore.codec.usable_cpus(), start_method="fork")
        assert loader.options.threads == stated
        # One thread decodes, one feeds the queue, one is Python's; whoever decodes with all CPUs has as many more.
        assert max(int(batch["label"].max()) for batch in batches) <= 3 + 1


def test_recipes_are_small(ds: Dataset) -> None:
    loader = ds.loader(64, shuffle=True, transforms=[*RANDOM, ToFloat(), Normalize((0.5, 0.5, 0.5), (0.2, 0.2, 0.2)), ChannelsFirst()])
    assert len(pickle.dumps(ds)) < 1024 and len(pickle.dumps(loader)) < 1024
    for dataset in (MapDataset(ds.loader(64)), StreamDataset(ds.loader(64))):
        assert len(pickle.dumps(dataset)) < 1024


def test_abandoned_passes_leave_no_worker(path: Path) -> None:
    code = (
        "import sys, multiprocessing, pixstore, pixstore.torch\n"
        "batches = pixstore.torch.Batches(pixstore.open(sys.argv[1]).loader(4), workers=2, start_method='fork')\n"
        "for _ in range(5):\n    for batch in batches: break\n"
        "assert len(multiprocessing.active_children()) == 2\n"
        "batches.close()\n"
        "assert multiprocessing.active_children() == []\n"
        "next(iter(batches))\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], timeout=60, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


# ---- ranks ----


def test_ranks_come_from_torch_distributed_where_it_runs(path: Path, tmp_path: Path) -> None:
    code = (
        "import sys, torch, pixstore, pixstore.torch\n"
        "rank = int(sys.argv[2])\n"
        "torch.distributed.init_process_group('gloo', init_method='file://' + sys.argv[3], rank=rank, world_size=2)\n"
        "ds = pixstore.open(sys.argv[1])\n"
        "print([row for batch in pixstore.torch.Batches(ds.loader(8)) for row in batch['label'].tolist()])\n"
        "print([row for batch in pixstore.torch.Batches(ds.loader(8), rank=0, world_size=1) for row in batch['label'].tolist()])\n"
        "print([row for batch in pixstore.torch.Batches(ds.loader(8, rank=1, world_size=3)) for row in batch['label'].tolist()])\n"
        "torch.distributed.barrier(); torch.distributed.destroy_process_group()\n"
    )
    command = [sys.executable, "-c", code, str(path)]
    running = [
        subprocess.Popen([*command, str(rank), str(tmp_path / "rendezvous")], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for rank in range(2)
    ]
    outputs = []
    for process in running:
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
        outputs.append([[int(number) for number in line.strip("[]").split(", ")] for line in out.splitlines()])
    (first, whole, third), (second, also_whole, also_third) = outputs
    assert sorted(first + second) == list(range(COUNT)) and abs(len(first) - len(second)) <= 1
    assert whole == also_whole == list(range(COUNT)) and third == also_third and len(third) in (33, 34)


def test_rank_without_world_size_is_refused(ds: Dataset) -> None:
    with pytest.raises(errors.InvalidInputError, match="give both, or neither"):
        Batches(ds.loader(8), rank=1)
    with pytest.raises(errors.InvalidInputError, match="rank 2 of world_size 2"):
        Batches(ds.loader(8), rank=2, world_size=2)
    with pytest.raises(errors.InvalidInputError, match="workers is -1"):
        Batches(ds.loader(8), workers=-1)
    assert not distributed.is_initialized()


# ---- DataLoader ----


@forks
@pytest.mark.parametrize("workers", [0, 2])
def test_plain_dataloader_takes_a_dataset(ds: Dataset, workers: int) -> None:
    context = "fork" if workers else None
    seen = []
    for batch in DataLoader(ds, batch_size=64, num_workers=workers, multiprocessing_context=context):
        seen += rows_of(TensorBatch({**batch, "image": batch["image"].permute(0, 3, 1, 2)}))
    assert seen == list(range(COUNT))


def test_plain_dataloader_reads_a_batch_at_once(ds: Dataset) -> None:
    samples = ds.__getitems__([5, 3, 5])
    assert [sample["label"] for sample in samples] == [5, 3, 5] and type(samples[0]["label"]) is int
    assert np.array_equal(samples[1].image, encoded([3])[0]) and samples[2].key == "00000005"


@forks
@pytest.mark.parametrize("workers", [0, 2])
def test_map_dataset_takes_samplers_and_draws_by_row_and_epoch(ds: Dataset, workers: int) -> None:
    loader = ds.loader(16, shuffle=True, seed=9, transforms=RANDOM)
    expected: dict[tuple[int, int], NDArray[Any]] = {}
    for epoch in range(2):
        for batch in loader:
            expected.update({(epoch, int(row)): image.copy() for row, image in zip(batch["label"], batch["image"], strict=True)})
    dataset = MapDataset(ds.loader(1, seed=9, transforms=RANDOM))
    sampler = DistributedSampler(dataset, num_replicas=2, rank=1)
    made = DataLoader(
        dataset,
        batch_size=16,
        sampler=sampler,
        collate_fn=collate,
        num_workers=workers,
        multiprocessing_context="fork" if workers else None,
        persistent_workers=workers > 0,
    )
    for epoch in range(2):
        sampler.set_epoch(epoch)
        dataset.set_epoch(epoch)
        rows = []
        for batch in made:
            assert isinstance(batch, TensorBatch) and batch["image"].shape[1:] == (3, 6, 6)
            for row, image in zip(batch["label"].tolist(), batch["image"], strict=True):
                assert np.array_equal(image.permute(1, 2, 0).numpy(), expected[epoch, row])
                rows.append(row)
        assert rows == list(sampler)


def test_map_dataset_reads_single_rows_and_lists_of_rows(ds: Dataset) -> None:
    dataset = MapDataset(ds.loader(1))
    assert len(dataset) == COUNT and dataset[3]["image"].shape == (3, 6, 5) and int(dataset[-1]["label"]) == COUNT - 1
    assert rows_of(dataset[[7, 2]]) == [7, 2] and len(dataset[[]]) == 0
    batched = DataLoader(dataset, batch_size=None, sampler=BatchSampler(SequentialSampler(dataset), 50, drop_last=False))
    assert [rows_of(batch) for batch in batched] == [list(range(50)), list(range(50, 100)), [100]]
    for wrong in (COUNT, -COUNT - 1, [0, COUNT]):
        with pytest.raises(errors.RowNotFoundError):
            dataset[wrong]


def test_map_dataset_without_its_collate_says_what_to_do(ds: Dataset) -> None:
    with pytest.raises(errors.InvalidInputError, match=r"collate_fn=pixstore\.torch\.collate"):
        next(iter(DataLoader(MapDataset(ds.loader(1)), batch_size=4)))


@forks
@pytest.mark.parametrize("workers", [0, 2])
def test_stream_dataset_shares_steps_among_workers_of_a_dataloader(ds: Dataset, workers: int) -> None:
    loader: Loader = ds.loader(8, shuffle=True, seed=2)
    expected = [[batch["label"].tolist() for batch in loader] for _ in range(2)]
    dataset = StreamDataset(ds.loader(8, shuffle=True, seed=2))
    context: Callable[..., Any] | str | None = "fork" if workers else None
    made = DataLoader(dataset, batch_size=None, num_workers=workers, multiprocessing_context=context, persistent_workers=workers > 0)
    assert len(made) == len(expected[0])
    for epoch in (1, 0):
        dataset.set_epoch(epoch)
        batches = list(made)
        assert [rows_of(batch) for batch in batches] == expected[epoch]
        assert [batch.position for batch in batches] == [*range(8, COUNT, 8), COUNT]
