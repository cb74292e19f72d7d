"""EXIF orientations: boxes as they lie in stored images, held against the reference's own turning."""

from __future__ import annotations

import numpy as np
import pytest

from pixstore.loader.orientation import MIRRORED_LEFT_RIGHT, MIRRORED_TOP_BOTTOM, stored_boxes, swapped
from pixstore.reference.geometry import orient

CODES = np.arange(1, 9, dtype=np.uint8)
IMAGE = np.arange(15, dtype=np.uint8).reshape(3, 5, 1)


@pytest.mark.parametrize("code", CODES.tolist())
def test_mirrored_code_is_turning_and_then_mirroring(code: int) -> None:
    upright = orient(IMAGE, code)
    np.testing.assert_array_equal(orient(IMAGE, int(MIRRORED_LEFT_RIGHT[code])), upright[:, ::-1])
    np.testing.assert_array_equal(orient(IMAGE, int(MIRRORED_TOP_BOTTOM[code])), upright[::-1])


@pytest.mark.parametrize("code", CODES.tolist())
def test_box_of_the_upright_image_is_found_in_the_stored_one(code: int) -> None:
    upright = orient(IMAGE, code)
    height, width = upright.shape[:2]
    for top, left, rows, columns in [(0, 0, 1, 1), (1, 0, 2, 3), (0, 1, 1, 2), (0, 0, height, width)]:
        box = np.array([[top, left]]), np.array([[rows, columns]])
        places, extents = stored_boxes(*box, np.array([[height, width]]), np.array([code], np.uint8))
        (y, x), (h, w) = places[0], extents[0]
        cut = IMAGE[y : y + h, x : x + w]
        np.testing.assert_array_equal(orient(cut, code), upright[top : top + rows, left : left + columns])


def test_sizes_are_swapped_where_the_image_lies_on_its_side() -> None:
    sizes = swapped(np.array([[3, 5]]), CODES)
    assert [tuple(each) for each in sizes.tolist()] == [orient(IMAGE, int(code)).shape[:2] for code in CODES]


def test_whole_numbers_stay_whole_and_floats_floats() -> None:
    size = np.array([[3, 5]])
    assert stored_boxes(size - 3, size, size, CODES)[0].dtype == np.int64
    places, _ = stored_boxes(np.full((1, 2), 0.25), np.full((1, 2), 0.5), size, CODES)
    assert places.dtype == np.float64
    assert places[1].tolist() == [0.25, 4.25]
