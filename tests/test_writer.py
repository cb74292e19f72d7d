"""Writer: what is added comes back, keys stay unique, shards roll, and an error never costs more than the block it ends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray
from PIL import Image

import pixstore
from pixstore import errors, manifest
from pixstore.registry import ENGINES
from pixstore.schema import Field, Schema
from pixstore.writer import FLUSH_ROWS, Writer


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def pixels(count: int, *shape: int, seed: int = 0, dtype: str = "uint8") -> NDArray[Any]:
    return np.random.default_rng(seed).integers(0, 256, (count, *shape)).astype(dtype)


def write(path: Path, images: Any, **options: Any) -> pixstore.Dataset:
    columns = {name: options.pop(name) for name in ("label", "key", "mask") if name in options}
    with Writer(path, **options) as writer:
        writer.add_batch(images, **columns)
    return pixstore.open(path)


def shards_of(path: Path) -> tuple[manifest.ShardEntry, ...]:
    return manifest.load(path).shards


# ---- round trips ----


@pytest.mark.parametrize("codec", ["keep", "raw", "png"])
@pytest.mark.parametrize("shape", [(5, 7, 3), (5, 7), (4, 3, 4), (1, 1, 3)])
def test_arrays_come_back_equal(tmp_path: Path, engine: str, codec: str, shape: tuple[int, ...]) -> None:
    images = pixels(20, *shape)
    ds = write(tmp_path / "s", images, engine=engine, codec=codec, label=list(range(20)))
    assert np.array_equal(ds[:]["image"], images)
    assert np.array_equal(ds[[3, 1, 3]]["image"], images[[3, 1, 3]])
    assert np.array_equal(ds[-1].image, images[-1]) and ds[-1]["label"] == 19


def test_jpeg_comes_back_close_and_of_the_same_shape(tmp_path: Path, engine: str) -> None:
    smooth = np.broadcast_to(np.linspace(0, 255, 32).astype(np.uint8)[:, None, None], (3, 32, 32, 3)).copy()
    ds = write(tmp_path / "s", smooth, engine=engine, codec="jpeg", quality=95)
    assert np.abs(ds[:]["image"].astype(int) - smooth).max() <= 8


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint16", "int32", "float16", "float32", "float64", "complex64", ">i2"])
@pytest.mark.parametrize("shape", [(6,), (3, 4), (2, 3, 17), (2, 2, 2, 2)])
def test_raw_holds_any_dtype_and_shape(tmp_path: Path, engine: str, dtype: str, shape: tuple[int, ...]) -> None:
    arrays = pixels(5, *shape, dtype=dtype)
    got = write(tmp_path / "s", arrays, engine=engine, codec="raw")[:]["image"]
    assert got.shape == arrays.shape and got.dtype == np.dtype(dtype).newbyteorder("=") and np.array_equal(got, arrays)


def test_sixteen_bit_png_keeps_its_depth(tmp_path: Path) -> None:
    images = (pixels(4, 6, 6, 3).astype(np.uint16) << 8) + 7
    got = write(tmp_path / "s", images, codec="png")[:]["image"]
    assert got.dtype == np.uint16 and np.array_equal(got, images)


def test_encoded_images_are_kept_byte_for_byte(tmp_path: Path, engine: str) -> None:
    paths = []
    for number, suffix in enumerate(["png", "jpg", "bmp", "png"]):
        paths.append(tmp_path / f"{number}.{suffix}")
        Image.fromarray(pixels(1, 8, 9 + number, 3, seed=number)[0]).save(paths[-1])
    with Writer(tmp_path / "s", engine=engine) as writer:
        writer.add(paths[0])
        writer.add(str(paths[1]))
        writer.add(paths[2].read_bytes())
        writer.add(bytearray(paths[3].read_bytes()))
    ds = pixstore.open(tmp_path / "s")
    assert [ds.encoded(row) for row in range(4)] == [path.read_bytes() for path in paths]
    for row, path in enumerate(paths):
        assert np.array_equal(ds[row].image, np.asarray(Image.open(path)))


def test_images_of_differing_shapes_come_back_as_a_list(tmp_path: Path, engine: str) -> None:
    images = [pixels(1, 3 + n, 4, 3)[0] for n in range(4)]
    got = write(tmp_path / "s", images, engine=engine, codec="png")[:]["image"]
    assert isinstance(got, list) and all(np.array_equal(a, b) for a, b in zip(got, images, strict=True))


def test_pil_images_keep_their_pixels(tmp_path: Path) -> None:
    palette = Image.fromarray(pixels(1, 8, 8, 3)[0]).quantize(16)
    bits = Image.fromarray(pixels(1, 8, 8)[0] > 127)
    with Writer(tmp_path / "s") as writer:
        for image in (palette, bits, Image.fromarray(pixels(1, 8, 8)[0])):
            writer.add(image)
    got = pixstore.open(tmp_path / "s")[:]["image"]
    assert np.array_equal(got[0], np.asarray(palette.convert("RGB")))
    assert np.array_equal(got[1], np.asarray(bits.convert("L")))


def test_adding_one_by_one_equals_adding_a_batch(tmp_path: Path, engine: str) -> None:
    images, labels = pixels(10, 4, 4, 3), list(range(10))
    with Writer(tmp_path / "one", engine=engine, codec="png") as writer:
        for image, label in zip(images, labels, strict=True):
            writer.add(image, label=label, vector=np.arange(label, dtype=np.int16))
    with Writer(tmp_path / "many", engine=engine, codec="png") as writer:
        writer.add_batch(images, label=labels, vector=[np.arange(label) for label in labels])
    one, many = pixstore.open(tmp_path / "one"), pixstore.open(tmp_path / "many")
    assert one.table.equals(many.table) and one.schema == many.schema
    assert [one.encoded(row) for row in range(10)] == [many.encoded(row) for row in range(10)]


def test_buffer_that_is_used_again_after_add_does_not_change_what_was_added(tmp_path: Path) -> None:
    frame, vector = np.zeros((2, 2, 3), np.uint8), np.zeros(2)
    with Writer(tmp_path / "s") as writer:
        for number in range(5):
            frame[:], vector[:] = number, number
            writer.add(frame, vector=vector)
    batch = pixstore.open(tmp_path / "s")[:]
    assert [int(image[0, 0, 0]) for image in batch["image"]] == [0, 1, 2, 3, 4]
    assert batch["vector"] == [[n, n] for n in range(5)]


def test_more_samples_than_one_flush_stay_in_order(tmp_path: Path) -> None:
    with Writer(tmp_path / "s") as writer:
        for number in range(FLUSH_ROWS + 5):
            writer.add(np.full((1, 1), number % 251, np.uint8), label=number)
    batch = pixstore.open(tmp_path / "s")[:]
    assert np.array_equal(batch["label"], np.arange(FLUSH_ROWS + 5))
    assert np.array_equal(batch["image"][:, 0, 0], np.arange(FLUSH_ROWS + 5) % 251)


def test_empty_batch_adds_nothing(tmp_path: Path) -> None:
    with Writer(tmp_path / "s") as writer:
        writer.add_batch(np.zeros((0, 4, 4, 3), np.uint8))
        writer.add_batch([])
    assert len(pixstore.open(tmp_path / "s")) == 0


# ---- keys ----


def test_default_keys_count_on_and_are_never_used_again(tmp_path: Path) -> None:
    path = tmp_path / "s"
    write(path, pixels(3, 2, 2))
    with Writer(path, mode="a") as writer:
        writer.delete("00000002")
        writer.add(pixels(1, 2, 2)[0])
    with Writer(path, mode="a") as writer:
        writer.delete("00000003")
    assert write(path, pixels(1, 2, 2), mode="a").keys.to_pylist() == ["00000000", "00000001", "00000004"]


def test_explicit_and_default_keys_mix(tmp_path: Path) -> None:
    with Writer(tmp_path / "s") as writer:
        for key in (None, "a", None, "ключ/🐈.png"):
            writer.add(pixels(1, 2, 2)[0], key=key)
    assert pixstore.open(tmp_path / "s").keys.to_pylist() == ["00000000", "a", "00000001", "ключ/🐈.png"]


@pytest.mark.parametrize(
    "add",
    [
        lambda w: w.add_batch(pixels(3, 2, 2), key=["a", "b", "a"]),
        lambda w: [w.add(pixels(1, 2, 2)[0], key="a") for _ in range(2)],
        lambda w: [w.add_batch(pixels(1, side, 2), key=["a"]) for side in (2, 3, 4)],
        lambda w: [w.add_batch(pixels(2, 2, 2)), w.add_batch(pixels(1, 2, 2), key=["00000001"])],
    ],
    ids=["one batch", "one by one", "two shards", "explicit meets counter"],
)
def test_key_that_stands_twice_fails_at_commit_and_leaves_nothing(tmp_path: Path, engine: str, add: Any) -> None:
    with pytest.raises(errors.DuplicateKeyError, match=r"'(a|00000001)'"), Writer(tmp_path / "s", engine=engine) as writer:
        add(writer)
    assert not (tmp_path / "s").exists()


def test_key_of_an_earlier_version_is_refused_and_both_places_are_named(tmp_path: Path) -> None:
    write(tmp_path / "s", pixels(3, 2, 2), key=["a", "b", "c"])
    with pytest.raises(errors.DuplicateKeyError, match=r"'b'.*row 1.*row 0.*update"):
        write(tmp_path / "s", pixels(1, 2, 2), key=["b"], mode="a")
    assert len(pixstore.open(tmp_path / "s")) == 3


@pytest.mark.parametrize("key", ["", 3, b"a", "\udcff", None])
def test_unusable_keys_in_a_batch_are_refused(tmp_path: Path, key: Any) -> None:
    with pytest.raises(errors.KeyInvalidError), Writer(tmp_path / "s") as writer:
        writer.add_batch(pixels(2, 2, 2), key=["a", key])
    assert not (tmp_path / "s").exists()


@pytest.mark.parametrize("bad", [{"key": ""}, {"key": 3}, {"key": "\udcff"}, {"unknown": 1}, {"a b": np.zeros((2, 2))}])
def test_refused_sample_leaves_those_around_it_as_they_are(tmp_path: Path, bad: dict[str, Any]) -> None:
    with Writer(tmp_path / "s") as writer:
        writer.add(np.full((2, 2), 1, np.uint8), label=1)
        with pytest.raises(errors.InvalidInputError):
            writer.add(np.full((2, 2), 2, np.uint8), **{"label": 2, **bad})
        writer.add(np.full((2, 2), 3, np.uint8), label=3)
    batch = pixstore.open(tmp_path / "s")[:]
    assert batch["image"][:, 0, 0].tolist() == [1, 3] == batch["label"].tolist()


def test_refused_first_sample_fixes_no_columns(tmp_path: Path) -> None:
    with Writer(tmp_path / "s") as writer:
        with pytest.raises(errors.SchemaError, match="'a b'"):
            writer.add(pixels(1, 2, 2)[0], **{"a b": pixels(1, 2, 2)[0]})
        writer.add(pixels(1, 2, 2)[0], label=1)
    assert pixstore.open(tmp_path / "s")[0]["label"] == 1


# ---- fields ----


def test_fields_may_appear_later_and_be_missing(tmp_path: Path, engine: str) -> None:
    image, mask = pixels(1, 4, 4, 3)[0], pixels(1, 4, 4)[0]
    with Writer(tmp_path / "s", engine=engine, codec={"image": "png", "mask": "png"}) as writer:
        writer.add(image)
        writer.add(image, mask=mask)
        writer.add(image, mask=None)
        writer.add_batch([image, image], mask=[None, mask], depth=np.ones((2, 3, 3), np.float32))
        writer.add(None, mask=mask)
    ds = pixstore.open(tmp_path / "s")
    batch = ds[:]
    assert [each is None for each in batch["mask"]] == [True, False, True, True, False, False]
    assert [each is None for each in batch["depth"]] == [True, True, True, False, False, True]
    assert ds[5].image is None and np.array_equal(ds[4]["mask"], mask) and np.array_equal(ds[3]["depth"], np.ones((3, 3), np.float32))
    with pytest.raises(errors.MissingRecordError, match="00000002"):
        ds.encoded(2, field="mask")


def test_fields_take_codecs_of_their_own(tmp_path: Path) -> None:
    with Writer(tmp_path / "s", codec={"image": "jpeg", "mask": "png"}) as writer:
        writer.add(pixels(1, 8, 8, 3)[0], mask=pixels(1, 8, 8)[0], depth=np.ones((8, 8), np.float32))
    ds = pixstore.open(tmp_path / "s")
    assert [ds.formats([0], field=name)[0].codec for name in ("image", "mask", "depth")] == ["jpeg", "png", "raw"]


def test_batches_whose_lengths_differ_are_refused(tmp_path: Path) -> None:
    with Writer(tmp_path / "s") as writer:
        with pytest.raises(errors.InvalidInputError, match="3 images, but 2 of 'label'"):
            writer.add_batch(pixels(3, 2, 2), label=[1, 2])
        with pytest.raises(errors.InvalidInputError, match="'label'"):
            writer.add_batch(pixels(3, 2, 2), label=5)
        with pytest.raises(errors.InvalidInputError, match="'label'"):
            writer.add_batch(pixels(3, 2, 2), label="cat")
        with pytest.raises(errors.InvalidInputError, match="generator"):
            writer.add_batch(image for image in pixels(3, 2, 2))
        with pytest.raises(errors.InvalidInputError, match="2 of 'mask'"):
            writer.add_batch(pixels(3, 2, 2), mask=pixels(2, 2, 2))
        writer.add_batch(pixels(3, 2, 2), label=[1, 2, 3])
    assert len(pixstore.open(tmp_path / "s")) == 3


# ---- shards ----


def test_shards_roll_at_shard_bytes(tmp_path: Path, engine: str) -> None:
    images = pixels(40, 10, 10)
    with Writer(tmp_path / "s", engine=engine, shard_bytes=1000) as writer:
        writer.add_batch(images[:25])
        for image in images[25:]:
            writer.add(image)
    entries = shards_of(tmp_path / "s")
    assert sum(each.rows for each in entries) == 40 and max(each.rows for each in entries) <= 10 and len(entries) >= 4
    assert np.array_equal(pixstore.open(tmp_path / "s")[:]["image"], images)


def test_record_larger_than_a_shard_gets_one_of_its_own(tmp_path: Path, engine: str) -> None:
    images = [pixels(1, side, side, seed=side)[0] for side in (4, 300, 5, 301)]
    with Writer(tmp_path / "s", engine=engine, shard_bytes=100) as writer:
        writer.add_batch(images)
    ds = pixstore.open(tmp_path / "s")
    assert all(np.array_equal(ds[row].image, images[row]) for row in range(4))


def test_large_columns_roll_shards_too(tmp_path: Path) -> None:
    with Writer(tmp_path / "s", shard_bytes=10_000) as writer:
        for number in range(10):
            writer.add_batch(pixels(1, 2, 2), notes=[str(number) * 5_000])
    assert len(shards_of(tmp_path / "s")) >= 5
    assert pixstore.open(tmp_path / "s")[7]["notes"] == "7" * 5_000


def test_uniform_field_rolls_at_the_first_image_that_differs(tmp_path: Path, engine: str) -> None:
    parts = [pixels(3, 4, 4, 3), pixels(2, 5, 5, 3), pixels(2, 6, 6, 3), pixels(1, 4, 4, 3)]
    with Writer(tmp_path / "s", engine=engine, codec="raw") as writer:
        for part in parts:
            writer.add_batch(part)
    entries = shards_of(tmp_path / "s")
    assert [each.rows for each in entries] == [3, 5]
    assert entries[0].formats["image"].shape == (4, 4, 3) and "image" not in entries[1].formats
    ds = pixstore.open(tmp_path / "s")
    assert [len(each) for each in ds[:]["image"]] == [4, 4, 4, 5, 5, 6, 6, 4] and not ds.schema.fields[0].is_uniform


def test_stated_shape_of_every_shard_is_the_schemas(tmp_path: Path) -> None:
    ds = write(tmp_path / "s", pixels(3, 4, 4, 3), codec="png")
    assert ds.schema.fields == (Field("image", "png", (4, 4, 3), "uint8"),)


# ---- modes ----


def test_x_refuses_what_is_there(tmp_path: Path) -> None:
    write(tmp_path / "s", pixels(1, 2, 2))
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a.txt").write_text("a")
    (tmp_path / "file").write_text("a")
    for name in ("s", "folder", "file", "file/below"):
        with pytest.raises(errors.DestinationExistsError):
            Writer(tmp_path / name)
    assert [each.name for each in (tmp_path / "folder").iterdir()] == ["a.txt"]


def test_x_takes_an_empty_folder_and_makes_those_above(tmp_path: Path) -> None:
    (tmp_path / "s").mkdir()
    assert len(write(tmp_path / "s", pixels(1, 2, 2))) == 1
    assert len(write(tmp_path / "deep" / "er" / "s", pixels(1, 2, 2))) == 1


def test_a_follows_engine_and_codec_of_the_store(tmp_path: Path) -> None:
    write(tmp_path / "s", pixels(2, 4, 4, 3), engine="lmdb", codec="png")
    ds = write(tmp_path / "s", pixels(2, 4, 4, 3, seed=1), mode="a")
    assert {each.engine for each in shards_of(tmp_path / "s")} == {"lmdb"}
    assert [each.codec for each in ds.formats(slice(None))] == ["png"] * 4


def test_codec_stated_by_the_schema_is_used(tmp_path: Path) -> None:
    with Writer(tmp_path / "s", schema=Schema((Field("image", "png"),))) as writer:
        writer.add(pixels(1, 4, 4, 3)[0])
    assert pixstore.open(tmp_path / "s").formats([0])[0].codec == "png"


def test_engines_mix_in_one_store(tmp_path: Path) -> None:
    images = pixels(2 * len(ENGINES), 3, 3)
    for number, name in enumerate(ENGINES):
        write(tmp_path / "s", images[2 * number : 2 * number + 2], engine=name, mode="a" if number else "x")
    assert [each.engine for each in shards_of(tmp_path / "s")] == list(ENGINES)
    ds = pixstore.open(tmp_path / "s")
    assert np.array_equal(ds[:]["image"], images) and np.array_equal(ds[[7, 0, 4]]["image"], images[[7, 0, 4]])


def test_w_replaces_as_a_version(tmp_path: Path) -> None:
    write(tmp_path / "s", pixels(3, 2, 2), label=[1, 2, 3])
    with Writer(tmp_path / "s", mode="w") as writer:
        writer.add(pixels(1, 5, 5, 3)[0], name="cat")
    ds = pixstore.open(tmp_path / "s")
    assert ds.table.to_pylist() == [{"key": "00000003", "name": "cat"}] and ds.schema.fields[0].shape == (5, 5, 3)
    assert len(pixstore.open(tmp_path / "s", version=1)) == 3


def test_w_without_samples_leaves_an_empty_version(tmp_path: Path) -> None:
    write(tmp_path / "s", pixels(3, 2, 2))
    Writer(tmp_path / "s", mode="w").close()
    assert len(pixstore.open(tmp_path / "s")) == 0 and manifest.load(tmp_path / "s").version == 2


def test_a_without_changes_makes_no_version(tmp_path: Path) -> None:
    write(tmp_path / "s", pixels(1, 2, 2))
    Writer(tmp_path / "s", mode="a").close()
    assert manifest.load(tmp_path / "s").version == 1


def test_columns_of_a_store_without_samples_are_set_by_the_first(tmp_path: Path) -> None:
    Writer(tmp_path / "s").close()
    assert write(tmp_path / "s", pixels(1, 2, 2), label=[4], mode="a")[0]["label"] == 4


@pytest.mark.parametrize(
    "options",
    [{"mode": "r"}, {"engine": "tape"}, {"codec": "webm"}, {"level": 0}, {"quality": 101}, {"durability": "none"}, {"shard_bytes": 0}],
    ids=lambda options: next(iter(options)),
)
def test_unusable_options_are_refused_before_anything_is_made(tmp_path: Path, options: dict[str, Any]) -> None:
    with pytest.raises(errors.InvalidInputError, match=str(next(iter(options.values())))):
        Writer(tmp_path / "s", **options)
    assert not (tmp_path / "s").exists()


def test_schema_that_contradicts_the_store_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "s", pixels(1, 2, 2), label=["cat"])
    stated = Schema((Field(),), pixstore.open(tmp_path / "s").schema.columns.set(0, pa.field("label", pa.int64())))
    with pytest.raises(errors.SchemaError, match="'label'"):
        Writer(tmp_path / "s", mode="a", schema=stated)
    with pytest.raises(errors.SchemaError, match="'image'"):
        Writer(tmp_path / "s", mode="a", schema=Schema((Field("mask"),), pixstore.open(tmp_path / "s").schema.columns))
    assert pixstore.open(tmp_path / "s")[0]["label"] == "cat"


def test_default_keys_pass_over_numbers_that_were_given(tmp_path: Path) -> None:
    image = np.zeros((2, 2, 3), np.uint8)
    with Writer(tmp_path / "s") as writer:
        writer.add(image)
        writer.add(image, key="00000001")
        writer.add(image)
        writer.add_batch([image, image], key=["00000007", "7"])
        writer.add_batch([image])
    with Writer(tmp_path / "s", mode="a") as writer:
        writer.add(image, key="123456789")
        writer.commit()
        writer.add(image)
    keys = pixstore.open(tmp_path / "s").keys.to_pylist()
    assert sorted(keys) == sorted(["00000000", "00000001", "00000002", "00000007", "7", "00000008", "123456789", "123456790"])
