from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pixstore.bench.check import difference
from pixstore.bench.ways import hand_files, hand_hdf5, hand_lmdb
from pixstore.bench.ways.base import Work
from pixstore.bench.ways.by_hand import HandWay, decoded, run_of, uniform_images
from pixstore.bench.ways.hand_memmap import WAY
from pixstore.errors import InvalidInputError


@given(st.integers(0, 1000), st.integers(1, 50))
def test_rows_one_after_another_are_a_run(first: int, count: int) -> None:
    assert run_of(np.arange(first, first + count)) == range(first, first + count)


@pytest.mark.parametrize("rows", [[0, 2, 1, 3], [1, 1], [3, 2], [0, 2]])
def test_other_rows_are_none(rows: list[int]) -> None:
    assert run_of(np.array(rows)) is None


def test_palettes_and_bits_are_expanded(tmp_path: Path) -> None:
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (8, 6, 3), np.uint8))
    for mode, shape in (("P", (8, 6, 3)), ("1", (8, 6)), ("L", (8, 6)), ("RGB", (8, 6, 3))):
        file = io.BytesIO()
        image.convert(mode).save(file, "png")
        assert decoded(io.BytesIO(file.getvalue())).shape == shape


def test_images_of_several_sizes_are_no_array(mixed_work: Work) -> None:
    with pytest.raises(InvalidInputError, match="hand-memmap keeps one array of images of one size"):
        uniform_images(mixed_work, "hand-memmap")


def test_one_image_is_the_first(work: Work, tmp_path: Path) -> None:
    WAY.store_one(tmp_path, work)
    assert np.array_equal(np.asarray(WAY.read_one(tmp_path, work).images), work.images[:1])


@pytest.mark.parametrize("way", [hand_files.WAY, hand_lmdb.WAY, hand_hdf5.WAY])
def test_encoded_colour_of_sixteen_bits_is_refused_because_pillow_halves_it(tmp_path: Path, way: HandWay) -> None:
    images = [np.zeros((4, 5, 3), np.uint16), np.zeros((5, 4, 3), np.uint16)]
    with pytest.raises(InvalidInputError, match="8 of the 16 bits"):
        way.store_many(tmp_path, Work(images, np.arange(2), [b"png"] * 2))


def test_encoded_grey_of_sixteen_bits_is_read_in_full(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 1 << 16, (5, 4), np.uint16)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "png")
    work = Work([pixels], np.arange(1), [file.getvalue()])
    hand_lmdb.WAY.store_many(tmp_path, work)
    assert difference(hand_lmdb.WAY.read_many(tmp_path, work), work, np.arange(1)) is None
