"""Several datasets as one: what belongs together is read together, in place, and what does not is refused or left out by name."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from PIL import Image

import pixstore
from pixstore.errors import DuplicateKeyError, InvalidInputError, LabelMismatchError, RecordError, RowNotFoundError, SchemaError
from pixstore.loader.transforms import HorizontalFlip, RandomCrop, Resize
from pixstore.rows import Extents

LABEL = pa.schema([("label", pa.int64())])
NAMES = ("cat/1", "cat/2", "dog/3", "dog/4")


def images_of(seed: int, *shape: int) -> Any:
    return np.random.default_rng(seed).integers(0, 256, (len(NAMES), *shape), np.uint8)


def write_folder(folder: Path, images: Any, suffix: str, names: tuple[str, ...] = NAMES) -> Path:
    for name, image in zip(names, images, strict=True):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / f"{name}.{suffix}")
    return folder


@pytest.fixture
def images(tmp_path: Path) -> Path:
    return write_folder(tmp_path / "images", images_of(0, 6, 8, 3), "png")


@pytest.fixture
def masks(tmp_path: Path) -> Path:
    return write_folder(tmp_path / "masks", images_of(1, 6, 8), "bmp")


@pytest.fixture
def both(images: Path, masks: Path) -> dict[str, Path]:
    return {"image": images, "mask": masks}


def test_image_and_mask_of_one_stem_are_one_sample(both: dict[str, Path]) -> None:
    ds = pixstore.open(both)
    assert ds.schema.field_names == ("image", "mask") and ds.keys.to_pylist() == [f"{name}.png" for name in NAMES]
    assert (ds[:]["image"] == images_of(0, 6, 8, 3)).all() and (ds[:]["mask"] == images_of(1, 6, 8)).all()
    sample = ds["dog/3.png"]
    assert (sample["mask"] == images_of(1, 6, 8)[2]).all() and ds.classes[sample["label"]] == "dog"
    assert "joined by file stem" in ds.origin and not ds.is_checked


def test_records_stay_where_they_lie(both: dict[str, Path]) -> None:
    located = pixstore.open(both).extents("mask", [3, 0])
    assert located is not None and isinstance(located.place, Extents)
    assert [Path(path).name for path in located.place.paths] == ["4.bmp", "1.bmp"]
    assert located.name(0)[:2] == (3, "dog/4.png")


def test_the_first_says_order_and_keys(both: dict[str, Path]) -> None:
    ds = pixstore.open({"mask": both["mask"], "image": both["image"]})
    assert ds.keys[0].as_py() == "cat/1.bmp" and ds.schema.field_names == ("mask", "image")


def test_it_pickles_with_its_selections_and_opens_again(both: dict[str, Path]) -> None:
    ds = pixstore.open(both).filter(pc.field("label") == 1)
    again = pickle.loads(pickle.dumps(ds))
    assert again.keys.to_pylist() == ds.keys.to_pylist() and (again[:]["mask"] == ds[:]["mask"]).all()


@pytest.mark.parametrize("engine", ["packed", "files", "lmdb", "hdf5"])
def test_it_becomes_a_store_byte_for_byte(both: dict[str, Path], engine: str, tmp_path: Path) -> None:
    report = pixstore.convert(both, tmp_path / "out", engine=engine, durability="process")
    assert report.samples == 4 and report.source == f"image={both['image']} mask={both['mask']}"
    made, ds = pixstore.open(tmp_path / "out"), pixstore.open(both)
    for name in ("image", "mask"):
        assert made.encoded_many(slice(None), field=name) == ds.encoded_many(slice(None), field=name)
    assert pixstore.compare(ds, made).equal and made.classes == ("cat", "dog")
    assert report.notes == [], "masks are not named by the keys"


def test_a_conversion_goes_on_with_the_same_parts_only(both: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "other").symlink_to(both["mask"])
    (both["image"] / "dog" / "4.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    with pytest.raises(RecordError):
        pixstore.convert(both, tmp_path / "out", on_bad="fail", shard_bytes=1, workers=1, durability="process")
    with pytest.raises(pixstore.errors.JobMismatchError, match="source mask"):
        pixstore.convert({**both, "mask": tmp_path / "other"}, tmp_path / "out", on_bad="fail", shard_bytes=1, durability="process")
    with pytest.raises(pixstore.errors.DestinationExistsError, match="inside the source"):
        pixstore.convert(both, both["mask"] / "out")


def test_transforms_are_drawn_once_for_image_and_mask(tmp_path: Path) -> None:
    marked = np.zeros((4, 32, 32, 3), np.uint8)
    marked[:, 5:20, 3:17] = 255
    parts = {
        "image": write_folder(tmp_path / "i", marked, "png"),
        "mask": write_folder(tmp_path / "m", marked[..., 0], "png"),
    }
    loader = pixstore.open(parts).loader(2, shuffle=True, transforms=[RandomCrop(24), HorizontalFlip(0.5)])
    batches = list(loader)
    assert [len(each) for each in batches] == [2, 2]
    for batch in batches:
        assert batch["image"].shape == (2, 24, 24, 3) and (batch["image"][..., 0] == batch["mask"].reshape(2, 24, 24)).all()


def test_wrongly_described_one_mask_missing_and_one_too_many(both: dict[str, Path]) -> None:
    (both["mask"] / "dog" / "4.bmp").rename(both["mask"] / "dog" / "5.bmp")
    with pytest.raises(LabelMismatchError) as refused:
        pixstore.open(both)
    said = str(refused.value)
    assert "1 of 4 of image" in said and "'dog/4.png'" in said and "1 of 4 of mask" in said and "'dog/5.bmp'" in said and "skip" in said
    ds = pixstore.open(both, unmatched="skip")
    assert ds.keys.to_pylist() == ["cat/1.png", "cat/2.png", "dog/3.png"]
    assert [each.path for each in ds.report.skipped] == ["image: dog/4.png", "mask: dog/5.bmp"] and len(ds.report.notes) == 2
    assert len(pickle.loads(pickle.dumps(ds))) == 3


def test_wrongly_described_two_masks_of_one_name(both: dict[str, Path]) -> None:
    Image.new("L", (8, 6)).save(both["mask"] / "cat" / "1.png")
    for unmatched in ("refuse", "skip"):
        with pytest.raises(DuplicateKeyError, match=r"mask .*'cat/1.bmp' and 'cat/1.png'"):
            pixstore.open(both, unmatched=unmatched)


def test_wrongly_described_masks_of_other_images(both: dict[str, Path], tmp_path: Path) -> None:
    other = write_folder(tmp_path / "other", images_of(2, 6, 8), "png", ("a", "b", "c", "d"))
    for unmatched in ("refuse", "skip"):
        with pytest.raises(LabelMismatchError, match="no two samples belong together"):
            pixstore.open({"image": both["image"], "mask": other}, unmatched=unmatched)


def test_wrongly_described_labels_that_contradict_are_both_kept_and_told(images: Path, tmp_path: Path) -> None:
    (tmp_path / "wrong").mkdir()
    lines = [f"{name}.png,{number}" for number, name in enumerate(NAMES)]
    (images / "metadata.csv").write_text("\n".join(["file_name,age", *lines]))
    masks = write_folder(tmp_path / "m", images_of(1, 6, 8), "png")
    (masks / "metadata.csv").write_text("\n".join(["file_name,age", *reversed(lines)]))
    assert pixstore.open({"image": images, "mask": masks}).table.column_names == ["key", "label", "age"]
    (masks / "metadata.csv").write_text("\n".join(["file_name,age", *(f"{name}.png,7" for name in NAMES)]))
    ds = pixstore.open({"image": images, "mask": masks})
    assert ds.table["age"].to_pylist() == [0, 1, 2, 3] and ds.table["mask_age"].to_pylist() == [7] * 4
    assert ds.report.notes == ["mask: its column 'age' has other values than the column of that name before it, so it is called 'mask_age'"]


def test_labels_of_the_same_names_are_one_column_whatever_their_numbers(tmp_path: Path) -> None:
    for name, classes in (("a", ("cat", "dog")), ("b", ("dog", "bird", "cat"))):
        schema = pixstore.Schema((pixstore.Field(),), LABEL, {"label": classes})
        with pixstore.Writer(tmp_path / name, schema=schema, durability="process") as writer:
            for label in ("cat", "dog"):
                writer.add(np.zeros((2, 2, 3), np.uint8), key=label, label=classes.index(label))
    ds = pixstore.open({"image": tmp_path / "a", "mask": tmp_path / "b"})
    assert ds.table.column_names == ["key", "label"] and ds.classes == ("cat", "dog") and ds.is_checked


def test_a_broken_mask_is_named_by_the_key_of_its_sample(both: dict[str, Path]) -> None:
    (both["mask"] / "cat" / "2.bmp").write_bytes(b"BM broken")
    ds = pixstore.open(both)
    with pytest.raises(RecordError) as caught:
        ds.read([3, 1])
    assert [(bad.row, bad.key) for bad in caught.value.bad_rows] == [(1, "cat/2.png")] and "2.bmp" in caught.value.bad_rows[0].place
    (both["mask"] / "cat" / "2.bmp").unlink()
    batches = list(ds.loader(4, on_error="mask"))
    assert batches[0].ok.tolist() == [True, False, True, True]


def test_rows_that_a_dataset_cannot_read_are_those_of_the_join(tmp_path: Path) -> None:
    with pixstore.Writer(tmp_path / "a", codec="png", durability="process") as writer:
        for key in "abc":
            writer.add(np.zeros((2, 2, 3), np.uint8), key=key)
    schema = pixstore.Schema((pixstore.Field(), pixstore.Field("mask")))
    with pixstore.Writer(tmp_path / "c", schema=schema, durability="process") as writer:
        writer.add(np.zeros((2, 2, 3), np.uint8), mask=np.zeros((2, 2), np.uint8), key="c")
        for key in "ab":
            writer.add(np.zeros((2, 2, 3), np.uint8), key=key)
    ds = pixstore.open({"image": tmp_path / "a", "mask": tmp_path / "c"})
    assert ds.absent("mask", [0, 1, 2]).tolist() == [0, 1] and ds[:]["mask"][0] is None
    with pytest.raises(RecordError) as caught:
        ds.encoded_many([2, 1], field="mask")
    assert [(bad.row, bad.key) for bad in caught.value.bad_rows] == [(1, "b")]
    with pytest.raises(RowNotFoundError):
        ds._rows.locate("image", np.array([3]))


def test_what_only_a_library_finds_is_read_beside_what_lies_in_files(tmp_path: Path) -> None:
    images, masks = images_of(0, 32, 32, 3), images_of(1, 32, 32, 3)
    for name, arrays, storage in (("a", images, {}), ("b", masks, {"compression": "gzip", "chunks": (1, 32, 32, 3)})):
        with h5py.File(tmp_path / f"{name}.h5", "w") as file:
            file.create_dataset("images", data=arrays, **storage)
            file.create_dataset("meta", data=np.arange(4, dtype=np.uint8))
    ds = pixstore.open({"image": tmp_path / "a.h5", "mask": tmp_path / "b.h5"})
    assert "joined by key" in ds.origin and ds.table.column_names == ["key", "label"]
    assert ds.extents("image", [0]) is not None and ds.extents("mask", [0]) is None
    (batch,) = ds.loader(4)
    assert (batch["image"] == images).all() and (batch["mask"] == masks).all()
    pixstore.convert({"image": tmp_path / "a.h5", "mask": tmp_path / "b.h5"}, tmp_path / "s", durability="process")
    assert pixstore.compare(ds, pixstore.open(tmp_path / "s")).equal


def test_a_field_of_a_dataset_of_several_is_the_one_of_its_name(both: dict[str, Path], tmp_path: Path) -> None:
    pixstore.convert(both, tmp_path / "s", durability="process")
    ds = pixstore.open({"picture": both["image"], "mask": tmp_path / "s"})
    assert (ds[:]["mask"] == images_of(1, 6, 8)).all()
    with pytest.raises(SchemaError, match="has the fields image, mask, none of them 'depth'"):
        pixstore.open({"image": both["image"], "depth": tmp_path / "s"})


def test_what_is_stated_goes_to_those_that_have_a_use_for_it(both: dict[str, Path]) -> None:
    assert pixstore.open(both, label_from="^(.)").classes == ("c", "d")
    with pytest.raises(InvalidInputError, match="channel_order 'bgr': none of these"):
        pixstore.open(both, channel_order="bgr")
    with pytest.raises(InvalidInputError, match="version 1 of several"):
        pixstore.open(both, version=1)
    with pytest.raises(InvalidInputError, match="name fields"):
        pixstore.open({})
    with pytest.raises(InvalidInputError, match="unmatched 'drop'"):
        pixstore.open(both, unmatched="drop")  # type: ignore[arg-type]
    with pytest.raises(InvalidInputError, match="does not take unmatched"):
        pixstore.open(both["image"], unmatched="skip")
    with pytest.raises(SchemaError, match="not usable"):
        pixstore.open({"my image": both["image"]})


def test_real_photographs_and_masks_train_in_place_and_convert_exactly(shared_data: Path, tmp_path: Path) -> None:
    places = {"image": shared_data / "human-seg" / "Training_Images", "mask": shared_data / "human-seg" / "Ground_Truth"}
    ds = pixstore.open(places)
    assert len(ds) == 290 and [each.path for each in ds.report.skipped] == ["image: .DS_Store", "mask: .DS_Store"]
    batch = next(iter(ds.loader(32, shuffle=True, transforms=[Resize((64, 64)), HorizontalFlip(0.5)])))
    assert batch["image"].shape == (32, 64, 64, 3) and batch["mask"].shape[:3] == (32, 64, 64)
    some = ds.select(slice(0, 290, 5))
    pixstore.convert(some, tmp_path / "s", durability="process")
    assert pixstore.compare(some, pixstore.open(tmp_path / "s")).equal
    for name, place in places.items():
        for key, record in zip(some.keys.to_pylist(), pixstore.open(tmp_path / "s").encoded_many(slice(None), field=name), strict=True):
            assert record == next(place.glob(f"{Path(key).stem}.*")).read_bytes()


def test_two_real_databases_are_joined_by_key_and_a_folder_with_one_of_them_by_stem(shared_data: Path, tmp_path: Path) -> None:
    place = shared_data / "lmdb-foreign" / "basicsr-realesrgan" / "tests" / "data"
    both = {"image": place / "gt.lmdb", "small": place / "lq.lmdb"}
    ds = pixstore.open(both)
    assert ds.keys.to_pylist() == ["baboon", "comic"] and "joined by key" in ds.origin
    assert ds.extents("image", [0]) is not None and ds.extents("small", [0]) is not None
    for key in ("baboon", "comic"):
        assert ds.encoded(key, field="image") == (place / "gt" / f"{key}.png").read_bytes()
        assert ds.encoded(key, field="small") == (place / "lq" / f"{key}.png").read_bytes()
    (batch,) = ds.loader(2, transforms=[Resize((60, 60))])
    assert batch["image"].shape == batch["small"].shape == (2, 60, 60, 3)
    pixstore.convert(both, tmp_path / "s", durability="process")
    assert pixstore.compare(ds, pixstore.open(tmp_path / "s")).equal
    mixed = pixstore.open({"image": place / "gt.lmdb", "small": place / "lq"})
    assert "joined by file stem" in mixed.origin and mixed.encoded("comic", field="small") == ds.encoded("comic", field="small")


def test_rows_without_names_are_joined_by_number_and_that_is_told(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros((3, 4, 5, 3), np.uint8))
    np.save(tmp_path / "b.npy", np.zeros((3, 4, 5), np.uint8))
    notes = pixstore.open({"image": tmp_path / "a.npy", "mask": tmp_path / "b.npy"}).report.notes
    assert any(note.startswith("joined by row number") and "same order" in note for note in notes)
    assert not any("height" in note for note in notes)


def test_first_images_and_masks_of_other_sizes_are_told(tmp_path: Path) -> None:
    for number, size in enumerate([(5, 4), (6, 4)]):
        for folder, other in (("images", 0), ("masks", number)):
            (tmp_path / folder).mkdir(exist_ok=True)
            Image.new("L", (size[0] + other, size[1])).save(tmp_path / folder / f"{number}.png")
    ds = pixstore.open({"image": tmp_path / "images", "mask": tmp_path / "masks"})
    assert [note for note in ds.report.notes if "4·6 and 4·7 (height·width)" in note]
    assert not [note for note in ds.report.notes if "row number" in note or "palette" in note]


def test_masks_with_a_palette_are_told_to_be_read_as_colours(tmp_path: Path) -> None:
    for folder, mode in (("images", "P"), ("masks", "P")):
        (tmp_path / folder).mkdir()
        Image.new(mode, (5, 4)).save(tmp_path / folder / "a.png")
    notes = pixstore.open({"image": tmp_path / "images", "mask": tmp_path / "masks"}).report.notes
    assert len(notes) == 1 and notes[0].startswith("mask: PNGs with a palette are read as its colours")


def test_a_file_that_cannot_be_read_is_told_when_it_is_asked_for(tmp_path: Path) -> None:
    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
        for name in "ab":
            Image.new("L", (5, 4)).save(tmp_path / folder / f"{name}.png")
    (tmp_path / "masks" / "a.png").write_bytes(b"\x89PNG")
    ds = pixstore.open({"image": tmp_path / "images", "mask": tmp_path / "masks"})
    assert ds[1]["mask"].shape == (4, 5)
    with pytest.raises(RecordError):
        ds[0]
