"""Numbers for the trainer: the same values as dividing, subtracting and moving axes in NumPy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pixstore.loader.recipe import Recipe
from pixstore.loader.transforms import ChannelsFirst, Normalize, Threshold, ToFloat
from pixstore.schema import Field

Run = Callable[..., dict[str, list[NDArray[Any]]]]
IMAGE = np.random.default_rng(0).integers(0, 256, (4, 5, 3), np.uint8)
MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)


def image_of(run: Run, listed: list[Any], image: NDArray[Any] = IMAGE) -> NDArray[Any]:
    return run(Recipe(listed, [Field("image")], color="keep"), {"image": [image]})["image"][0]


def test_normalize_is_of_samples_from_0_to_1(run: Run) -> None:
    found = image_of(run, [Normalize(MEAN, STD)])
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, (IMAGE / 255 - MEAN) / STD, atol=1e-6)


def test_one_number_stands_for_all_channels(run: Run) -> None:
    np.testing.assert_allclose(image_of(run, [Normalize(0.5, 0.25)]), (IMAGE / 255 - 0.5) / 0.25, atol=1e-6)
    np.testing.assert_allclose(image_of(run, [Normalize(MEAN, 0.25)]), (IMAGE / 255 - MEAN) / 0.25, atol=1e-6)
    np.testing.assert_allclose(image_of(run, [Normalize(0.5, STD)]), (IMAGE / 255 - 0.5) / STD, atol=1e-6)


def test_to_float_is_from_0_to_1_whatever_the_depth(run: Run) -> None:
    np.testing.assert_allclose(image_of(run, [ToFloat()]), IMAGE / 255, atol=1e-7)
    deep = IMAGE.astype(np.uint16) * 257
    np.testing.assert_allclose(image_of(run, [ToFloat()], deep), deep / 65535, atol=1e-7)
    assert image_of(run, [ToFloat()], IMAGE[:, :, 0] > 100).max() == 1
    assert image_of(run, [ToFloat("float16")]).dtype == np.float16


def test_bfloat16(run: Run) -> None:
    pytest.importorskip("ml_dtypes")
    found = image_of(run, [ToFloat("bfloat16"), ChannelsFirst()])
    assert found.dtype.name == "bfloat16"
    np.testing.assert_allclose(found.astype(np.float32), IMAGE.transpose(2, 0, 1) / 255, rtol=1 / 256)


def test_channels_come_first(run: Run) -> None:
    np.testing.assert_array_equal(image_of(run, [ChannelsFirst()]), IMAGE.transpose(2, 0, 1))
    np.testing.assert_array_equal(image_of(run, [ChannelsFirst()], IMAGE[:, :, 0]), IMAGE[None, :, :, 0])


@pytest.mark.parametrize(
    "listed", [[ToFloat("float16"), Normalize(MEAN, STD), ChannelsFirst()], [ChannelsFirst(), Normalize(MEAN, STD), ToFloat("float16")]]
)
def test_their_order_does_not_matter(run: Run, listed: list[Any]) -> None:
    found = image_of(run, listed)
    assert (found.shape, found.dtype) == ((3, 4, 5), np.float16)
    np.testing.assert_allclose(found, ((IMAGE / 255 - MEAN) / STD).transpose(2, 0, 1), atol=2e-3)


def test_masks_stay_what_they_are_unless_named(run: Run) -> None:
    mask = IMAGE[:, :, 0]
    fields = [Field("image"), Field("mask")]
    done = run(Recipe([Normalize(MEAN, STD), ChannelsFirst()], fields), {"image": [IMAGE], "mask": [mask]})
    np.testing.assert_array_equal(done["mask"][0], mask)
    done = run(Recipe([Threshold(99), ToFloat(fields=("mask",))], fields), {"image": [IMAGE], "mask": [mask]})
    np.testing.assert_array_equal(done["mask"][0], (mask > 99).astype(np.float32))
    np.testing.assert_array_equal(done["image"][0], IMAGE)
