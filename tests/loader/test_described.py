"""Headers are looked at once, and what they said is what later batches get."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import pixstore
from pixstore.errors import RecordError
from pixstore.loader.described import Descriptions
from pixstore.rows import Indices, Records


def save(path: Path, size: tuple[int, int], orientation: int = 1) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.new("RGB", size).save(path, exif=exif)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for row in range(6):
        save(tmp_path / f"{row}.jpg", (8 + row % 3, 8), 1 + row)
    return tmp_path


def located(folder: Path, rows: Indices) -> Records:
    records = pixstore.open(folder)._rows.locate("image", rows)
    assert records is not None
    return records


def test_formats_and_orientations_are_those_of_the_headers(folder: Path) -> None:
    descriptions = Descriptions(6, orient=True)
    rows = np.array([4, 1, 4])
    found = descriptions.describe(located(folder, rows), rows)
    assert [found.records.formats[number].shape for number in found.records.format] == [(8, 9, 3), (8, 9, 3), (8, 9, 3)]
    assert found.orientation is not None and found.orientation.tolist() == [5, 2, 5] and found.failures == []


def test_second_look_reads_no_file(folder: Path) -> None:
    descriptions = Descriptions(6, orient=True)
    rows = np.arange(6)
    records = located(folder, rows)
    first = descriptions.describe(records, rows)
    for path in folder.iterdir():
        os.truncate(path, 0)
    again = descriptions.describe(records, rows[::-1])
    assert first.orientation is not None and again.orientation is not None
    assert again.orientation.tolist() == first.orientation.tolist()[::-1] == [6, 5, 4, 3, 2, 1]
    shapes = [again.records.formats[number].shape for number in again.records.format]
    assert shapes == [(8, 8 + row % 3, 3) for row in range(5, -1, -1)]


def test_upright_images_need_no_orientations(tmp_path: Path) -> None:
    for row in range(3):
        save(tmp_path / f"{row}.jpg", (8, 8))
    rows = np.arange(3)
    assert Descriptions(3, orient=True).describe(located(tmp_path, rows), rows).orientation is None


def test_orientation_is_left_alone_where_it_is_not_asked_for(folder: Path) -> None:
    rows = np.arange(6)
    assert Descriptions(6, orient=False).describe(located(folder, rows), rows).orientation is None


def test_what_is_no_image_is_told_and_forgotten(folder: Path) -> None:
    whole = (folder / "2.jpg").read_bytes()
    (folder / "2.jpg").write_bytes(b"no image")
    descriptions = Descriptions(6, orient=True)
    rows = np.arange(6)
    records = located(folder, rows)
    assert [index for index, _, _ in descriptions.describe(records, rows).failures] == [2]
    (folder / "2.jpg").write_bytes(whole)
    assert descriptions.describe(records, rows).failures == []


def test_image_that_changed_its_shape_is_an_error_and_no_other_image(tmp_path: Path) -> None:
    for row in range(2):
        save(tmp_path / f"{row}.png", (6, 4))
    loader = pixstore.open(tmp_path).loader(2)
    next(iter(loader))
    save(tmp_path / "1.png", (4, 6))
    with pytest.raises(RecordError, match=r"1\.png"):
        list(loader)
