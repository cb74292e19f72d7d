"""Dataset: every way of asking for rows gives the rows asked for, and every wrong way one clear error."""

from __future__ import annotations

import itertools
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

import pixstore
from pixstore import errors
from pixstore.dataset import Dataset
from pixstore.samples import Batch, Sample
from pixstore.schema import Schema
from pixstore.splits.parts import SplitWarning
from pixstore.writer import Writer

COUNT = 150
IMAGES: NDArray[np.uint8] = np.random.default_rng(0).integers(0, 256, (COUNT, 3, 4, 3)).astype(np.uint8)
KEYS = [f"cat-{number:03}" for number in range(COUNT)]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("dataset") / "s"
    schema = Schema(columns=pa.schema([("label", pa.int64()), ("name", pa.string())]), classes={"label": ("cat", "dog")})
    with Writer(path, codec="png", durability="process", shard_bytes=4000, schema=schema) as writer:
        writer.add_batch(IMAGES, key=KEYS, label=np.arange(COUNT) % 2, name=[None, *map(str, range(1, COUNT))])
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Somebody else's images: the same keys, no checksums."""
    path = tmp_path_factory.mktemp("images")
    for key, image in zip(KEYS[:8], IMAGES, strict=False):
        Image.fromarray(image).save(path / f"{key}.png")
    return path


@pytest.fixture
def ds(path: Path) -> Dataset:
    return pixstore.open(path)


# ---- asking for rows ----


@given(rows=st.lists(st.integers(-COUNT, COUNT - 1), max_size=30))
def test_rows_come_in_the_order_asked_with_repeats(path: Path, rows: list[int]) -> None:
    ds = pixstore.open(path)
    for asked in (rows, tuple(rows), np.array(rows, np.int64), np.array(rows, np.int16), pa.array(rows, pa.int64())):
        batch = ds[asked]
        assert len(batch) == len(rows) and batch.key == [KEYS[row] for row in rows]
        assert len(batch.image) == len(rows) and all(np.array_equal(a, IMAGES[row]) for a, row in zip(batch.image, rows, strict=True))


@given(st.slices(COUNT))
def test_slices_are_those_of_a_list(path: Path, rows: slice) -> None:
    batch = pixstore.open(path)[rows]
    assert batch.key == KEYS[rows] and np.array_equal(np.asarray(batch.image).reshape(-1, 3, 4, 3), IMAGES[rows])


@pytest.mark.parametrize("kind", [list, np.array, pa.array])
def test_masks_take_the_rows_that_are_true(ds: Dataset, kind: Callable[[list[bool]], Any]) -> None:
    mask = [row % 7 == 3 for row in range(COUNT)]
    assert ds[kind(mask)].key == KEYS[3::7] and len(ds[kind([False] * COUNT)]) == 0


@pytest.mark.parametrize("kind", [list, tuple, np.array, pa.array, lambda keys: pa.chunked_array([keys])])
def test_keys_take_their_rows(ds: Dataset, kind: Callable[[list[str]], Any]) -> None:
    keys = ["cat-140", "cat-000", "cat-140", "cat-077"]
    batch = ds[kind(keys)]
    assert batch.key == keys and np.array_equal(batch.image, IMAGES[[140, 0, 140, 77]])


def test_one_row_is_a_sample(ds: Dataset) -> None:
    for index in (5, np.int64(5), np.uint8(5), 5 - COUNT, "cat-005"):
        sample = ds[index]
        assert isinstance(sample, Sample) and np.array_equal(sample.image, IMAGES[5]) and sample.key == "cat-005"
        assert dict(sample) == {"image": sample.image, "key": "cat-005", "label": 1, "name": "5"} and len(sample) == 4
    assert ds[0]["name"] is None


@pytest.mark.parametrize("row", [COUNT, -COUNT - 1, [0, COUNT], [-COUNT - 1], np.array([1 << 40])])
def test_row_outside_is_refused_with_the_count(ds: Dataset, row: Any) -> None:
    with pytest.raises(errors.RowNotFoundError, match=f"outside this dataset of {COUNT} samples"):
        ds[row]


