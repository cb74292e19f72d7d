"""Dataset: every way of asking for rows gives the rows asked for, and every wrong way one clear error."""

from __future__ import annotations

import pickle
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


def test_unusable_options_are_refused(path: Path, folder: Path) -> None:
    with pytest.raises(errors.InvalidInputError, match="io 'fast'"):
        pixstore.open(path, io="fast")  # type: ignore[arg-type]
    with pytest.raises(errors.InvalidInputError, match="label_from is for folders"):
        pixstore.open(path, label_from="folder")
    with pytest.raises(errors.InvalidInputError, match="no versions"):
        pixstore.open(folder, version=1)


def test_numbers_of_a_batch_may_be_changed(ds: Dataset) -> None:
    batch = ds[0:4]
    batch["label"][:] = 7
    batch["image"][:] = 0
    assert ds[0:4]["label"].tolist() == [0, 1, 0, 1] and np.array_equal(ds[0].image, IMAGES[0])
