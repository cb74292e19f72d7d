"""Batches come in the order that (seed, epoch) says, exactly once over all ranks and resumes, with their own labels and keys."""

from __future__ import annotations

import gc
import pickle
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import pixstore
from pixstore.dataset import Dataset
from pixstore.errors import CorruptRecordError, InvalidInputError, RecordError, SchemaError
from pixstore.loader.loader import Loader, UnevenRanksWarning
from pixstore.loader.transforms import CenterCrop, ChannelsFirst, HorizontalFlip, Normalize, RandomCrop, RandomResizedCrop, Resize
from pixstore.samples import Batch

ENGINES = ("packed", "files", "lmdb", "hdf5")


def numbered(count: int, side: int = 4) -> np.ndarray[Any, Any]:
    """Images that say which row they are."""
    images = np.zeros((count, side, side, 3), np.uint8)
    images[:, 0, 0, 0], images[:, 0, 0, 1] = np.arange(count) % 256, np.arange(count) // 256
    return images


def row_of(images: np.ndarray[Any, Any]) -> list[int]:
    return (images[:, 0, 0, 0].astype(int) + 256 * images[:, 0, 0, 1].astype(int)).tolist()


def write(path: Path, images: Any, engine: str = "packed", codec: str = "raw", **columns: Any) -> Dataset:
    with pixstore.Writer(path, engine=engine, codec=codec) as writer:
        writer.add_batch(images, **columns)
    return pixstore.open(path)