@pytest.mark.parametrize(
    "rows",
    [
        1.5,
        [1.5],
        None,
        True,
        np.True_,
        [[1, 2]],
        np.zeros((2, 2), int),
        [True],
        [None, True],
        [1, "cat-001"],
        b"cat",
        {1: 2},
        {1},
        object(),
    ],
)
def test_what_is_no_row_is_refused(ds: Dataset, rows: Any) -> None:
    with pytest.raises(errors.InvalidInputError):
        ds[rows]


def test_unknown_key_is_answered_with_the_nearest(ds: Dataset) -> None:
    with pytest.raises(KeyError, match="no sample with key 'cat-14'; did you mean 'cat-1"):
        ds["cat-14"]
    with pytest.raises(errors.KeyNotFoundError, match=r"'zebra'$"):
        ds[["cat-001", "zebra"]]


def test_by_key_is_ordered_wherever_it_starts(ds: Dataset) -> None:
    shuffled = ds.select(np.random.default_rng(0).permutation(len(ds)))
    keys = sorted(ds.keys.to_pylist())
    assert shuffled.by_key().keys.to_pylist() == keys
    assert shuffled.by_key(keys[2], limit=3).keys.to_pylist() == keys[2:5]
    assert np.array_equal(shuffled.by_key(limit=1)[0].image, ds[keys[0]].image)
    assert pickle.loads(pickle.dumps(ds.by_key(prefix="cat-0"))).keys.to_pylist() == [key for key in keys if key.startswith("cat-0")]


@pytest.mark.parametrize("key", ["cat", "", "\udcff", "cat-001\0", 3, None, ("cat-001",)])
def test_what_is_no_key_is_not_in_the_dataset(ds: Dataset, key: Any) -> None:
    assert key not in ds and "cat-001" in ds
    if isinstance(key, str):
        assert ds.get(key) is None and ds.get(key, default=5) == 5
        with pytest.raises(errors.KeyNotFoundError):
            ds[key]


def test_iteration_gives_what_indexing_gives(ds: Dataset) -> None:
    samples = list(ds)
    assert len(samples) == COUNT and [sample.key for sample in samples] == KEYS
    for row in (0, 63, 64, 149):
        assert samples[row]["label"] == ds[row]["label"] and type(samples[row]["label"]) is type(ds[row]["label"])
        assert np.array_equal(samples[row].image, ds[row].image)


def test_read_takes_the_fields_and_columns_named(ds: Dataset) -> None:
    assert set(ds.read([1], fields=[])) == {"key", "label", "name"} and set(ds.read([1], columns=[])) == {"image", "key"}
    assert set(ds.read([1], columns=["name", "key", "name"])) == {"image", "key", "name"}
    with pytest.raises(errors.SchemaError, match="no column 'nope'; columns here: key, label, name"):
        ds.read([1], columns=["nope"])
    with pytest.raises(errors.SchemaError, match="no field 'mask'; fields here: image"):
        ds.read([1], fields=["mask"])
    for threads in (1, 2, 8):
        assert np.array_equal(ds.read(slice(None), threads=threads)["image"], IMAGES)


def test_batch_and_sample_are_mappings(ds: Dataset) -> None:
    batch = ds[2:4]
    assert isinstance(batch, Batch) and list(batch) == ["image", "key", "label", "name"] and "image" in batch and "mask" not in batch
    assert batch.get("mask", 3) == 3 and "Batch of 2 (image=2·3·4·3 uint8" in repr(batch) and "label=0" in repr(ds[2])
    for each in (batch, ds[2]):
        with pytest.raises(KeyError):
            each["mask"]
        with pytest.raises(errors.SchemaError, match="no field or column 'mask'; here: image, key, label, name"):
            each["mask"]


