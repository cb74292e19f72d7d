"""Crop, resample, orient, rotate: held against Pillow and against small images worked out by hand."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, ImageOps

from pixstore.headers import RecordFailedError
from pixstore.reference import geometry

FILTERS = ("nearest", "bilinear", "bicubic", "lanczos")
SMALL = np.arange(12, dtype=np.uint8).reshape(3, 4, 1)


def integers(*values: int) -> np.ndarray:
    return np.array(values, np.int32)


def noise(shape: tuple[int, ...], dtype: str = "uint8") -> np.ndarray:
    return np.random.default_rng(0).integers(0, np.iinfo(dtype).max + 1, shape).astype(dtype)


@pytest.mark.parametrize(
    ("origin", "size", "expected"),
    [
        ((1, 2), (2, 2), [[6, 7], [10, 11]]),
        ((-1, -1), (2, 3), [[0, 0, 0], [0, 0, 1]]),
        ((2, 3), (2, 2), [[11, 0], [0, 0]]),
        ((50, -60), (1, 2), [[0, 0]]),
        ((-1, 1), (5, 1), [[0], [1], [5], [9], [0]]),
    ],
)
def test_crop_fills_with_zeros_what_lies_outside(origin: tuple[int, int], size: tuple[int, int], expected: list[list[int]]) -> None:
    assert geometry.crop(SMALL, integers(*origin), integers(*size))[:, :, 0].tolist() == expected


def resampled(pixels: np.ndarray, where: tuple[float, ...], size: tuple[int, int], name: str, **options: bool) -> np.ndarray:
    return geometry.resample(
        pixels, np.array(where, np.float64), integers(*size), name, **{"has_alpha": pixels.shape[2] in (2, 4), **options}
    )


@pytest.mark.parametrize("name", FILTERS)
@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "CMYK"])
def test_resample_is_pillows_resize_with_a_box(name: str, mode: str) -> None:
    pixels = noise((31, 45, len(mode)))
    image = Image.fromarray(pixels[:, :, 0] if mode == "L" else pixels, mode)
    expected = np.asarray(image.resize((60, 17), geometry.FILTERS[name], (3.25, 2.5, 43.25, 22.5)))
    found = resampled(pixels, (2.5, 3.25, 20, 40), (17, 60), name, has_alpha=mode in ("LA", "RGBA"))
    np.testing.assert_array_equal(found, expected.reshape(found.shape))


def test_nearest_takes_the_pixel_under_each_centre() -> None:
    assert resampled(SMALL, (0, 0, 3, 4), (3, 2), "nearest")[:, :, 0].tolist() == [[1, 3], [5, 7], [9, 11]]
    assert resampled(SMALL, (0, 1, 1, 2), (1, 4), "nearest")[0, :, 0].tolist() == [1, 1, 2, 2]


@pytest.mark.parametrize("name", FILTERS)
@pytest.mark.parametrize("channels", [1, 3])
def test_resample_of_16_bits_keeps_them_and_stays_within_them(name: str, channels: int) -> None:
    fine = resampled(noise((31, 45, channels)).astype(np.uint16) * 257, (1, 1, 29, 40), (60, 20), name)
    coarse = resampled(noise((31, 45, channels)), (1, 1, 29, 40), (60, 20), name)
    assert fine.dtype == np.uint16
    # 8 bits are rounded twice, by half a level each; a filter's weights may add up to more than 1 in magnitude.
    assert abs(fine / 257 - coarse).max() < 2
    edge = np.repeat(np.array([0, 65535], np.uint16), 8).reshape(1, 16, 1)
    bright = resampled(edge, (0, 0, 1, 16), (1, 64), name)[0, :, 0]
    assert bright[0] == 0 and bright[-1] == 65535


def test_a_colour_that_is_not_seen_does_not_count_in_16_bits_either() -> None:
    pixels = np.array([[[60_000, 65_535], [1_000, 0]]], np.uint16)
    # Weighted by alpha, 60,000 halves to 30,000; 30,000 · 65,535 / 32,768 is 59,999.
    assert resampled(pixels, (0, 0, 1, 2), (1, 1), "bilinear")[0, 0].tolist() == [59_999, 32_768]
    assert resampled(pixels, (0, 0, 1, 2), (1, 1), "bilinear", has_alpha=False)[0, 0].tolist() == [30_500, 32_768]


@pytest.mark.parametrize("wrong", [(0, 0, 4, 4), (-1, 0, 3, 4), (0, 2, 3, 2.1)])
def test_a_box_outside_the_image_is_refused(wrong: tuple[float, ...]) -> None:
    with pytest.raises(RecordFailedError, match="in an image of 3 x 4"):
        resampled(SMALL, wrong, (2, 2), "bilinear")


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_box_may_overshoot_by_rounding(dtype: type) -> None:
    for name in FILTERS:
        pixels = resampled(SMALL.astype(dtype), (-1e-9, 0, 3 + 2e-9, 4 + 1e-9), (3, 4), name)
        np.testing.assert_array_equal(pixels, SMALL)


@pytest.mark.parametrize("code", range(1, 9))
def test_orient_is_pillows_exif_transpose(code: int) -> None:
    pixels = noise((5, 7, 3))
    exif = Image.Exif()
    exif[0x0112] = code
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG", exif=exif)
    with Image.open(stream) as image:
        expected = np.asarray(ImageOps.exif_transpose(image))
    np.testing.assert_array_equal(geometry.orient(pixels, np.array(code, np.uint8)), expected)


def test_rotate_turns_counter_clockwise_and_keeps_the_size() -> None:
    square = SMALL[:, :3]
    np.testing.assert_array_equal(geometry.rotate(square, np.float64(90), "nearest"), np.rot90(square))
    pixels = noise((20, 31, 4))
    for name in ("nearest", "bilinear"):
        found = geometry.rotate(pixels, np.float64(33), name)
        assert found.shape == pixels.shape and not found[0, 0].any()
        np.testing.assert_array_equal(
            found[:, :, 2], np.asarray(Image.fromarray(pixels[:, :, 2].copy()).rotate(33, {"nearest": 0, "bilinear": 2}[name]))
        )
    with pytest.raises(RecordFailedError, match="8 bits"):
        geometry.rotate(noise((3, 3, 1), "uint16"), np.float64(1), "nearest")