@pytest.fixture(scope="module")
def ds(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    path = tmp_path_factory.mktemp("loader") / "numbered.pixstore"
    return write(path, numbered(1000), label=np.arange(1000) * 3, name=[f"n{row}" for row in range(1000)])


def rows_of(batches: Iterator[Batch] | Loader | Sequence[Batch]) -> list[list[int]]:
    return [row_of(batch["image"]) for batch in batches]


def flat(parts: Sequence[Sequence[int]]) -> list[int]:
    return [row for part in parts for row in part]


def test_in_order_batches_are_the_dataset(ds: Dataset) -> None:
    loader = ds.loader(64)
    batches = list(loader)
    assert len(batches) == len(loader) == 16 and [len(batch) for batch in batches] == [64] * 15 + [40]
    assert flat(rows_of(batches)) == list(range(1000))
    expected = ds[64:128]
    assert np.array_equal(batches[1]["image"], expected["image"]) and batches[1]["key"] == list(expected["key"])
    assert batches[1]["label"].tolist() == expected["label"].tolist() and batches[1]["name"] == list(expected["name"])
    assert batches[1].ok.all() and batches[1]["image"].flags.c_contiguous


def test_shuffled_epoch_has_every_row_once_with_its_label_and_key(ds: Dataset) -> None:
    loader = ds.loader(64, shuffle=True, seed=5)
    seen = []
    for batch in loader:
        rows = row_of(batch["image"])
        assert batch["label"].tolist() == [3 * row for row in rows] and batch["key"] == [f"{row:08d}" for row in rows]
        seen.extend(rows)
    assert sorted(seen) == list(range(1000)) and seen != list(range(1000))


def test_order_depends_on_seed_and_epoch_alone(ds: Dataset) -> None:
    one, two = ds.loader(64, shuffle=True, seed=1), ds.loader(64, shuffle=True, seed=1, threads=1, ahead=0)
    first, second = rows_of(one), rows_of(one)
    assert first == rows_of(two) and second == rows_of(two) and first != second
    assert rows_of(ds.loader(64, shuffle=True, seed=2)) != first
    two.set_epoch(0)
    assert rows_of(two) == first and one.epoch == 2


def test_pass_that_was_left_is_not_gone_on_with(ds: Dataset) -> None:
    loader = ds.loader(64, shuffle=True)
    for batch in loader:
        first = row_of(batch["image"])
        break
    assert loader.state_dict() == {"seed": 0, "epoch": 0, "position": 64, "rows": 1000}
    assert sorted(flat(rows_of(loader))) == list(range(1000)) and loader.epoch == 2
    loader.set_epoch(0)
    assert row_of(next(iter(loader))["image"]) == first


def test_state_counts_what_was_handed_out_and_not_what_is_made_in_advance(ds: Dataset) -> None:
    loader = ds.loader(10, shuffle=True, ahead=8)
    batches = iter(loader)
    for number in range(1, 4):
        next(batches)
        assert loader.state_dict()["position"] == 10 * number


@given(
    world=st.sampled_from([1, 2, 3, 8]),
    batch=st.integers(1, 70),
    stops=st.lists(st.integers(0, 40), min_size=3, max_size=3),
    count=st.integers(1, 300),
    changes=st.lists(st.tuples(st.sampled_from([1, 2, 3, 8]), st.integers(1, 70)), min_size=3, max_size=3),
)
@settings(max_examples=25, deadline=None)
@pytest.mark.filterwarnings("ignore::pixstore.loader.loader.UnevenRanksWarning")
def test_each_row_comes_once_over_ranks_and_three_resumes(
    ds: Dataset, world: int, batch: int, stops: list[int], count: int, changes: list[tuple[int, int]]
) -> None:
    part = ds.select(np.arange(count))
    seen: list[int] = []
    state = None
    for stop, (next_world, next_batch) in zip([*stops, 10**6], [(world, batch), *changes], strict=True):
        states = []
        for rank in range(next_world):
            loader = part.loader(next_batch, shuffle=True, seed=3, rank=rank, world_size=next_world, ahead=0)
            if state is not None:
                loader.load_state_dict(state)
            if state is None or state["epoch"] == 0:
                for number, each in enumerate(loader, 1):
                    seen.extend(row_of(each["image"]))
                    if number > stop:
                        break
            states.append(loader.state_dict())
        assert all(each == states[0] for each in states)
        state = states[0]
    assert sorted(seen) == list(range(count))


def test_resumed_epoch_goes_on_as_the_unbroken_one(ds: Dataset) -> None:
    whole = rows_of(ds.loader(64, shuffle=True, seed=9))
    loader = ds.loader(64, shuffle=True, seed=9)
    batches = iter(loader)
    begun = [row_of(next(batches)["image"]) for _ in range(5)]
    other = ds.loader(64, shuffle=True, seed=0)
    other.load_state_dict(loader.state_dict())
    assert begun + rows_of(other) == whole and other.epoch == 1


def test_every_rank_has_as_many_batches(ds: Dataset) -> None:
    part = ds.select(np.arange(203))
    parts = [rows_of(part.loader(10, shuffle=True, rank=rank, world_size=4)) for rank in range(4)]
    assert len({len(each) for each in parts}) == 1 and sorted(flat([flat(each) for each in parts])) == list(range(203))


def test_fewer_rows_than_ranks_is_said(ds: Dataset) -> None:
    with pytest.warns(UnevenRanksWarning, match="fewer rows than the 8 ranks"):
        (batch,) = ds.select([1, 2, 3]).loader(4, rank=7, world_size=8, transforms=[Normalize(0.5, 0.5), ChannelsFirst()])
    assert len(batch) == 0 and batch["image"].shape == (0, 3, 4, 4) and batch["image"].dtype == np.float32


@pytest.mark.parametrize("engine", ENGINES)
def test_every_engine_and_the_folder_give_the_same_batches(engine: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (20 + row % 3, 24, 3), np.uint8) for row in range(30)]
    (tmp_path / "folder").mkdir()
    for row, image in enumerate(images):
        Image.fromarray(image).save(tmp_path / "folder" / f"{row:03d}.png")
    pixstore.convert(tmp_path / "folder", tmp_path / "store", engine=engine)
    transforms = [RandomResizedCrop(16), HorizontalFlip(), Normalize(0.5, 0.25), ChannelsFirst()]
    passes = []
    for place in ("folder", "store"):
        loader = pixstore.open(tmp_path / place).loader(8, shuffle=True, seed=4, transforms=transforms)
        passes.append([batch for _ in range(2) for batch in loader])
    assert len(passes[0]) == len(passes[1]) == 8
    for one, two in zip(*passes, strict=True):
        assert one["image"].shape[1:] == (3, 16, 16) and one["image"].dtype == np.float32
        assert np.array_equal(one["image"], two["image"]) and list(one["key"]) == list(two["key"])


def test_draws_do_not_depend_on_threads_ranks_or_batches(ds: Dataset) -> None:
    transforms = [RandomCrop(3), HorizontalFlip()]
    options: dict[str, Any] = {"shuffle": True, "seed": 1, "transforms": transforms}
    whole = {key: image for batch in ds.loader(100, **options) for key, image in zip(batch["key"], batch["image"], strict=True)}
    for rank in range(2):
        for batch in ds.loader(33, rank=rank, world_size=2, threads=1, **options):
            assert all(np.array_equal(whole[key], image) for key, image in zip(batch["key"], batch["image"], strict=True))


def test_kept_batches_keep_their_pixels(ds: Dataset) -> None:
    kept = [batch["image"] for batch in ds.loader(16, transforms=[CenterCrop(4)])]
    assert flat([row_of(images) for images in kept]) == list(range(1000))


