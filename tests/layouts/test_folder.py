"""Exported as a folder: a walk like torchvision's and Hugging Face's imagefolder find the same pixels and labels, and so do we."""

from __future__ import annotations

import gc
import os
import warnings
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pandas
import pyarrow as pa
import pytest
from PIL import Image

import pixstore
from pixstore.schema import Field, Schema

TORCHVISION = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")
NAMES = ("zebra", "cat/dog", "ant")


def walk(root: Path) -> tuple[list[str], list[tuple[str, int]]]:
    """Return classes and samples as torchvision's ImageFolder finds them."""
    classes = sorted(entry.name for entry in os.scandir(root) if entry.is_dir())
    samples = []
    for number, name in enumerate(classes):
        for folder, _, files in sorted(os.walk(root / name)):
            samples += [(os.path.join(folder, file), number) for file in sorted(files) if file.lower().endswith(TORCHVISION)]
    return classes, samples


def imagefolder(root: Path, cache: Path) -> Any:
    with warnings.catch_warnings():
        # It leaves the metadata files that it reads open, for the collector to close: here, not in some later test.
        warnings.simplefilter("ignore", ResourceWarning)
        found = datasets.load_dataset("imagefolder", data_dir=str(root), cache_dir=str(cache))
        gc.collect()
        return found


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A store of twelve images whose pixels say their number, of three classes, and with columns."""
    (tmp_path / "photos").mkdir()
    rows = []
    for number in range(12):
        Image.fromarray(pixels(number)).save(tmp_path / "photos" / f"{number}.png")
        rows.append(
            {"file_name": f"{number}.png", "label": number % 3, "label_name": NAMES[number % 3], "site": f"s{number}", "age": 1.5 * number}
        )
    pandas.DataFrame(rows).to_csv(tmp_path / "photos" / "metadata.csv", index=False)
    pixstore.convert(tmp_path / "photos", tmp_path / "s", durability="process", codec="png")
    return tmp_path / "s"


def of_classes(*names: str, **columns: pa.DataType) -> Schema:
    return Schema((Field(),), pa.schema([("label", pa.int64()), *columns.items()]), {"label": names})


def pixels(number: int) -> Any:
    return np.full((6, 7, 3), (number, 255 - number, 9), np.uint8)


def test_torchvisions_walk_finds_every_image_in_the_folder_of_its_class(photos: Path, tmp_path: Path) -> None:
    report = pixstore.export(photos, tmp_path / "out", to="folder", check=True)
    assert report.losses == [] and report.checked.endswith("pixels and labels compared")
    classes, samples = walk(tmp_path / "out")
    assert classes == ["ant", "cat%2Fdog", "zebra"] and len(samples) == 12
    for path, number in samples:
        image = np.array(Image.open(path))
        first = int(image[0, 0, 0])
        assert np.array_equal(image, pixels(first)) and classes[number].replace("%2F", "/") == NAMES[first % 3]
        assert Path(path).name == f"{first}.png"


@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")
def test_hugging_face_gives_pixels_labels_and_columns(photos: Path, tmp_path: Path) -> None:
    pixstore.export(photos, tmp_path / "out", to="folder")
    found = imagefolder(tmp_path / "out", tmp_path / "cache")["train"]
    assert len(found) == 12
    for row in found:
        number = round(row["age"] / 1.5)
        assert np.array_equal(np.array(row["image"]), pixels(number))
        assert (row["label"], row["label_name"], row["site"]) == (number % 3, NAMES[number % 3], f"s{number}")


def test_opened_again_keys_labels_classes_and_columns_are_there(photos: Path, tmp_path: Path) -> None:
    pixstore.export(photos, tmp_path / "out", to="folder")
    before, after = pixstore.open(photos), pixstore.open(tmp_path / "out")
    assert after.classes == before.classes == NAMES and after.schema.columns.names == before.schema.columns.names
    keys = {key.rpartition("/")[2]: row for row, key in enumerate(after.keys.to_pylist())}
    rows = [keys[key] for key in before.keys.to_pylist()]
    assert after.table.take(rows).drop(["key"]).equals(before.table.drop(["key"]))
    assert [after.encoded(row) for row in rows] == [before.encoded(row) for row in range(12)]


def test_a_split_becomes_folders_that_readers_take_for_splits(tmp_path: Path) -> None:
    parts = ["train", "test", "val"]
    with pixstore.Writer(tmp_path / "s", durability="process") as writer:
        writer.add_batch(np.stack([pixels(n) for n in range(12)]), label=np.arange(12) % 2, split=[parts[n % 3] for n in range(12)])
    assert pixstore.export(tmp_path / "s", tmp_path / "out", to="folder", check=True).losses == []
    found = imagefolder(tmp_path / "out", tmp_path / "cache")
    assert {name: len(rows) for name, rows in found.items()} == {"train": 4, "validation": 4, "test": 4}
    assert all(np.array_equal(np.array(row["image"]), pixels(int(np.array(row["image"])[0, 0, 0]))) for row in found["test"])
    for part in parts:
        classes, samples = walk(tmp_path / "out" / part)
        assert classes == ["0", "1"] and len(samples) == 4
    ours = pixstore.open(tmp_path / "out")
    assert set(ours.schema.columns.names) == {"split", "label"} and sorted(ours.table["split"].to_pylist()) == sorted(parts * 4)
    assert all(int(sample.image[0, 0, 0]) % 2 == sample["label"] for sample in ours)


def test_numbers_without_names_are_folders_in_the_order_of_the_numbers(tmp_path: Path) -> None:
    with pixstore.Writer(tmp_path / "s", durability="process") as writer:
        writer.add_batch(np.stack([pixels(n) for n in range(12)]), label=np.arange(12))
    pixstore.export(tmp_path / "s", tmp_path / "out", to="folder")
    _, samples = walk(tmp_path / "out")
    assert [(int(np.array(Image.open(path))[0, 0, 0]), number) for path, number in samples] == [(n, n) for n in range(12)]


def test_images_and_masks_are_two_folders_that_open_together(tmp_path: Path) -> None:
    with pixstore.Writer(tmp_path / "s", durability="process") as writer:
        for number in range(4):
            writer.add(pixels(number), key=f"a/{number}.jpg", mask=np.full((6, 7), number, np.uint8), label=number % 2)
    assert pixstore.export(tmp_path / "s", tmp_path / "out", to="folder", check=True).losses == []
    assert walk(tmp_path / "out" / "image")[0] == walk(tmp_path / "out" / "mask")[0] == ["0", "1"]
    both = pixstore.open({"image": tmp_path / "out" / "image", "mask": tmp_path / "out" / "mask"})
    assert len(both) == 4
    for sample in both:
        assert sample["mask"][0, 0] == sample["image"][0, 0, 0] and sample["label"] == sample["mask"][0, 0] % 2


def test_stored_jpegs_are_written_byte_for_byte_and_named_for_what_they_are(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    for name, kind in (("a.jpeg", "JPEG"), ("b.bmp", "BMP"), ("c.gif", "GIF"), ("d.webp", "WEBP")):
        Image.fromarray(pixels(9)).save(tmp_path / "photos" / name, kind)
    pixstore.export(tmp_path / "photos", tmp_path / "out", to="folder", check=True)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.jpeg", "b.bmp", "c.png", "d.webp", "metadata.csv"]
    for name in ("a.jpeg", "b.bmp", "d.webp"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "photos" / name).read_bytes()


def test_hostile_keys_stay_in_the_folder_and_come_back_from_the_metadata(tmp_path: Path) -> None:
    keys = ["../../up", "/etc/passwd", "a\\b", "a", "a.png", "~", "x" * 600, "%41", "nul\tl"]
    with pixstore.Writer(tmp_path / "in" / "s", durability="process") as writer:
        for number, key in enumerate(keys):
            writer.add(pixels(number), key=key)
    pixstore.export(tmp_path / "in" / "s", tmp_path / "in" / "out", to="folder", check=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in"]
    ours = pixstore.open(tmp_path / "in" / "out")
    assert {sample["metadata_key"]: int(sample.image[0, 0, 0]) for sample in ours} == {key: number for number, key in enumerate(keys)}


def test_what_is_lost_is_named(tmp_path: Path) -> None:
    with pixstore.Writer(tmp_path / "s", durability="process") as writer:
        for number in range(3):
            writer.add(pixels(number), label=None if number else 7, blob=b"x", wide=float("inf"), fine=[1, 2])
    with pytest.raises(pixstore.errors.LossNotAcceptedError) as caught:
        pixstore.export(tmp_path / "s", tmp_path / "out", to="folder")
    assert caught.value.names == ("classes", "columns")
    assert "2 samples without a label lie in no class folder" in str(caught.value) and "left out: blob, wide" in str(caught.value)
    pixstore.export(tmp_path / "s", tmp_path / "out", to="folder", accept=["classes", "columns"])
    assert pixstore.open(tmp_path / "out").schema.columns.field("fine").type == pa.list_(pa.int64())


def test_readers_that_number_folders_by_name_are_told_of(photos: Path, tmp_path: Path) -> None:
    report = pixstore.export(photos, tmp_path / "out", to="folder")
    assert any("'ant' is 0 there and 2 here" in note for note in report.notes)
    with pixstore.Writer(tmp_path / "sorted", durability="process", schema=of_classes("a", "b")) as writer:
        writer.add_batch(np.stack([pixels(n) for n in range(2)]), label=[0, 1])
    assert pixstore.export(tmp_path / "sorted", tmp_path / "o", to="folder").notes == []


def test_class_names_that_are_numbers_come_back_as_names(tmp_path: Path) -> None:
    with pixstore.Writer(tmp_path / "s", durability="process", schema=of_classes("10", "9", "2", split=pa.string())) as writer:
        writer.add_batch(np.stack([pixels(n) for n in range(3)]), label=[2, 0, 1], split=["train", "test", "train"])
    pixstore.export(tmp_path / "s", tmp_path / "out", to="folder")
    found = pixstore.open(tmp_path / "out")
    assert found.classes == ("10", "9", "2") and found.schema.columns.names == ["label", "split"]
    assert sorted(found.table["label"].to_pylist()) == [0, 1, 2]


def test_several_fields_say_how_they_are_opened_together(tmp_path: Path) -> None:
    schema = Schema((Field("image"), Field("mask")), pa.schema([]))
    with pixstore.Writer(tmp_path / "s", schema=schema, durability="process") as writer:
        writer.add(pixels(1), key="a", mask=pixels(2)[..., 0])
    report = pixstore.export(tmp_path / "s", tmp_path / "out", to="folder")
    assert any('"image": "…/image", "mask": "…/mask"' in note for note in report.notes)
    joined = pixstore.open({name: tmp_path / "out" / name for name in ("image", "mask")})
    assert len(joined) == 1 and joined.schema.field_names == ("image", "mask")
