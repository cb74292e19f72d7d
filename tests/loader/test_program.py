"""Programs of one field: what their steps make is what NumPy makes of the upright image, and nothing is done twice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from pixstore.errors import InvalidInputError
from pixstore.loader.program import FieldProgram
from pixstore.loader.steps import FieldResult
from pixstore.loader.stored import FormatTable
from pixstore.reference.geometry import orient
from pixstore.schema import Format

Through: TypeAlias = Callable[[FieldResult, list[NDArray[Any]]], list[NDArray[Any]]]
YES, NO = np.array([True]), np.array([False])


def program(*formats: Format, orientation: NDArray[np.uint8] | None = None, is_mask: bool = False) -> FieldProgram:
    stored = FormatTable(formats).stored(np.arange(len(formats), dtype=np.int32), orientation)
    return FieldProgram("image", stored, "row {}".format, is_mask=is_mask)


def raw(*shape: int, dtype: str = "uint8") -> Format:
    return Format("raw", shape, dtype)


def names(result: FieldResult) -> list[str]:
    return [step[0] for step in result.steps]


def picture(height: int, width: int, channels: int = 3) -> NDArray[np.uint8]:
    return np.random.default_rng(height * 1000 + width).integers(0, 256, (height, width, channels), np.uint8)


def cropped(image: NDArray[Any], top: int, left: int, height: int, width: int) -> NDArray[Any]:
    """Return the part of the image, zeros where it reaches outside."""
    room = 50
    return np.pad(image, ((room, room), (room, room), (0, 0)))[top + room :, left + room :][:height, :width]


# ---- geometry ----


@st.composite
def changes(draw: Any) -> list[tuple[Any, ...]]:
    crops = st.tuples(st.just("crop"), st.integers(-4, 6), st.integers(-4, 6), st.integers(1, 9), st.integers(1, 9))
    flips = st.sampled_from([("left_right",), ("top_bottom",), ("turn",)])
    return draw(st.lists(st.one_of(crops, flips), max_size=6))


@given(changes(), st.integers(1, 8))
def test_crops_and_mirrors_of_turned_images_are_those_of_the_upright_image(
    through: Through, listed: list[tuple[Any, ...]], code: int
) -> None:
    image = picture(6, 9)
    made_by = program(raw(6, 9, 3), orientation=np.array([code], np.uint8))
    expected: NDArray[Any] = orient(image, np.uint8(code))
    for name, *numbers in listed:
        if name == "crop":
            made_by.crop(np.array([numbers[:2]]), np.array([numbers[2:]]))
            expected = cropped(expected, *numbers)
        elif name == "left_right":
            made_by.flip_left_right(YES)
            expected = expected[:, ::-1]
        elif name == "top_bottom":
            made_by.flip_top_bottom(YES)
            expected = expected[::-1]
        else:
            made_by.rotate(np.zeros(1), "nearest")
    result = made_by.finish()
    assert result.shape == expected.shape
    np.testing.assert_array_equal(through(result, [image])[0], expected)


@given(st.integers(1, 8), st.booleans(), st.data())
def test_a_crop_of_a_resized_image_is_one_resize_of_a_smaller_box(through: Through, code: int, mirrored: bool, data: st.DataObject) -> None:
    image = picture(20, 31)
    upright = np.ascontiguousarray(orient(image, np.uint8(code)))
    height, width = data.draw(st.integers(4, 40)), data.draw(st.integers(4, 40))
    rows, columns = data.draw(st.integers(1, height)), data.draw(st.integers(1, width))
    top, left = data.draw(st.integers(0, height - rows)), data.draw(st.integers(0, width - columns))
    made_by = program(raw(20, 31, 3), orientation=np.array([code], np.uint8))
    made_by.resample(np.array([[0.0, 0, *upright.shape[:2]]]), np.array([[height, width]]), "bilinear")
    if mirrored:
        made_by.flip_left_right(YES)
    made_by.crop(np.array([[top, left]]), np.array([[rows, columns]]))
    result = made_by.finish()
    assert names(result)[0] == "resample"
    assert "crop" not in names(result)
    resized = np.asarray(Image.fromarray(upright).resize((width, height), Image.Resampling.BILINEAR))
    resized = resized[:, ::-1] if mirrored else resized
    difference = through(result, [image])[0].astype(int) - resized[top : top + rows, left : left + columns]
    assert abs(difference).max() <= 1


def test_a_crop_that_reaches_outside_a_resized_image_is_a_step_of_its_own(through: Through) -> None:
    made_by = program(raw(8, 8, 3))
    made_by.resample(np.array([[0.0, 0, 8, 8]]), np.array([[4, 4]]), "bilinear")
    made_by.crop(np.array([[-1, 0]]), np.array([[4, 4]]))
    result = made_by.finish()
    assert names(result) == ["resample", "crop"]
    assert not through(result, [picture(8, 8)])[0][0].any()


def test_a_crop_of_a_crop_is_one_crop() -> None:
    made_by = program(raw(9, 9, 3), raw(9, 9, 3))
    made_by.crop(np.array([[1, 1], [2, 2]]), np.array([[6, 6]]))
    made_by.crop(np.array([[1, 2]]), np.array([[3, 3]]))
    (step,) = made_by.finish().steps
    assert (step[0], step[1].tolist(), step[2].tolist()) == ("crop", [[2, 3], [3, 4]], [[3, 3]])


def test_what_changes_nothing_is_left_out() -> None:
    made_by = program(raw(5, 7, 3), orientation=np.array([1], np.uint8))
    made_by.convert("rgb")
    made_by.crop(np.array([[0, 0]]), np.array([[5, 7]]))
    made_by.resample(np.array([[0.0, 0, 5, 7]]), np.array([[5, 7]]), "bilinear")
    made_by.flip_left_right(NO)
    made_by.flip_top_bottom(YES)
    made_by.flip_top_bottom(YES)
    assert made_by.finish() == FieldResult((), ((5, 7, 3),), (np.dtype("uint8"),))


def test_an_image_is_cut_before_it_is_turned() -> None:
    made_by = program(raw(6, 9, 3), orientation=np.array([6], np.uint8))
    made_by.crop(np.array([[1, 1]]), np.array([[4, 4]]))
    made_by.flip_left_right(YES)
    assert names(made_by.finish()) == ["crop", "orient"]


def test_an_image_is_upright_before_it_is_rotated(through: Through) -> None:
    made_by = program(raw(6, 6, 3), orientation=np.array([3], np.uint8))
    made_by.rotate(np.array([90.0]), "nearest")
    made_by.flip_left_right(YES)
    result = made_by.finish()
    assert names(result) == ["orient", "rotate", "orient"]
    image = picture(6, 6)
    np.testing.assert_array_equal(through(result, [image])[0], np.rot90(image[::-1, ::-1])[:, ::-1])


def test_each_row_has_its_own_shape() -> None:
    made_by = program(raw(4, 6, 3), raw(5, 5, 3), orientation=np.array([8, 1], np.uint8))
    result = made_by.finish()
    assert (result.shape, result.shapes) == (None, ((6, 4, 3), (5, 5, 3)))
    made_by = program(raw(4, 6, 3), raw(6, 4, 3), orientation=np.array([8, 1], np.uint8))
    assert made_by.finish().shape == (6, 4, 3)


# ---- colour and numbers ----


@pytest.mark.parametrize(
    ("color", "shape", "steps"),
    [
        ("rgb", (4, 4, 3), []),
        ("rgb", (4, 4), [("color", "rgb")]),
        ("rgb", (4, 4, 4), [("color", "rgb")]),
        ("gray", (4, 4), []),
        ("gray", (4, 4, 3), [("color", "gray")]),
        ("rgba", (4, 4, 3), [("color", "rgba")]),
        ("rgba", (4, 4, 4), []),
        ("keep", (4, 4), []),
    ],
)
def test_colour_is_converted_only_where_it_differs(color: Any, shape: tuple[int, ...], steps: list[Any]) -> None:
    made_by = program(raw(*shape))
    made_by.convert(color)
    result = made_by.finish()
    assert list(result.steps) == steps
    channels = {"rgb": (3,), "gray": (1,), "rgba": (4,), "keep": shape[2:]}[color]
    assert result.shape == (4, 4, *channels)


def test_four_channels_of_a_jpeg_are_no_rgba() -> None:
    made_by = program(Format("jpeg", (4, 4, 4), "uint8"))
    made_by.convert("rgba")
    assert made_by.finish().steps == (("color", "rgba"),)


def test_arrays_that_are_no_colours_stay() -> None:
    for known in (
        raw(4, 4, 7),
        raw(4, 4, 2),
        raw(4, 4, dtype="bool"),
        raw(3, 2, 2, 2),
        raw(4, 4, dtype="float32"),
        raw(4, 4, 3, dtype=">f8"),
    ):
        made_by = program(known)
        made_by.convert("rgb")
        assert made_by.finish() == FieldResult((), (known.shape or (),), (np.dtype(known.dtype),))


def test_kept_colours_must_agree() -> None:
    with pytest.raises(InvalidInputError, match=r"'image' mixes channels .* 'row 0' .*shape \(4, 4\).* 'row 2' .*shape \(4, 4, 3\)"):
        program(raw(4, 4), raw(5, 5), raw(4, 4, 3)).convert("keep")
    with pytest.raises(InvalidInputError, match="mixes colours"):
        program(raw(4, 4, 3), raw(4, 4, 9)).convert("rgb")


def test_masks_of_mixed_channels_come_out_one_by_one() -> None:
    assert program(raw(4, 4, 3), raw(4, 4), is_mask=True).finish().shapes == ((4, 4, 3), (4, 4, 1))


def test_gray_gives_one_channel_or_three_equal_ones() -> None:
    for channels in (1, 3):
        made_by = program(raw(4, 4, 3))
        made_by.gray(channels)
        assert made_by.finish() == FieldResult((("gray", channels),), ((4, 4, channels),), (np.dtype("uint8"),))
    made_by = program(raw(4, 4))
    made_by.gray(1)
    assert made_by.finish() == FieldResult((), ((4, 4, 1),), (np.dtype("uint8"),))


def test_numbers_are_from_0_to_1_whatever_the_depth() -> None:
    for known, white in ((raw(2, 2, 3), 255), (raw(2, 2, 3, dtype="uint16"), 65535), (raw(2, 2, dtype="bool"), 1)):
        made_by = program(known)
        made_by.to_float("float32")
        (step,) = made_by.finish().steps
        assert step[1:3] == ("hwc", "float32")
        assert step[3].tolist() == [np.float32(1 / white)]
        assert step[4].tolist() == [0]


def test_normalized_numbers(through: Through) -> None:
    made_by = program(raw(2, 2, 3))
    made_by.to_float("float16")
    made_by.normalize(np.array([0.5, 0.25, 0]), np.array([0.25, 0.5, 1]))
    result = made_by.finish()
    assert (result.shape, result.dtype) == ((2, 2, 3), np.float16)
    found = through(result, [np.full((2, 2, 3), 255, np.uint8)])[0]
    np.testing.assert_allclose(found[0, 0], [2, 1.5, 1], rtol=1e-3)


def test_a_threshold_leaves_0_and_1(through: Through) -> None:
    made_by = program(raw(1, 3))
    made_by.threshold(100)
    made_by.to_float("float32")
    result = made_by.finish()
    found = through(result, [np.array([[99, 100, 101]], np.uint8)])[0]
    assert found.tolist() == [[0, 0, 1]]


@pytest.mark.parametrize(("shape", "expected"), [((4, 6, 3), (3, 4, 6)), ((4, 6), (1, 4, 6)), ((4, 6, 1), (1, 4, 6))])
def test_channels_first(shape: tuple[int, ...], expected: tuple[int, ...]) -> None:
    for dtype in ("uint8", "uint16"):
        made_by = program(raw(*shape, dtype=dtype))
        made_by.channels_first()
        result = made_by.finish()
        assert (result.shape, result.dtype) == (expected, np.dtype(dtype))


def test_two_depths_cannot_become_numbers_together() -> None:
    made_by = program(raw(2, 2), raw(2, 2, dtype="uint16"))
    assert made_by.finish().dtypes == (np.uint8, np.uint16)
    made_by.to_float("float32")
    with pytest.raises(InvalidInputError, match=r"depths .* 'row 0' .* 'row 1'"):
        made_by.finish()


WRONG: list[tuple[Callable[[FieldProgram], None], Format, str]] = [
    (lambda each: each.gray(1), raw(2, 2, 3, dtype="uint16"), "ToGray takes 8-bit images"),
    (lambda each: each.gray(1), raw(2, 2, 6), "ToGray knows 1 to 4 channels"),
    (lambda each: each.threshold(1), raw(2, 2, dtype="uint16"), "Threshold takes 8-bit images"),
    (lambda each: each.rotate(np.zeros(1), "nearest"), raw(2, 2, dtype="uint16"), "RandomRotation takes 8-bit images"),
    (lambda each: each.jitter(np.ones((1, 4)), np.arange(4)[None]), raw(2, 2, dtype="uint16"), "ColorJitter takes 8-bit images"),
    (lambda each: each.jitter(np.ones((1, 4)), np.arange(4)[None]), raw(2, 2, 4), "grey and RGB images"),
    (lambda each: each.normalize(np.zeros(3), np.ones(1)), raw(2, 2), "Normalize has mean for 3 channels"),
    (lambda each: each.normalize(np.zeros(1), np.ones(2)), raw(2, 2, 3), "Normalize has std for 2 channels"),
    (lambda each: each.require_images("Resize"), raw(2, 2, dtype="float32"), "Resize cannot take field 'image'.*float32 of shape"),
]


@pytest.mark.parametrize(("change", "known", "reason"), WRONG, ids=[each[2] for each in WRONG])
def test_what_cannot_be_done_names_the_image(change: Callable[[FieldProgram], None], known: Format, reason: str) -> None:
    with pytest.raises(InvalidInputError, match=f"(?s){reason}") as caught:
        change(program(known))
    assert "'row 0'" in str(caught.value)


def test_no_rows() -> None:
    stored = FormatTable([raw(2, 2), raw(3, 3)]).stored(np.empty(0, np.int32))
    made_by = FieldProgram("image", stored, "row {}".format)
    made_by.convert("rgb")
    made_by.resample(np.empty((0, 4)), np.array([[4, 4]]), "nearest")
    made_by.channels_first()
    assert made_by.finish().shape == (3, 4, 4)