def damaged(tmp_path: Path, count: int = 40, row: int = 13) -> Dataset:
    ds = write(tmp_path / "damaged.pixstore", numbered(count), label=np.arange(count))
    pixels = next((tmp_path / "damaged.pixstore" / "shards").glob("*.bin"))
    data = bytearray(pixels.read_bytes())
    data[row * 48 + 5] ^= 1
    pixels.write_bytes(data)
    return ds


def test_bad_row_is_named_and_ends_the_pass(tmp_path: Path) -> None:
    loader = damaged(tmp_path).loader(8)
    batches = iter(loader)
    assert row_of(next(batches)["image"]) == list(range(8))
    with pytest.raises(CorruptRecordError, match="00000013"):
        next(batches)
    with pytest.raises(StopIteration):
        next(batches)
    assert loader.state_dict()["position"] == 8 and loader.epoch == 0


def test_good_batches_that_are_read_along_with_a_bad_one_come_before_its_error(tmp_path: Path) -> None:
    # Batches 1 and 2 are read at once; the bad row is in the second of them.
    loader = damaged(tmp_path, row=21).loader(8)
    batches = iter(loader)
    assert [row_of(next(batches)["image"]) for _ in range(2)] == [list(range(8)), list(range(8, 16))]
    with pytest.raises(CorruptRecordError, match="00000021"):
        next(batches)
    assert loader.state_dict()["position"] == 16


def test_masked_row_is_kept_as_zeros_and_counted(tmp_path: Path) -> None:
    loader = damaged(tmp_path).loader(8, on_error="mask")
    batches = list(loader)
    assert [batch["label"].tolist() for batch in batches] == [list(range(start, start + 8)) for start in range(0, 40, 8)]
    assert batches[1].ok.tolist() == [True] * 5 + [False] + [True] * 2 and batches[0].ok.all()
    assert not batches[1]["image"][5].any() and batches[1]["image"][4].any()
    assert batches[1].bad[0].key == "00000013" and (loader.counts.rows, loader.counts.bad_rows) == (40, 1)


def test_checksums_can_be_left_out(tmp_path: Path) -> None:
    assert sum(len(batch) for batch in damaged(tmp_path).loader(8, verify=False)) == 40


def test_row_that_is_no_image_can_be_masked_in_a_folder(tmp_path: Path) -> None:
    for row in range(6):
        Image.fromarray(numbered(6, 8)[row]).save(tmp_path / f"{row}.png")
    whole = (tmp_path / "3.png").read_bytes()
    (tmp_path / "3.png").write_bytes(whole[:40])
    (tmp_path / "4.png").write_bytes(whole[:-30])
    ds = pixstore.open(tmp_path)
    with pytest.raises(RecordError, match=r"3\.png"):
        list(ds.loader(6))
    (batch,) = ds.loader(6, on_error="mask")
    assert batch.ok.tolist() == [True, True, True, False, False, True] and row_of(batch["image"]) == [0, 1, 2, 0, 0, 5]
    assert [each.key for each in batch.bad] == ["3.png", "4.png"]


def test_sample_without_a_field_is_named_or_masked(tmp_path: Path) -> None:
    with pixstore.Writer(tmp_path / "s.pixstore", codec="raw") as writer:
        for row in range(5):
            masks = {} if row == 2 else {"mask": np.full((4, 4), row, np.uint8)}
            writer.add(numbered(5)[row], **masks)
    ds = pixstore.open(tmp_path / "s.pixstore")
    with pytest.raises(RecordError, match="00000002"):
        list(ds.loader(5))
    (batch,) = ds.loader(5, on_error="mask")
    assert batch.ok.tolist() == [True, True, False, True, True] and batch["mask"][:, 0, 0].tolist() == [0, 1, 0, 3, 4]
    (images,) = ds.loader(5, fields=["image"])
    assert row_of(images["image"]) == [0, 1, 2, 3, 4] and "mask" not in images


def test_images_of_several_sizes_come_as_a_list_unless_resized(tmp_path: Path) -> None:
    with pixstore.Writer(tmp_path / "s.pixstore") as writer:
        for row in range(6):
            writer.add(np.full((4 + row, 5, 3), row, np.uint8))
    ds = pixstore.open(tmp_path / "s.pixstore")
    (batch,) = ds.loader(6)
    assert [image.shape for image in batch["image"]] == [(4 + row, 5, 3) for row in range(6)]
    (batch,) = ds.loader(6, transforms=[Resize((3, 2))])
    assert batch["image"].shape == (6, 3, 2, 3) and batch["image"][:, 0, 0, 0].tolist() == list(range(6))


