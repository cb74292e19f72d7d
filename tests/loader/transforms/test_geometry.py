"""Geometry: sizes and boxes as torchvision documents them, worked out again here one image at a time."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from pixstore.errors import InvalidInputError
from pixstore.loader.draws import Draws
from pixstore.loader.recipe import Recipe
from pixstore.loader.steps import FieldResult
from pixstore.loader.stored import FormatTable
from pixstore.loader.transforms import (
    CenterCrop,
    HorizontalFlip,
    RandomCrop,
    RandomResizedCrop,
    RandomRotation,
    Resize,
    Transform,
    VerticalFlip,
)
from pixstore.schema import Field, Format

Run = Callable[..., dict[str, list[NDArray[Any]]]]
SIDES = st.integers(1, 60)


def pictures(*sizes: tuple[int, int]) -> list[NDArray[np.uint8]]:
    return [np.random.default_rng(number).integers(1, 256, (*size, 3), np.uint8) for number, size in enumerate(sizes)]


def result_of(transform: Transform, *sizes: tuple[int, int], seed: int = 0) -> FieldResult:
    stored = FormatTable([Format("raw", (*size, 3), "uint8") for size in sizes]).stored(np.arange(len(sizes), dtype=np.int32))
    return Recipe([transform], [Field("image")]).programs({"image": stored}, Draws(seed, 0, np.arange(len(sizes))), str)["image"]


def images_of(run: Run, transform: Transform, images: list[NDArray[Any]], seed: int = 0) -> list[NDArray[Any]]:
    return run(Recipe([transform], [Field("image")]), {"image": images}, seed=seed)["image"]


# ---- Resize ----


@given(SIDES, SIDES, SIDES)
def test_resize_by_a_number_makes_the_shorter_side_that_long(height: int, width: int, size: int) -> None:
    shape = result_of(Resize(size), (height, width)).shape
    longer = int(size * max(height, width) / min(height, width))
    assert shape == ((size, longer, 3) if height <= width else (longer, size, 3))
    assert Resize(size).result_size((height, width)) == shape[:2]


def test_resize_by_a_pair_makes_exactly_that(run: Run) -> None:
    images = pictures((9, 13), (20, 7))
    for image, found in zip(images, images_of(run, Resize((5, 8), filter="lanczos"), images), strict=True):
        np.testing.assert_array_equal(found, np.asarray(Image.fromarray(image).resize((8, 5), Image.Resampling.LANCZOS)))
    assert Resize((5, 8)).result_size(None) == (5, 8)
    assert Resize(5).result_size(None) is None


# ---- CenterCrop ----


@given(SIDES, SIDES, SIDES, SIDES)
def test_center_crop_is_the_middle_with_zeros_where_the_image_is_smaller(height: int, width: int, rows: int, columns: int) -> None:
    result = result_of(CenterCrop((rows, columns)), (height, width))
    assert result.shape == (rows, columns, 3)
    origin = result.steps[0][1][0].tolist() if result.steps else [0, 0]
    # Padding of half the missing pixels, the smaller half first; then a crop at round((side - wanted) / 2).
    expected = [
        -((wanted - side) // 2) if wanted > side else round((side - wanted) / 2) for side, wanted in ((height, rows), (width, columns))
    ]
    assert origin == expected


def test_center_crop_of_known_images(run: Run) -> None:
    small, large = pictures((2, 3), (7, 4))
    found = images_of(run, CenterCrop(4), [small, large])
    np.testing.assert_array_equal(found[0], np.pad(small, ((1, 1), (0, 1), (0, 0))))
    np.testing.assert_array_equal(found[1], large[2:6])


# ---- RandomCrop ----


@given(SIDES, SIDES, st.integers(0, 5), st.integers(0, 5), st.data())
def test_random_crop_lies_in_the_padded_image(height: int, width: int, sides: int, ends: int, data: st.DataObject) -> None:
    rows, columns = data.draw(st.integers(1, height + 2 * ends)), data.draw(st.integers(1, width + 2 * sides))
    result = result_of(RandomCrop((rows, columns), padding=(sides, ends)), *[(height, width)] * 20)
    assert result.shape == (rows, columns, 3)
    for name, origins, sizes in result.steps:
        assert (name, sizes.tolist()) == ("crop", [[rows, columns]])
        assert (origins >= [-ends, -sides]).all()
        assert (origins + sizes <= [height + ends, width + sides]).all()


def test_random_crop_reaches_every_place_alike() -> None:
    (_, origins, _), *_ = result_of(RandomCrop(32, padding=4), *[(32, 32)] * 8100).steps
    counts = np.bincount((origins[:, 0] + 4) * 9 + origins[:, 1] + 4, minlength=81)
    # 80 degrees of freedom: mean 80, deviation 12.6.
    assert counts.min() > 60
    assert float(((counts - 100) ** 2 / 100).sum()) < 140


def test_random_crop_puts_zeros_around_the_image(run: Run) -> None:
    image = pictures((3, 3))[0]
    padded = np.pad(image, ((1, 1), (2, 2), (0, 0)))
    places = set()
    for found in images_of(run, RandomCrop(3, padding=(2, 1)), [image] * 100):
        fits = [(y, x) for y in range(3) for x in range(5) if (padded[y : y + 3, x : x + 3] == found).all()]
        assert len(fits) == 1
        places.update(fits)
    assert len(places) == 15


def test_random_crop_larger_than_the_image_names_the_image() -> None:
    with pytest.raises(
        InvalidInputError, match=r"RandomCrop: field 'image' of '1' is 5 x 30 pixels: too small for a crop of 8 x 6; give padding="
    ):
        result_of(RandomCrop((8, 6), padding=1), (9, 9), (5, 30))


# ---- RandomResizedCrop ----


def box_one_by_one(size: tuple[int, int], numbers: NDArray[np.float64], transform: RandomResizedCrop) -> list[float]:
    """Return top, left, height and width, tried ten times one after the other."""
    height, width = size
    for area_number, ratio_number in zip(numbers[:10], numbers[10:20], strict=True):
        area = height * width * (transform.scale[0] + (transform.scale[1] - transform.scale[0]) * area_number)
        log_low, log_high = math.log(transform.ratio[0]), math.log(transform.ratio[1])
        ratio = math.exp(log_low + (log_high - log_low) * ratio_number)
        columns, rows = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
        if 0 < columns <= width and 0 < rows <= height:
            return [int(numbers[20] * (height - rows + 1)), int(numbers[21] * (width - columns + 1)), rows, columns]
    if width / height < transform.ratio[0]:
        columns, rows = width, round(width / transform.ratio[0])
    elif width / height > transform.ratio[1]:
        columns, rows = round(height * transform.ratio[1]), height
    else:
        columns, rows = width, height
    rows, columns = max(rows, 1), max(columns, 1)
    return [(height - rows) // 2, (width - columns) // 2, rows, columns]


@given(
    st.lists(st.tuples(st.integers(1, 400), st.integers(1, 400)), min_size=1, max_size=8),
    st.sampled_from([RandomResizedCrop(17), RandomResizedCrop(17, scale=(0.9, 1), ratio=(2, 3)), RandomResizedCrop(17, ratio=(0.1, 9))]),
    st.integers(0, 99),
)
def test_random_resized_crop_is_the_first_of_ten_parts_that_fits(
    sizes: list[tuple[int, int]], transform: RandomResizedCrop, seed: int
) -> None:
    numbers = Draws(seed, 0, np.arange(len(sizes))).uniforms(range(22))
    expected = [box_one_by_one(size, numbers[:, row], transform) for row, size in enumerate(sizes)]
    result = result_of(transform, *sizes, seed=seed)
    assert result.shape == (17, 17, 3)
    if not result.steps:
        assert set(sizes) == {(17, 17)}
        return
    _, boxes, wanted, filter = result.steps[0]
    assert (wanted.tolist(), filter) == ([[17, 17]], "bilinear")
    assert boxes.tolist() == expected


def test_random_resized_crop_keeps_area_and_ratio_in_bounds() -> None:
    _, boxes, *_ = result_of(RandomResizedCrop((10, 20), scale=(0.2, 0.4)), *[(300, 400)] * 2000).steps[0]
    shares = boxes[:, 2] * boxes[:, 3] / 120_000
    ratios = boxes[:, 3] / boxes[:, 2]
    assert 0.195 < shares.min() < 0.21 < 0.39 < shares.max() < 0.405
    assert 0.74 < ratios.min() < 0.77 < 1.3 < ratios.max() < 1.35
    # Ratios are drawn evenly by their logarithm, areas evenly.
    assert abs(np.log(ratios).mean()) < 0.02
    assert abs(shares.mean() - 0.3) < 0.005


def test_random_resized_crop_of_known_pixels_is_pillows_box(run: Run) -> None:
    image = pictures((40, 50))[0]
    top, left, rows, columns = result_of(RandomResizedCrop(8), (40, 50)).steps[0][1][0].tolist()
    box = (left, top, left + columns, top + rows)
    expected = np.asarray(Image.fromarray(image).resize((8, 8), Image.Resampling.BILINEAR, box=box))
    found = images_of(run, RandomResizedCrop(8), [image])[0]
    assert abs(found.astype(int) - expected).max() <= 1


# ---- flips and rotation ----


@pytest.mark.parametrize(("kind", "axis"), [(HorizontalFlip, 1), (VerticalFlip, 0)])
def test_flips(run: Run, kind: Any, axis: int) -> None:
    image = pictures((4, 5))[0]
    np.testing.assert_array_equal(images_of(run, kind(p=1), [image])[0], np.flip(image, axis))
    np.testing.assert_array_equal(images_of(run, kind(p=0), [image])[0], image)
    flipped = [bool((each != image).any()) for each in images_of(run, kind(p=0.25), [image] * 1000)]
    assert 200 < sum(flipped) < 300


def test_rotation_by_a_quarter_is_counter_clockwise(run: Run) -> None:
    image = pictures((6, 6))[0]
    np.testing.assert_array_equal(images_of(run, RandomRotation((90, 90)), [image])[0], np.rot90(image))


def test_angles_are_drawn_evenly_from_the_range() -> None:
    for degrees, low, high in ((30, -30, 30), ((10, 20), 10, 20)):
        _, found, filter = result_of(RandomRotation(degrees), *[(6, 6)] * 1000).steps[0]
        assert low <= found.min() < low + (high - low) / 50
        assert high - (high - low) / 50 < found.max() < high
        assert filter == "nearest"


@pytest.mark.parametrize("kind", [CenterCrop, RandomCrop, RandomResizedCrop])
def test_sizes_that_come_out_are_known_before(kind: Any) -> None:
    assert kind(5).result_size(None) == (5, 5)
    assert kind((5, 6)).result_size((90, 90)) == (5, 6)
    assert HorizontalFlip().result_size((3, 4)) == (3, 4)
