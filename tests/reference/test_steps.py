"""Arguments of steps: which are refused before anything is read, and how rows are told from values for all."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pixstore.headers import RecordFailedError
from pixstore.reference.steps import check_steps, through_steps

ORIGINS, SIZES = np.zeros((3, 2), np.int32), np.full((1, 2), 2, np.int32)
ONE, NOTHING = np.ones(1, np.float32), np.zeros(1, np.float32)
SOUND = (
    ("color", "rgb"),
    ("crop", ORIGINS, SIZES),
    ("resample", np.ones((3, 4)), SIZES, "lanczos"),
    ("orient", np.array([1, 8, 3], np.uint8)),
    ("rotate", np.zeros(1), "bilinear"),
    ("jitter", np.full((1, 4), 0.5, np.float32), np.array([[3, 1, 0, 2]], np.uint8)),
    ("gray", 3),
    ("threshold", 100.0),
    ("tensor", "chw", "bfloat16", ONE, NOTHING),
)


def test_sound_steps_pass() -> None:
    check_steps(SOUND, 3)
    check_steps([], 0)


WRONG: list[tuple[list[tuple[Any, ...]], str]] = [
    ([("blur", 3)], "no step is named 'blur'"),
    ([("gray", 1), ("color", "rgb")], "'color' comes first"),
    ([SOUND[-1], ("gray", 1)], "'tensor' last"),
    ([("color",)], "takes 1 arguments, not 0"),
    ([("color", "bgr")], "one of"),
    ([("gray", 2)], "one of"),
    ([("rotate", np.zeros(1), "bicubic")], "one of"),
    ([("threshold", "high")], "needs a number"),
    ([("crop", ORIGINS.astype(np.int64), SIZES)], r"needs int32 of shape \(3, 2\) or \(1, 2\), not int64"),
    ([("crop", ORIGINS[:2], SIZES)], r"not int32 of shape \(2, 2\)"),
    ([("orient", np.ones((3, 1), np.uint8))], r"of shape \(3,\)"),
    ([("orient", [1, 2, 3])], "not \\[1, 2, 3\\]"),
    ([("orient", np.array([0], np.uint8))], "1 to 8"),
    ([("jitter", np.zeros((1, 4), np.float32), np.array([[0, 1, 2, 2]], np.uint8))], "permutation"),
    ([("tensor", "hwc", "float32", ONE.astype(np.float64), NOTHING)], "float32 of one axis"),
    ([("jitter", np.array([[1, 1, 1, 0.6]], np.float32), np.array([[0, 1, 2, 3]], np.uint8))], "turns by"),
    ([("jitter", np.array([[1, -1, 1, 0]], np.float32), np.array([[0, 1, 2, 3]], np.uint8))], "at least 0"),
    ([("crop", ORIGINS, SIZES * 0)], "at least 1 x 1"),
    ([("resample", np.ones((3, 4)), SIZES - 2, "nearest")], "at least 1 x 1"),
    ([("resample", np.array([[0, 0, 0, 1.0]]), SIZES, "nearest")], "a height and a width"),
    ([("resample", np.array([[0, np.nan, 1, 1]]), SIZES, "nearest")], "finite"),
    ([("rotate", np.array([np.inf]), "nearest")], "finite"),
    ([("tensor", "hwc", "uint8", ONE * 2, NOTHING)], "scale 1 and offset 0"),
]


@pytest.mark.parametrize(("steps", "reason"), WRONG, ids=[each[1] for each in WRONG])
def test_wrong_steps_are_refused(steps: list[tuple[Any, ...]], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        check_steps(steps, 3)


def test_each_record_has_its_row_and_one_row_stands_for_all() -> None:
    pixels = np.arange(12, dtype=np.uint8).reshape(3, 4, 1)
    origins = np.array([[0, 0], [1, 1], [1, 2]], np.int32)
    found = [through_steps(pixels, [("crop", origins, SIZES)], index, 10**6, is_cmyk=False)[0, 0, 0] for index in range(3)]
    assert found == [0, 5, 6]


def test_scales_of_channels_are_not_rows_of_records() -> None:
    scale, offset = np.array([1, 2, 3], np.float32), np.zeros(3, np.float32)
    found = through_steps(np.ones((1, 1, 3), np.uint8), [("tensor", "hwc", "float32", scale, offset)], 2, 10**6, is_cmyk=False)
    assert found.tolist() == [[[1, 2, 3]]]


def test_what_is_no_image_or_too_large_is_a_failure() -> None:
    with pytest.raises(RecordFailedError, match="5 channels"):
        through_steps(np.zeros((1, 1, 5), np.uint8), [("crop", ORIGINS, SIZES)], 0, 10**6, is_cmyk=False)
    with pytest.raises(RecordFailedError, match="the limit is 8"):
        through_steps(np.zeros((1, 1, 3), np.uint8), [("crop", ORIGINS, np.array([[3, 3]], np.int32))], 0, 8, is_cmyk=False)