def test_alpha_over_white_is_counted(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((4, 4, 4), np.uint8)).save(tmp_path / "clear.png")
    Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(tmp_path / "opaque.png")
    loader = pixstore.open(tmp_path).loader(2)
    (batch,) = loader
    assert batch["image"].shape == (2, 4, 4, 3) and batch["image"][:, 0, 0, 0].tolist() == [255, 0] and loader.counts.alpha_images == 1
    with pytest.raises(InvalidInputError, match=r"clear\.png.*opaque\.png"):
        list(pixstore.open(tmp_path).loader(2, color="keep"))


def test_loader_pickles_as_a_recipe_and_goes_on_there(ds: Dataset) -> None:
    loader = ds.loader(64, shuffle=True, seed=3, transforms=[RandomCrop(3), HorizontalFlip(), Normalize(0.5, 0.5), ChannelsFirst()])
    batches = iter(loader)
    next(batches)
    data = pickle.dumps(loader)
    assert len(data) < 1024 + len(str(Path.cwd())) + 200
    for one, two in zip(batches, pickle.loads(data), strict=True):
        assert np.array_equal(one["image"], two["image"])


def test_read_step_is_what_iterating_gives(ds: Dataset) -> None:
    loader = ds.select(np.arange(203)).loader(10, shuffle=True, rank=1, world_size=4)
    expected = rows_of(loader)
    loader.set_epoch(0)
    assert [row_of(loader.read_step(step)["image"]) for step in range(len(loader))] == expected
    with pytest.raises(InvalidInputError, match="step 6 is outside"):
        loader.read_step(6)
    assert loader.state_dict()["position"] == 0 and loader.epoch == 0


def test_read_rows_are_these_rows_transformed(ds: Dataset) -> None:
    loader = ds.loader(10, transforms=[CenterCrop(4), ChannelsFirst()])
    batch = loader.read_rows(np.array([7, 7, 3]))
    assert batch["image"].shape == (3, 3, 4, 4) and batch["label"].tolist() == [21, 21, 9] and loader.channels_first == {"image"}


def test_replace_changes_options_and_keeps_the_place(ds: Dataset) -> None:
    loader = ds.loader(10, shuffle=True)
    loader.load_state_dict({"seed": 0, "epoch": 4, "position": 30})
    other = loader.replace(world_size=2, rank=1)
    assert other.state_dict() == loader.state_dict() and other.options.rank == 1 and other.epoch == 4


def test_callables_come_last_and_in_order(ds: Dataset) -> None:
    def double(batch: Batch) -> dict[str, Any]:
        return {"image": batch["image"].astype(int) * 2}

    def shapes(values: dict[str, Any]) -> tuple[int, ...]:
        return tuple(values["image"].shape)

    assert list(ds.loader(500, transforms=[CenterCrop(2), double, shapes])) == [(500, 2, 2, 3)] * 2


def test_callables_error_reaches_the_trainer(ds: Dataset) -> None:
    def fails(batch: Batch) -> Batch:
        raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        next(iter(ds.loader(10, transforms=[fails])))


def test_weights_and_balance_draw_with_replacement(tmp_path: Path) -> None:
    labels = np.array([0] * 900 + [1] * 100)
    ds = write(tmp_path / "s.pixstore", numbered(1000), label=labels)
    balanced = np.concatenate([batch["label"] for batch in ds.loader(100, shuffle=True, balance="label")])
    assert len(balanced) == 1000 and 0.4 < balanced.mean() < 0.6
    only = np.concatenate([batch["label"] for batch in ds.loader(100, shuffle=True, weights=labels)])
    assert (only == 1).all()
    with pytest.raises(InvalidInputError, match=r"\(3,\).*1,000 rows"):
        ds.loader(10, shuffle=True, weights=[1, 2, 3])
    with pytest.raises(SchemaError, match="no column 'kind'; columns here: key, label"):
        ds.loader(10, shuffle=True, balance="kind")


@pytest.mark.parametrize("option", ["fields", "columns"])
def test_one_name_where_a_list_is_needed_is_refused_in_words(ds: Dataset, option: str) -> None:
    with pytest.raises(InvalidInputError, match=rf"{option}='image' is no list of names; write {option}=\['image'\]"):
        ds.loader(4, **{option: "image"})  # type: ignore[arg-type]


