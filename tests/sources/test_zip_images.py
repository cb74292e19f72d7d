"""Zip archives of images: keys, classes and splits as in a folder, stored files in place, deflated ones inflated and checked."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import pixstore
from pixstore.errors import CorruptRecordError, NotAStoreError
from pixstore.rows import Extents
from pixstore.source import SourceOptions
from pixstore.sources.zip_images import ZipImages


def image(number: int) -> bytes:
    made = io.BytesIO()
    Image.fromarray(np.random.default_rng(number).integers(0, 256, (6, 8, 3), np.uint8)).save(made, "BMP")
    return made.getvalue()


def write(path: Path, *names: str, method: int = zipfile.ZIP_STORED) -> list[bytes]:
    found = [image(number) for number in range(len(names))]
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in zip(names, found, strict=True):
            archive.writestr(name, data)
    return found


def opened(path: Path, label_from: str | None = None) -> ZipImages:
    return ZipImages.open(path, SourceOptions(label_from=label_from))


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_images_come_with_key_and_class_whatever_the_method(tmp_path: Path, method: int) -> None:
    made = write(tmp_path / "a.zip", "set/dog/2.bmp", "set/cat/1.bmp", method=method)
    dataset = pixstore.open(tmp_path / "a.zip")
    assert dataset.table.to_pydict() == {"key": ["set/cat/1.bmp", "set/dog/2.bmp"], "label": [0, 1]}
    assert dataset.classes == ("cat", "dog")
    assert dataset.encoded_many(slice(None)) == made[::-1]
    assert np.array_equal(dataset["set/dog/2.bmp"]["image"], np.asarray(Image.open(io.BytesIO(made[0]))))


def test_stored_images_are_read_in_place_deflated_ones_are_not(tmp_path: Path) -> None:
    write(tmp_path / "a.zip", "a.bmp", "b.bmp")
    located = opened(tmp_path / "a.zip").locate("image", np.array([1, 0]))
    assert located is not None and isinstance(located.place, Extents)
    write(tmp_path / "b.zip", "a.bmp", method=zipfile.ZIP_DEFLATED)
    assert opened(tmp_path / "b.zip").locate("image", np.array([0])) is None


def test_splits_and_labels_from_elsewhere(tmp_path: Path) -> None:
    write(tmp_path / "a.zip", "train/cat/1_7.bmp", "test/cat/2_8.bmp")
    assert opened(tmp_path / "a.zip").table["split"].to_pylist() == ["test", "train"]
    assert opened(tmp_path / "a.zip", r"_(\d)\.").table["label"].to_pylist() == [8, 7]


def test_what_is_no_image_is_listed(tmp_path: Path) -> None:
    write(tmp_path / "a.zip", "1.bmp", "__MACOSX/._1.bmp", "readme.txt", ".hidden.png")
    source = opened(tmp_path / "a.zip")
    assert len(source) == 1 and sorted(each.path for each in source.report.skipped) == [".hidden.png", "__MACOSX/._1.bmp", "readme.txt"]
    write(tmp_path / "b.zip", "inner.tar")
    with pytest.raises(NotAStoreError, match=r"b\.zip: a zip archive without images; it holds 'inner\.tar'"):
        opened(tmp_path / "b.zip")


def test_every_deflated_image_that_is_damaged_is_named(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("a.bmp", "b.bmp", "c.bmp"):
            archive.writestr(name, b"BM" + bytes(5000))
    content = bytearray((tmp_path / "a.zip").read_bytes())
    for name in (b"a.bmp", b"c.bmp"):
        content[content.index(name) + 8] ^= 0xFF
    (tmp_path / "a.zip").write_bytes(content)
    source = opened(tmp_path / "a.zip")
    with pytest.raises(CorruptRecordError) as caught:
        source.read("image", np.arange(3))
    assert [bad.key for bad in caught.value.bad_rows] == ["a.bmp", "c.bmp"]
    assert len(source.read("image", np.array([1])).place) == 1


def test_metadata_in_an_archive_is_named_with_what_to_do(tmp_path: Path) -> None:
    write(tmp_path / "a.zip", "1.png")
    with zipfile.ZipFile(tmp_path / "a.zip", "a") as archive:
        archive.writestr("metadata.csv", "file_name,label\n1.png,2\n")
    (skipped,) = opened(tmp_path / "a.zip").report.skipped
    assert skipped.path == "metadata.csv" and "unpack the archive" in skipped.reason
