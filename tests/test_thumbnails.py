"""Arrays as small PNGs: what is seen, and how large it may be."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from pixstore.thumbnails import thumbnail

MANY = 1_000_000


def seen(array: np.ndarray[Any, Any], *, most_bytes: int = MANY, has_labels: bool = False) -> np.ndarray[Any, Any]:
    data = thumbnail(array, most_bytes=most_bytes, has_labels=has_labels)
    return np.asarray(Image.open(io.BytesIO(data)))


@pytest.mark.parametrize("shape", [(7, 9), (7, 9, 2), (7, 9, 3), (7, 9, 4)])
def test_small_uint8_is_shown_as_it_is(shape: tuple[int, ...]) -> None:
    array = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    assert (seen(array) == array).all()


def test_channels_may_come_first_or_be_one() -> None:
    array = np.random.default_rng(0).integers(0, 256, (3, 20, 30), np.uint8)
    assert (seen(array) == array.transpose(1, 2, 0)).all()
    assert (seen(array[:1]) == array[0]).all() and (seen(array[0, :, :, None]) == array[0]).all()


@pytest.mark.parametrize("dtype", [np.uint16, np.int32, np.uint64, np.float16, np.float32, np.float64])
def test_other_types_go_from_their_smallest_value_to_their_largest(dtype: Any) -> None:
    assert seen(np.array([[10, 20], [30, 40]], dtype)).tolist() == [[0, 85], [170, 255]]


def test_truths_are_black_and_white() -> None:
    assert seen(np.array([[True, False]])).tolist() == [[255, 0]]


def test_what_is_not_finite_is_black() -> None:
    assert seen(np.array([[np.nan, np.inf, -np.inf, 1.0, 3.0]])).tolist() == [[0, 0, 0, 0, 255]]
    assert seen(np.full((2, 2), np.nan)).tolist() == [[0, 0], [0, 0]]


def test_the_whole_range_of_floats_can_be_shown() -> None:
    largest = np.finfo(np.float64).max
    assert seen(np.array([[-largest, 0.0, largest]])).tolist() == [[0, 127, 255]]


def test_constant_images_of_16_bits_with_alpha_are_seen() -> None:
    assert seen(np.full((4, 4, 4), 65535, np.uint16)).shape == (4, 4, 3)


def test_labels_get_colours_that_are_the_same_in_every_image() -> None:
    first = seen(np.array([[0, 1], [2, 3]], np.uint8), has_labels=True)
    second = seen(np.array([[3, 0], [200, 1]], np.uint8), has_labels=True)
    assert first[0, 0].tolist() == [0, 0, 0]
    assert len({tuple(each) for each in first.reshape(-1, 3).tolist()}) == 4
    assert (second[0, 0] == first[1, 1]).all() and (second[1, 1] == first[0, 1]).all()


def test_no_colour_between_two_labels_is_made() -> None:
    labels = np.zeros((500, 400), np.uint8)
    labels[::2, 100:] = 7
    found = {tuple(each) for each in seen(labels, has_labels=True).reshape(-1, 3).tolist()}
    assert len(found) <= 2


def test_large_images_shrink_in_proportion() -> None:
    assert seen(np.zeros((3000, 1500, 3), np.uint8)).shape == (96, 48, 3)
    assert seen(np.zeros((1, 100_000), np.uint8)).shape == (1, 96)


def test_bytes_are_few_where_few_are_allowed() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (300, 300, 3), np.uint8)
    assert seen(noise).shape == (96, 96, 3)
    assert len(thumbnail(noise, most_bytes=9_000)) <= 9_000


@pytest.mark.parametrize(
    "array",
    [np.zeros((0, 4), np.uint8), np.zeros(5, np.uint8), np.zeros((5, 6, 7), np.uint8), np.zeros((2, 2), complex), np.array([["a"]])],
    ids=["empty", "1-D", "7 channels", "complex", "text"],
)
def test_what_is_no_picture_is_refused_with_shape_and_type(array: np.ndarray[Any, Any]) -> None:
    with pytest.raises(ValueError, match=rf"{array.shape[0]}.* {array.dtype} is no picture"):
        thumbnail(array, most_bytes=MANY)


@given(
    arrays.arrays(
        st.sampled_from([np.uint8, np.bool_, np.uint16, np.int64, np.float32, np.float64]),
        st.one_of(arrays.array_shapes(min_dims=2, max_dims=2, max_side=9), st.tuples(st.integers(1, 9), st.integers(1, 9), st.just(3))),
    ),
    st.booleans(),
)
def test_every_image_gives_a_png_of_its_proportions(array: np.ndarray[Any, Any], has_labels: bool) -> None:
    assert seen(array, has_labels=has_labels).shape[:2] == array.shape[:2]