def test_bucket_brings_like_sizes_together_and_each_once(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    with pixstore.Writer(tmp_path / "s.pixstore") as writer:
        for row in range(200):
            image = np.zeros((int(rng.integers(2, 40)), 4, 3), np.uint8)
            image[0, 0] = row % 256, row // 256, 0
            writer.add(image)
    ds = pixstore.open(tmp_path / "s.pixstore")
    batches = list(ds.loader(10, shuffle=True, bucket="size"))
    heights = [[image.shape[0] for image in batch["image"]] for batch in batches]
    assert sorted(row for batch in batches for row in (int(i[0, 0, 0]) for i in batch["image"])) == list(range(200))
    assert np.mean([max(each) - min(each) for each in heights]) < 8 < np.ptp(flat(heights))
    begun, rest = ds.loader(10, shuffle=True, bucket="size"), ds.loader(30, shuffle=True, bucket="size", ahead=0)
    first = [key for batch, _ in zip(begun, range(7), strict=False) for key in batch["key"]]
    state = begun.state_dict()
    rest.load_state_dict({**state, "position": 70})
    assert sorted(first[:70] + [key for batch in rest for key in batch["key"]]) == sorted(ds.table["key"].to_pylist())


def test_window_shuffle_says_how_random_it_is(ds: Dataset) -> None:
    loader = ds.loader(10, shuffle="window", window=100)
    assert sorted(flat(rows_of(loader))) == list(range(1000))
    assert 0 < loader.randomness < 1.2 and "shuffled in windows of 100 rows, 0." in repr(loader)
    assert repr(ds.loader(10)) == "<Loader of 100 batches of 10 from 1,000 rows, in order>"
    assert repr(ds.loader(10, shuffle=True, world_size=2)) == "<Loader of 50 batches of 10 from 1,000 rows, shuffled, rank 0 of 2>"


def test_two_passes_at_once_do_not_disturb_each_other(ds: Dataset) -> None:
    loader = ds.loader(100)
    one, two = iter(loader), iter(loader)
    assert [(row_of(a["image"])[0], row_of(b["image"])[0]) for a, b in zip(one, two, strict=True)] == [
        (row, row) for row in range(0, 1000, 100)
    ]


def test_empty_dataset_has_no_batches(ds: Dataset) -> None:
    empty = ds.select([])
    assert list(empty.loader(10, shuffle=True)) == [] and len(empty.loader(10)) == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 0}, "batch_size is 0"),
        ({"batch_size": 2, "shuffle": "windows"}, "shuffle is 'windows'"),
        ({"batch_size": 2, "color": "bgr"}, "color is 'bgr'"),
        ({"batch_size": 2, "rank": 2, "world_size": 2}, "rank 2 of world_size 2"),
        ({"batch_size": 2, "seed": -1}, "seed is -1"),
        ({"batch_size": 2, "threads": -2}, "threads is -2"),
        ({"batch_size": 2, "drop_last": True, "pad": True}, "drop_last and pad"),
        ({"batch_size": 2, "balance": "label"}, "shuffle=True"),
        ({"batch_size": 2, "on_error": "skip"}, "on_error is 'skip'"),
        ({"batch_size": 2, "columns": ["lable"]}, "no column 'lable'"),
        ({"batch_size": 2, "fields": ["maks"]}, "maks"),
    ],
)
def test_bad_option_is_named_with_its_value(ds: Dataset, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        ds.loader(**options)


def test_state_of_another_dataset_is_refused(ds: Dataset) -> None:
    with pytest.raises(InvalidInputError, match="of 999 rows, this dataset has 1000"):
        ds.loader(10).load_state_dict({"seed": 0, "epoch": 0, "position": 5, "rows": 999})
    with pytest.raises(InvalidInputError, match="the state has no position"):
        ds.loader(10).load_state_dict({"seed": 0, "epoch": 0})


ABANDONS = """
import gc, sys, threading
import pixstore
def resident():
    return int(open("/proc/self/statm").read().split()[1])
loader = pixstore.open(sys.argv[1]).loader(32, shuffle=True)
def abandon(times):
    for _ in range(times):
        for number, batch in enumerate(loader):
            if number == 2:
                break
    gc.collect()
abandon(30)
before = resident()
abandon(100)
growth = resident() / before - 1
print(threading.active_count(), growth < 0.02, growth, file=sys.stderr)
sys.exit(0 if threading.active_count() == 1 and growth < 0.02 else 1)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_hundred_abandoned_epochs_leave_no_thread_and_no_memory(ds: Dataset, tmp_path: Path) -> None:
    write(tmp_path / "s.pixstore", numbered(500, 32))
    done = subprocess.run(
        [sys.executable, "-c", ABANDONS, str(tmp_path / "s.pixstore")], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr


def test_no_thread_is_left_after_a_pass(ds: Dataset) -> None:
    for _ in ds.loader(100):
        pass
    gc.collect()
    assert not [thread for thread in threading.enumerate() if thread.name == "pixstore-prefetch"]
