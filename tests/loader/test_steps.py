"""Steps as the core takes them: dtypes of arrays, boxes inside images, and results by row."""

from __future__ import annotations

import numpy as np

from pixstore.loader.steps import FieldResult, boxes_within, core_step, first, one_row


def test_arrays_of_a_step_get_the_dtypes_of_the_core() -> None:
    name, origins, sizes = core_step("crop", np.array([[1, 2]]), np.array([[3, 4]])[:, ::-1])
    assert (name, origins.dtype, sizes.dtype) == ("crop", np.int32, np.int32)
    assert sizes.flags.c_contiguous
    assert core_step("resample", np.array([[0, 0, 2, 2]]), np.array([[1, 1]]), "nearest")[1].dtype == np.float64
    assert core_step("gray", 3) == ("gray", 3)


def test_rounding_does_not_push_a_box_out_of_its_image() -> None:
    starts, ends = np.array([[-1e-13, 0.1]]), np.array([[5, 0.3]])
    boxes = boxes_within(starts, np.array([[5 + 1e-13, 0.2 + 1e-12]]), ends)
    np.testing.assert_allclose(boxes, [[0, 0.1, 5, 0.2]], atol=1e-9)
    assert (boxes[:, :2] >= 0).all()
    assert (boxes[:, :2] + boxes[:, 2:] <= ends).all()


def test_one_row_stands_for_equal_rows_only() -> None:
    assert one_row(np.array([[1, 2], [1, 2]])).tolist() == [[1, 2]]
    assert one_row(np.array([[1, 2], [1, 3]])).tolist() == [[1, 2], [1, 3]]
    assert one_row(np.empty((0, 2))).shape == (0, 2)


def test_first_true_row() -> None:
    assert first(np.array([False, True, True])) == 1
    assert first(np.zeros(3, np.bool_)) is None
    assert first(np.zeros(0, np.bool_)) is None


def test_result_has_a_shape_where_all_rows_agree() -> None:
    alike = FieldResult((), ((2, 3),), (np.dtype("uint8"),))
    assert (alike.shape, alike.shape_of(7), alike.dtype, alike.dtype_of(7)) == ((2, 3), (2, 3), np.uint8, np.uint8)
    mixed = FieldResult((), ((2, 3), (4, 5)), (np.dtype("uint8"), np.dtype("uint16")))
    assert (mixed.shape, mixed.shape_of(1), mixed.dtype, mixed.dtype_of(1)) == (None, (4, 5), None, np.uint16)
