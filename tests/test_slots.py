"""Records through steps into slots: every format and dtype, subsets of rows, and failures by row."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pixstore import codec
from pixstore.errors import InvalidInputError
from pixstore.rows import Records, Slices
from pixstore.schema import Format
from pixstore.slots import load, stored_shapes, take_steps

UNKNOWN = Format(None, None, None)
ONE, NOTHING = np.ones(1, np.float32), np.zeros(1, np.float32)
MIRRORED = [("orient", np.array([2], np.uint8))]


def name(index: int) -> tuple[int, str, str]:
    return index, f"key-{index}", ""


def image(shape: tuple[int, ...], seed: int = 0, dtype: str = "uint8") -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape).astype(dtype)


def saved(pixels: np.ndarray, kind: str, mode: str | None = None, **options: Any) -> bytes:
    target = io.BytesIO()
    Image.fromarray(pixels, mode).save(target, kind, **options)
    return target.getvalue()


def records(data: list[bytes], formats: list[Format], chosen: list[int] | None = None) -> Records:
    found = Records([*data], formats, np.array(chosen if chosen is not None else range(len(data)), np.int32), name)
    return codec.probe_all(found)[0]


def raw(pixels: np.ndarray) -> Records:
    """Return the records of a batch of raw images, of whatever byte order it has."""
    length = np.full(len(pixels), pixels[0].nbytes, np.int64)
    known = Format("raw", pixels.shape[1:], pixels.dtype.str)
    return Records(Slices.end_to_end(pixels.tobytes(), length), [known], np.zeros(len(pixels), np.int32), name)


def test_all_formats_meet_in_one_batch_in_their_order() -> None:
    pixels = [image((6, 5, 3), seed) for seed in range(6)]
    data = [saved(each, kind) for each, kind in zip(pixels, ("BMP", "PNG", "TIFF", "PPM", "PNG"), strict=False)]
    found = records([*data, pixels[5].tobytes()], [*[UNKNOWN] * 5, Format("raw", (6, 5, 3), "uint8")])
    out = np.empty((6, 6, 5, 3), np.uint8)
    assert load(found, MIRRORED, out) == []
    np.testing.assert_array_equal(out, np.stack(pixels)[:, :, ::-1])


def test_each_record_keeps_its_row_of_the_steps_whatever_its_format() -> None:
    pixels = [image((6, 5, 3), seed) for seed in range(4)]
    data = [saved(each, kind) for each, kind in zip(pixels, ("BMP", "PNG", "BMP", "PNG"), strict=True)]
    origins = np.array([[0, 0], [1, 1], [2, 2], [3, 0]], np.int32)
    out = np.empty((4, 2, 2, 3), np.uint8)
    assert load(records(data, [UNKNOWN] * 4), [("crop", origins, np.array([[2, 2]], np.int32))], out) == []
    for slot, pixel, (top, left) in zip(out, pixels, origins, strict=True):
        np.testing.assert_array_equal(slot, pixel[top : top + 2, left : left + 2])


def test_more_bmp_images_than_are_decoded_at_once() -> None:
    pixels = [image((3, 4, 3), seed) for seed in range(150)]
    out = [np.empty((3, 4, 3), np.uint8) for _ in pixels]
    assert load(records([saved(each, "BMP") for each in pixels], [UNKNOWN], [0] * 150), MIRRORED, out) == []
    np.testing.assert_array_equal(out, np.stack(pixels)[:, :, ::-1])


@pytest.mark.parametrize("dtype", ["uint8", "bool", "<u2", ">u2"])
@pytest.mark.parametrize("shape", [(3, 4), (3, 4, 2)])
def test_raw_images_of_every_depth_and_byte_order_go_through_steps(dtype: str, shape: tuple[int, ...]) -> None:
    pixels = (image((2, *shape), 1, "uint16") * 250).astype(dtype)
    out = np.empty((2, 3, 4, *shape[2:]), np.float32)
    assert load(raw(pixels), [*MIRRORED, ("tensor", "hwc", "float32", ONE, NOTHING)], out) == []
    np.testing.assert_array_equal(out, pixels.astype(np.float32)[:, :, ::-1])


def test_planar_images_of_foreign_byte_order_go_through_steps() -> None:
    pixels = image((3, 4, 2), 0, "uint16") * 250
    planar = np.moveaxis(pixels, 2, 0).astype(">u2").tobytes()
    out = np.empty((1, 3, 4, 2), np.uint16)
    assert load(records([planar], [Format("raw-planar", (3, 4, 2), ">u2")]), MIRRORED, out) == []
    np.testing.assert_array_equal(out[0], pixels[:, ::-1])


@pytest.mark.parametrize(("dtype", "shape"), [("float32", (3, 4, 3)), ("int64", (3, 4)), ("uint8", (12,)), ("uint8", (1, 3, 4, 1))])
def test_what_is_no_image_is_copied_without_steps_and_refused_with_them(dtype: str, shape: tuple[int, ...]) -> None:
    values = image((2, *shape), 0, dtype)
    out = np.full_like(values, 7)
    assert load(raw(values), [], out) == []
    np.testing.assert_array_equal(out, values)
    failures = load(raw(values), MIRRORED, out)
    assert [each[:2] for each in failures] == [(0, "unsupported"), (1, "unsupported")]
    assert np.dtype(dtype).str[1:] in failures[0][2] and "uint8 or uint16" in failures[0][2]
    assert not out.any()


def test_ink_becomes_light_in_tiff_as_in_jpeg() -> None:
    ink = image((4, 5, 4))
    data = [saved(ink, kind, "CMYK") for kind in ("TIFF", "JPEG")]
    found = records(data, [UNKNOWN, UNKNOWN])
    out = np.empty((2, 4, 5, 3), np.uint8)
    assert load(found, [("color", "rgb")], out) == []
    for encoded, slot in zip(data, out, strict=True):
        np.testing.assert_array_equal(slot, np.asarray(Image.open(io.BytesIO(encoded)).convert("RGB")))
    kept = np.empty((2, 4, 5, 4), np.uint8)
    assert load(found, [], kept) == []
    np.testing.assert_array_equal(kept[0], ink)


def test_failures_are_by_row_and_their_slots_are_zeros() -> None:
    good = image((6, 5, 3))
    bmp, png = saved(good, "BMP"), saved(good, "PNG")
    known = [
        Format("bmp", (6, 5, 3), "uint8"),
        Format("png", (6, 5, 3), "uint8"),
        Format("raw", (2,), "float32"),
        Format("jp2", (6, 5, 3), "uint8"),
    ]
    found = records([bmp, bmp[:70], png[:50], png, b"12345678", bmp, b"?"], known, [0, 0, 1, 1, 2, 0, 3])
    out = np.full((7, 6, 5, 3), 7, np.uint8)
    failures = load(found, MIRRORED, out)
    kinds = [(1, "corrupt"), (2, "corrupt"), (4, "unsupported"), (6, "unsupported")]
    assert [each[:2] for each in failures] == kinds
    assert not out[[1, 2, 4, 6]].any()
    np.testing.assert_array_equal(out[[0, 3, 5]], np.stack([good[:, ::-1]] * 3))
    assert "jp2" in failures[3][2]


def test_a_bmp_of_another_shape_than_recorded_is_a_mismatch() -> None:
    found = records([saved(image((5, 6, 3)), "BMP")], [Format("bmp", (6, 5, 3), "uint8")])
    assert load(found, MIRRORED, np.empty((1, 6, 5, 3), np.uint8))[0][1] == "mismatch"


def test_checksums_count_for_every_format_unless_switched_off() -> None:
    data = [saved(image((6, 5, 3)), kind) for kind in ("BMP", "PNG")]
    plain = records(data, [UNKNOWN, UNKNOWN])
    wrong = Records(plain.place, plain.formats, plain.format, name, np.zeros(2, np.uint64), np.zeros(2, np.uint64))
    out = np.empty((2, 6, 5, 3), np.uint8)
    assert [each[:2] for each in load(wrong, MIRRORED, out)] == [(0, "checksum"), (1, "checksum")]
    assert load(wrong, MIRRORED, out, verify=False) == []


@pytest.mark.parametrize("out", [np.empty((3, 4, 4), np.uint8), np.empty((2, 4, 8), np.uint8)[:, :, ::2], [np.empty((4, 4), np.uint8)]])
def test_slots_that_do_not_fit_are_refused(out: Any) -> None:
    with pytest.raises(InvalidInputError, match="one array for each, is needed"):
        load(raw(image((2, 4, 4))), MIRRORED, out)


def test_no_records_need_no_slots() -> None:
    nothing = Records([], [Format("png", (2, 2), "uint8")], np.zeros(0, np.int32), name)
    assert load(nothing, MIRRORED, np.empty((0, 2, 2), np.uint8)) == load(nothing, [], []) == []


def test_take_steps_keeps_what_stands_for_all() -> None:
    scale = np.array([1, 2, 3], np.float32)
    steps = [
        ("color", "rgb"), ("crop", np.arange(6, dtype=np.int32).reshape(3, 2), np.array([[2, 2]], np.int32)),
        ("rotate", np.array([1.0, 2.0, 3.0]), "nearest"), ("tensor", "hwc", "float32", scale, scale),
    ]  # fmt: skip
    taken = take_steps(steps, np.array([2, 0]))
    assert taken[0] == ("color", "rgb")
    assert taken[1][1].tolist() == [[4, 5], [0, 1]] and taken[1][2] is steps[1][2]
    assert taken[2][1].tolist() == [3, 1] and taken[3][3] is scale


def test_stored_shapes_are_those_of_the_formats() -> None:
    formats = [Format("png", (4, 5), "uint8"), Format("raw", (6, 7, 2), "uint16"), UNKNOWN, Format("raw", (3,), "uint8")]
    found = Records([b""] * 5, formats, np.array([1, 0, 2, 3, 1], np.int32), name)
    assert stored_shapes(found).tolist() == [[6, 7, 2], [4, 5, 1], [0, 0, 0], [0, 0, 0], [6, 7, 2]]
    assert stored_shapes(Records([b""] * 2, formats, np.zeros(2, np.int32), name)).tolist() == [[4, 5, 1]] * 2
    assert stored_shapes(Records([], formats, np.zeros(0, np.int32), name)).shape == (0, 3)