def test_encoded_is_what_is_stored(ds: Dataset, path: Path) -> None:
    assert ds.encoded(3) == ds.encoded("cat-003") == ds.encoded_many(["cat-003"])[0] == ds.encoded_many([1, 3])[1]
    assert ds.encoded(3).startswith(b"\x89PNG") and {each.codec for each in ds.formats(slice(None))} == {"png"}
    with pytest.raises(errors.RowNotFoundError):
        ds.encoded(COUNT)
    with pytest.raises(errors.SchemaError):
        ds.encoded(0, field="mask")


@pytest.mark.parametrize("io", ["map", "pread", "auto"])
def test_every_way_of_reading_reads_the_same(path: Path, io: Any) -> None:
    ds = pixstore.open(path, io=io, threads=2)
    assert np.array_equal(ds[::-1].image, IMAGES[::-1]) and ds.encoded(7) == pixstore.open(path).encoded(7)


# ---- selections ----


def test_selection_is_a_dataset_of_its_rows(ds: Dataset) -> None:
    chosen = ds.select([9, 3, 3, -1])
    assert len(chosen) == 4 and chosen.keys.to_pylist() == ["cat-009", "cat-003", "cat-003", "cat-149"]
    assert np.array_equal(chosen[:].image, IMAGES[[9, 3, 3, 149]]) and chosen[-1].key == "cat-149" and chosen["cat-003"].key == "cat-003"
    assert chosen.row_of("cat-003") == 1 and "cat-004" not in chosen and chosen.get("cat-004") is None
    assert chosen.select([3, 0])[[1, 0]].key == ["cat-009", "cat-149"] and chosen[["cat-149", "cat-009"]].key == ["cat-149", "cat-009"]
    with pytest.raises(errors.RowNotFoundError, match="4 samples"):
        chosen[4]
    with pytest.raises(errors.KeyNotFoundError):
        chosen["cat-004"]
    nothing = ds.select([])
    assert len(nothing) == 0 and list(nothing) == [] and "cat-001" not in nothing and nothing.table.num_rows == 0 and len(nothing[:]) == 0


def test_filter_takes_the_rows_for_which_it_holds(ds: Dataset) -> None:
    odd = ds.filter(pc.field("label") == 1)
    assert odd.keys.to_pylist() == KEYS[1::2] and odd.filter(pc.field("key") < "cat-004").keys.to_pylist() == ["cat-001", "cat-003"]
    assert ds.filter(pc.field("name").is_null()).keys.to_pylist() == ["cat-000"] and len(ds.filter(pc.field("label") > 5)) == 0


@pytest.mark.parametrize("expression", [pc.field("nope") == 1, pc.field("label") == "x", "label == 1", lambda row: True, None])
def test_filter_that_does_not_fit_is_refused(ds: Dataset, expression: Any) -> None:
    with pytest.raises(errors.SchemaError, match="columns here: key, label, name"):
        ds.filter(expression)


# ---- what a dataset tells of itself ----


def test_dataset_tells_what_it_is(ds: Dataset, path: Path) -> None:
    assert ds.classes == ("cat", "dog") and ds.is_checked and ds.origin == "pixstore store, version 1"
    assert ds.store_manifest is not None and ds.store_manifest.rows == COUNT and ds.report.skipped == []
    assert (
        repr(ds) == "<Dataset of 150 samples (pixstore store, version 1); fields: image 3·4·3 uint8; columns: label: int64, name: string>"
    )
    assert ds.table.column_names == ["key", "label", "name"] and ds.schema.field_names == ("image",)


