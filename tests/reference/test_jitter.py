"""Brightness, contrast, saturation and hue: values worked out by hand from torchvision's formulas."""

from __future__ import annotations

import colorsys

import numpy as np
import pytest

from pixstore.headers import RecordFailedError
from pixstore.reference.jitter import jitter

ORDER = np.arange(4, dtype=np.uint8)
PAIR = np.array([[[10, 20, 30], [200, 100, 0]]], np.uint8)


def jittered(pixels: np.ndarray, brightness: float = 1, contrast: float = 1, saturation: float = 1, hue: float = 0) -> np.ndarray:
    return jitter(pixels, np.array([brightness, contrast, saturation, hue], np.float32), ORDER)


def test_neutral_factors_leave_every_sample() -> None:
    np.testing.assert_array_equal(jittered(PAIR), PAIR)


def test_brightness_multiplies_cuts_off_and_stays_within_255() -> None:
    assert jittered(PAIR, brightness=1.55).tolist() == [[[15, 31, 46], [255, 155, 0]]]


def test_contrast_moves_away_from_the_mean_grey() -> None:
    # Grey is floor(18.149) = 18 and floor(118.48) = 118, their mean 68; 1.5 · x - 0.5 · 68.
    assert jittered(PAIR, contrast=1.5).tolist() == [[[0, 0, 11], [255, 116, 0]]]
    assert jittered(PAIR, contrast=0).tolist() == [[[68] * 3] * 2]


def test_saturation_moves_away_from_each_pixels_grey() -> None:
    # 0.5 · x + 0.5 · 18, 0.5 · x + 0.5 · 118
    assert jittered(PAIR, saturation=0.5).tolist() == [[[14, 19, 24], [159, 109, 59]]]
    assert jittered(PAIR, saturation=0).tolist() == [[[18] * 3, [118] * 3]]


@pytest.mark.parametrize("turns", [-0.5, -0.2, 0.1, 1 / 3, 0.5])
def test_hue_turns_as_colorsys_does(turns: float) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (8, 9, 3)).astype(np.uint8)
    expected = np.empty_like(pixels)
    for place in np.ndindex(8, 9):
        hue, saturation, value = colorsys.rgb_to_hsv(*(pixels[place] / 255))
        expected[place] = (np.array(colorsys.hsv_to_rgb((hue + turns) % 1, saturation, value)) * 255.999).astype(np.uint8)
    assert abs(jittered(pixels, hue=turns).astype(int) - expected).max() <= 1


def test_a_third_of_a_turn_makes_red_green() -> None:
    assert jittered(np.array([[[255, 0, 0]]], np.uint8), hue=1 / 3).tolist() == [[[0, 255, 0]]]


def test_the_order_counts() -> None:
    factors = np.array([1.9, 0.3, 1, 0], np.float32)
    forward, backward = (jitter(PAIR, factors, order) for order in (ORDER, ORDER[::-1].copy()))
    assert not np.array_equal(forward, backward)


def test_grey_images_keep_saturation_and_hue() -> None:
    pixels = PAIR[:, :, :1]
    np.testing.assert_array_equal(jittered(pixels, saturation=0.1, hue=0.4), pixels)
    assert jittered(pixels, brightness=0.5)[0, :, 0].tolist() == [5, 100]
    assert jittered(pixels, contrast=0)[0, :, 0].tolist() == [105, 105]


@pytest.mark.parametrize("shape", [(1, 1, 2), (1, 1, 4)])
def test_alpha_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(RecordFailedError, match="1 or 3 channels"):
        jittered(np.zeros(shape, np.uint8))
    with pytest.raises(RecordFailedError, match="8 bits"):
        jittered(np.zeros((1, 1, 3), np.uint16))
