"""Colour: ranges and order of factors as torchvision draws them, and which fields are touched."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from pixstore.loader.draws import Draws
from pixstore.loader.recipe import Recipe
from pixstore.loader.steps import Step
from pixstore.loader.stored import FormatTable
from pixstore.loader.transforms import ColorJitter, Threshold, ToGray
from pixstore.schema import Field, Format

Run = Callable[..., dict[str, list[NDArray[Any]]]]


def step_of(transform: ColorJitter, count: int) -> Step:
    stored = FormatTable([Format("raw", (4, 4, 3), "uint8")]).stored(np.zeros(count, np.int32))
    (step,) = Recipe([transform], [Field("image")]).programs({"image": stored}, Draws(0, 0, np.arange(count)), str)["image"].steps
    return step


@pytest.mark.parametrize(
    ("transform", "ranges"),
    [
        (ColorJitter(0.4, 0.3, 0.2, 0.1), [(0.6, 1.4), (0.7, 1.3), (0.8, 1.2), (-0.1, 0.1)]),
        (ColorJitter(brightness=2, saturation=(0.5, 3), hue=(0.1, 0.2)), [(0, 3), (1, 1), (0.5, 3), (0.1, 0.2)]),
    ],
)
def test_factors_are_drawn_evenly_from_their_ranges(transform: ColorJitter, ranges: list[tuple[float, float]]) -> None:
    factors = step_of(transform, 3000)[1]
    for column, (low, high) in zip(factors.T, ranges, strict=True):
        assert np.float32(low) <= column.min() <= low + (high - low) / 100
        assert high - (high - low) / 100 <= column.max() <= np.float32(high)
        assert abs(column.mean() - (low + high) / 2) <= (high - low) / 40


def test_every_order_is_as_likely() -> None:
    order = step_of(ColorJitter(0.1), 4800)[2]
    assert (np.sort(order, 1) == np.arange(4)).all()
    counts = np.unique(order, axis=0, return_counts=True)[1]
    assert len(counts) == 24
    assert counts.min() > 140
    assert counts.max() < 260


def test_the_order_does_not_follow_from_the_factors() -> None:
    _, factors, order = step_of(ColorJitter((0, 1), (0, 1), (0, 1), (0, 0.5)), 4800)
    ranked = (factors * [1, 1, 1, 2]).argsort(1)
    assert abs((ranked == order).all(1).mean() - 1 / 24) < 0.015


def test_jitter_that_changes_nothing_leaves_the_pixels(run: Run) -> None:
    image = np.random.default_rng(0).integers(0, 256, (5, 5, 3), np.uint8)
    np.testing.assert_array_equal(run(Recipe([ColorJitter()], [Field("image")]), {"image": [image]})["image"][0], image)


def test_masks_keep_their_colours(run: Run) -> None:
    image = np.random.default_rng(0).integers(0, 256, (5, 5, 3), np.uint8)
    recipe = Recipe([ColorJitter(0.9, 0.9), ToGray()], [Field("image"), Field("mask")])
    done = run(recipe, {"image": [image], "mask": [image]})
    assert done["image"][0].shape == (5, 5, 1)
    np.testing.assert_array_equal(done["mask"][0], image)


@pytest.mark.parametrize("channels", [1, 3])
def test_gray_is_pillows(run: Run, channels: int) -> None:
    image = np.random.default_rng(0).integers(0, 256, (9, 9, 3), np.uint8)
    found = run(Recipe([ToGray(channels)], [Field("image")]), {"image": [image]})["image"][0]
    expected = np.repeat(np.asarray(Image.fromarray(image).convert("L"))[:, :, None], channels, 2)
    np.testing.assert_array_equal(found, expected)


def test_threshold_is_for_masks(run: Run) -> None:
    image = np.array([[0, 127, 128, 255]], np.uint8)
    done = run(Recipe([Threshold(127)], [Field("image"), Field("mask")], color="keep"), {"image": [image], "mask": [image]})
    assert done["mask"][0].tolist() == [[0, 0, 1, 1]]
    np.testing.assert_array_equal(done["image"][0], image)


def test_fields_may_be_named(run: Run) -> None:
    image = np.random.default_rng(0).integers(0, 256, (5, 5, 3), np.uint8)
    listed = [ToGray(fields=("mask",)), Threshold(100, fields=("mask",))]
    done = run(Recipe(listed, [Field("image"), Field("mask")]), {"image": [image], "mask": [image]})
    np.testing.assert_array_equal(done["mask"][0][:, :, 0], np.asarray(Image.fromarray(image).convert("L")) > 100)
    np.testing.assert_array_equal(done["image"][0], image)
