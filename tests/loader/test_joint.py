"""Fields that are transformed together: a field of another size gets the same part of the picture, a mask by nearest."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixstore.errors import InvalidInputError
from pixstore.loader.joint import Joint
from pixstore.loader.program import FieldProgram
from pixstore.loader.stored import FormatTable
from pixstore.schema import Format

SIZES = st.tuples(st.integers(1, 40), st.integers(1, 40))


def program(name: str, *sizes: tuple[int, int], dtype: str = "uint8") -> FieldProgram:
    formats = [Format("raw", size, dtype) for size in sizes]
    stored = FormatTable(formats).stored(np.arange(len(sizes), dtype=np.int32))
    return FieldProgram(name, stored, "row {}".format, is_mask=name == "mask")


def steps(of: FieldProgram) -> list[tuple[Any, ...]]:
    """Return the steps with lists for arrays."""
    return [tuple(each.tolist() if isinstance(each, np.ndarray) else each for each in step) for step in of.finish().steps]


def test_a_part_smaller_than_a_pixel_of_the_mask_is_that_pixel() -> None:
    image, mask = program("image", (10, 10)), program("mask", (2, 1))
    Joint([image, mask], "RandomCrop").crop(np.array([[9, 9]]), np.array([[1, 1]]))
    assert steps(mask) == [("resample", [[1, 0, 1, 1]], [[1, 1]], "nearest")]


def test_geometry_is_drawn_on_the_first_field_that_is_no_mask() -> None:
    mask, image = program("mask", (4, 4)), program("image", (8, 6))
    assert Joint([mask, image], "Resize").sizes.tolist() == [[8, 6]]
    assert Joint([mask], "Resize").sizes.tolist() == [[4, 4]]


def test_fields_of_equal_size_get_the_same_steps() -> None:
    image, mask = program("image", (8, 8), (9, 9)), program("mask", (8, 8), (9, 9))
    joint = Joint([image, mask], "RandomCrop")
    joint.crop(np.array([[1, 2], [3, 4]]), np.array([[4, 4]]))
    joint.flip_left_right(np.array([True, False]))
    joint.flip_top_bottom(np.array([True, False]))
    assert steps(image) == steps(mask)
    assert [step[0] for step in steps(image)] == ["crop", "orient"]


def test_a_mask_of_half_the_size_gets_the_same_part_by_nearest() -> None:
    image, mask = program("image", (8, 12)), program("mask", (4, 6))
    Joint([image, mask], "RandomCrop").crop(np.array([[2, 4]]), np.array([[4, 6]]))
    assert steps(image) == [("crop", [[2, 4]], [[4, 6]])]
    assert steps(mask) == [("resample", [[1, 2, 2, 3]], [[4, 6]], "nearest")]


def test_a_second_image_of_another_size_is_scaled_smoothly() -> None:
    image, other = program("image", (8, 12)), program("depth", (4, 6))
    Joint([image, other], "RandomCrop").crop(np.array([[2, 4]]), np.array([[4, 6]]))
    assert steps(other) == [("resample", [[1, 2, 2, 3]], [[4, 6]], "bilinear")]


def test_zeros_around_the_image_are_around_a_mask_of_another_size_too() -> None:
    image, mask = program("image", (8, 8)), program("mask", (4, 4))
    Joint([image, mask], "RandomCrop").crop(np.array([[-4, 0]]), np.array([[8, 8]]))
    assert steps(mask) == [("crop", [[-2, 0]], [[4, 4]]), ("resample", [[0, 0, 4, 4]], [[8, 8]], "nearest")]


@given(SIZES, SIZES, st.data())
def test_a_relative_crop_lies_in_its_image_and_is_the_same_part_to_a_pixel(
    size: tuple[int, int], other: tuple[int, int], data: st.DataObject
) -> None:
    extent = [data.draw(st.integers(1, side)) for side in size]
    origin = [data.draw(st.integers(0, side - length)) for side, length in zip(size, extent, strict=True)]
    image, mask = program("image", size), program("mask", other)
    Joint([image, mask], "RandomCrop").crop(np.array([origin]), np.array([extent]))
    result = mask.finish()
    assert result.shape == tuple(extent)
    box = next((step[1][0] for step in result.steps if step[0] == "resample"), np.array([0, 0, *other]))
    if result.steps and result.steps[0][0] == "crop":
        assert size == other
        return
    for start, length, side, wanted, stop, whole in zip(box[:2], box[2:], other, origin, np.add(origin, extent), size, strict=True):
        assert start >= 0
        assert length >= 1
        assert start + length <= side
        assert abs(start - wanted * side / whole) <= 1
        assert abs(start + length - stop * side / whole) <= 1


@given(SIZES, SIZES, st.data())
def test_a_relative_box_lies_in_its_image(size: tuple[int, int], other: tuple[int, int], data: st.DataObject) -> None:
    extent = [data.draw(st.integers(1, side)) for side in size]
    origin = [data.draw(st.integers(0, side - length)) for side, length in zip(size, extent, strict=True)]
    image, mask = program("image", size), program("mask", other)
    Joint([image, mask], "RandomResizedCrop").resample(np.array([[*origin, *extent]], np.float64), np.array([[5, 7]]), "lanczos")
    for field, whole in ((image, size), (mask, other)):
        for step in field.finish().steps:
            assert (step[1][0] >= 0).all()
            assert (step[1][0, :2] + step[1][0, 2:] <= whole).all()
            assert step[3] == ("nearest" if field is mask else "lanczos")
            share = step[1][0] / np.tile(whole, 2)
            np.testing.assert_allclose(share, np.divide([*origin, *extent], np.tile(size, 2)), atol=1e-12)


def test_whole_images_are_resized_from_whole_images() -> None:
    image, mask = program("image", (8, 12)), program("mask", (3, 5))
    Joint([image, mask], "Resize").resize(np.array([[4, 4]]), "bicubic")
    assert steps(image) == [("resample", [[0, 0, 8, 12]], [[4, 4]], "bicubic")]
    assert steps(mask) == [("resample", [[0, 0, 3, 5]], [[4, 4]], "nearest")]


def test_masks_are_rotated_by_nearest() -> None:
    image, mask = program("image", (8, 8)), program("mask", (8, 8))
    Joint([image, mask], "RandomRotation").rotate(np.array([12.5]), "bilinear")
    assert steps(image) == [("rotate", [12.5], "bilinear")]
    assert steps(mask) == [("rotate", [12.5], "nearest")]


def test_arrays_that_are_no_images_are_refused_by_name() -> None:
    depth = program("depth", (4, 4), dtype="float32")
    with pytest.raises(InvalidInputError, match=r"Resize cannot take field 'depth': 'row 0' is float32 of shape \(4, 4\).*fields="):
        Joint([program("image", (4, 4)), depth], "Resize")


def test_a_refusal_names_transform_field_key_and_size() -> None:
    joint = Joint([program("image", (8, 8), (3, 4))], "RandomCrop")
    with pytest.raises(InvalidInputError, match="RandomCrop: field 'image' of 'row 1' is 3 x 4 pixels: too small"):
        joint.refuse(1, "too small")