def test_source_reads_like_a_store(folder: Path) -> None:
    ds = pixstore.open(folder)
    assert len(ds) == 8 and not ds.is_checked and ds.store_manifest is None and ds.origin == "image folder"
    assert (
        np.array_equal(ds[:].image, IMAGES[:8]) and np.array_equal(ds["cat-003.png"].image, IMAGES[3]) and ds.encoded(1)[:4] == b"\x89PNG"
    )
    assert ds[["cat-002.png", "cat-001.png"]].key == ["cat-002.png", "cat-001.png"] and "cat-009.png" not in ds
    assert ds.select([2, 1]).row_of("cat-001.png") == 1 and len(ds.absent("image", slice(None))) == 0
    assert np.array_equal(pickle.loads(pickle.dumps(ds))[:].image, IMAGES[:8])


def test_pickle_is_a_short_recipe_that_opens_again(ds: Dataset) -> None:
    for each in (ds, ds.select([5, 2]), ds.filter(pc.field("label") == 1)):
        ds[0]
        restored = pickle.loads(pickle.dumps(each))
        assert restored.table.equals(each.table) and np.array_equal(restored[:].image, each[:].image)
    assert len(pickle.dumps(ds)) < 1024


def test_closing_lets_reading_go_on(path: Path) -> None:
    with pixstore.open(path) as ds:
        assert ds[0].key == "cat-000"
    ds.close()
    assert ds[1].key == "cat-001"


def test_numbers_of_a_batch_may_be_changed(ds: Dataset) -> None:
    batch = ds[0:4]
    batch["label"][:] = 7
    batch["image"][:] = 0
    assert ds[0:4]["label"].tolist() == [0, 1, 0, 1] and np.array_equal(ds[0].image, IMAGES[0])


# ---- splits ----


def test_parts_are_datasets_in_the_order_of_rows(ds: Dataset) -> None:
    parts = ds.split({"train": 0.8, "val": 0.1, "test": 0.1}, stratify="label", seed=4)
    assert {name: len(part) for name, part in parts.items()} == {"train": 120, "val": 15, "test": 15}
    rows = [[KEYS.index(key) for key in part.keys.to_pylist()] for part in parts.values()]
    assert all(each == sorted(each) for each in rows) and sorted(itertools.chain(*rows)) == list(range(COUNT))
    assert np.array_equal(parts["test"][:].image, IMAGES[rows[2]])


def test_each_sample_is_tested_once_and_trained_on_otherwise(ds: Dataset) -> None:
    pairs = ds.kfold(4, stratify="label")
    assert sorted(key for _, test in pairs for key in test.keys.to_pylist()) == KEYS
    for train, test in pairs:
        assert sorted(train.keys.to_pylist() + test.keys.to_pylist()) == KEYS
        assert abs(np.bincount(test.table["label"]) - COUNT / 8).max() < 1


def test_a_folder_and_a_store_of_it_are_split_alike(folder: Path, tmp_path: Path) -> None:
    pixstore.convert(folder, tmp_path / "s", durability="process")
    sides = [pixstore.open(path).split({"a": 5, "b": 3}, seed=2) for path in (folder, tmp_path / "s")]
    assert sides[0]["a"].keys.to_pylist() == sides[1]["a"].keys.to_pylist()


def test_a_saved_split_outlives_changes_of_the_store(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with Writer(path, durability="process") as writer:
        writer.add_batch(IMAGES, key=KEYS, label=np.arange(COUNT) % 2)
    ds = pixstore.open(path)
    before = ds.split({"train": 100, "test": 50}, stratify="label", name="default")
    assert ds.splits["default"]["parts"] == ("train", "test") and ds.splits["default"]["version"] == 1
    with Writer(path, mode="a", durability="process") as writer:
        writer.delete(before["test"][0].key)
        writer.update(before["test"][1].key, label=7)
        writer.add(IMAGES[0], key="later", label=1)
    with pytest.warns(SplitWarning, match="1 of 150 samples are in no part"):
        after = pixstore.open(path).split(name="default")
    assert after["train"].keys.to_pylist() == before["train"].keys.to_pylist()
    assert sorted(after["test"].keys.to_pylist()) == sorted(before["test"].keys.to_pylist()[1:])
    assert len(pixstore.open(path, version=1).split(name="default")["test"]) == 50


def test_folds_are_read_as_pairs_or_as_parts(tmp_path: Path, folder: Path) -> None:
    ds = pixstore.open(folder)
    saved = ds.kfold(4, name=tmp_path / "cv.csv")
    again = ds.kfold(name=tmp_path / "cv.csv")
    assert [(a.keys.to_pylist(), b.keys.to_pylist()) for a, b in again] == [(a.keys.to_pylist(), b.keys.to_pylist()) for a, b in saved]
    assert list(ds.split(name=tmp_path / "cv.csv")) == ["fold-0", "fold-1", "fold-2", "fold-3"]
    ds.split({"train": 0.5, "test": 0.5}, name=tmp_path / "halves.csv")
    with pytest.raises(errors.InvalidInputError, match="not folds"):
        ds.kfold(name=tmp_path / "halves.csv")
    assert ds.splits == {}


def test_what_groups_make_impossible_is_a_warning(ds: Dataset) -> None:
    with pytest.warns(SplitWarning, match="kept whole"):
        parts = ds.split({"train": 0.8, "test": 0.2}, group="label")
    assert [len(set(part.table["label"].to_pylist())) for part in parts.values()] == [1, 1]


def test_selections_pickle_as_recipes_that_grow_with_nothing(ds: Dataset, folder: Path, tmp_path: Path) -> None:
    source = pixstore.open(folder)
    source.split({"a": 0.5, "b": 0.5}, name=tmp_path / "halves.arrow")
    train, test = ds.kfold(5, stratify="label", seed=9)[2]
    chosen = [
        ds.select(slice(3, 120, 2)),
        ds.select(slice(None, None, -1)),
        ds.filter(pc.field("label") == 1),
        ds.split({"train": 0.8, "test": 0.2}, group="key")["test"],
        train,
        test,
        train.filter(pc.field("name") != "7").select(slice(1, 50)).split({"a": 0.5, "b": 0.5})["b"],
        source.split(name=tmp_path / "halves.arrow")["b"],
    ]
    for each in chosen:
        data = pickle.dumps(each)
        restored = pickle.loads(data)
        assert len(data) < 1024
        assert restored.keys.equals(each.keys) and np.array_equal(restored[:2].image, each[:2].image)
        assert pickle.dumps(restored) == data


def test_rows_chosen_one_by_one_pickle_as_they_are(ds: Dataset) -> None:
    each = ds.filter(pc.field("label") == 1).select([5, 2, 5]).filter(pc.field("key") != KEYS[5])
    assert pickle.loads(pickle.dumps(each)).keys.to_pylist() == each.keys.to_pylist() == [KEYS[11], KEYS[11]]


def test_a_selection_of_data_that_changed_is_not_made_again(tmp_path: Path, folder: Path) -> None:
    path = tmp_path / "images"
    shutil.copytree(folder, path)
    data = [pickle.dumps(each) for each in (pixstore.open(path).split({"a": 4, "b": 4})["a"], pixstore.open(path).select([7, 0]))]
    (path / "cat-000.png").unlink()
    (path / "cat-001.png").rename(path / "zebra.png")
    for each in data:
        with pytest.raises(errors.StoreBusyError, match="images: was changed after it was opened"):
            pickle.loads(each)


def test_a_split_of_neither_sizes_nor_name_is_refused(ds: Dataset) -> None:
    for ask in (ds.split, ds.kfold):
        with pytest.raises(errors.InvalidInputError, match="neither sizes nor the name"):
            ask()


@pytest.mark.slow
def test_cifar_is_split_into_ten_equal_folds_of_every_class(shared_data: Path) -> None:
    source = pixstore.open(shared_data / "cifar10" / "cifar-10-batches-py.tar.xz")
    for train, test in source.kfold(10, stratify="label", seed=1):
        assert (len(train), len(test)) == (54_000, 6_000)
        assert np.bincount(test.table["label"]).tolist() == [600] * 10
