"""Pictures of other sizes and types are still the run's own images."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from pixstore.bench.images import Sample, built_in, from_source
from pixstore.bench.lab.pictures import sized, typed
from pixstore.bench.ways.base import Work
from pixstore.errors import InvalidInputError


def sample_of(images: NDArray[np.generic] | list[NDArray[np.generic]]) -> Sample:
    """Return a sample of a source's arrays; the source itself is not looked at."""
    labels = np.arange(len(images))
    return Sample("some", "arrays", len(images), images, labels, rows=labels, dataset=object())  # type: ignore[arg-type]


def test_built_in_pictures_are_drawn_in_the_size() -> None:
    work = sized(built_in(20), 128, 9)
    assert np.shape(work.images) == (9, 128, 128, 3)
    assert len(np.unique(np.asarray(work.images)[:, ::9, ::9].reshape(9, -1), axis=0)) == 9
    assert work.encoded is None


def test_small_images_stand_side_by_side_unchanged() -> None:
    images = np.random.default_rng(0).integers(0, 256, (10, 32, 32, 3), np.uint8)
    work = sized(sample_of(images), 128, 2)
    assert np.shape(work.images) == (2, 128, 128, 3)
    picture = work.images[0]
    for place in range(16):
        down, right = 32 * (place // 4), 32 * (place % 4)
        np.testing.assert_array_equal(picture[down : down + 32, right : right + 32], images[place % 10])


def test_images_of_the_size_stay_what_they_are() -> None:
    images = np.random.default_rng(0).integers(0, 256, (10, 32, 32, 3), np.uint8)
    np.testing.assert_array_equal(sized(sample_of(images), 32, 10).images, images)


@pytest.mark.parametrize(("dtype", "top"), [(np.uint8, 255), (np.uint16, 65535)])
def test_large_images_are_the_scaled_middle_in_their_own_type(dtype: type, top: int) -> None:
    ramp = np.linspace(0, top, 300)[None, :, None] * np.ones((200, 1, 3))
    work = sized(sample_of([ramp.astype(dtype)] * 3), 128, 2)
    picture = work.images[1]
    assert picture.dtype == dtype
    assert picture.shape == (128, 128, 3)
    # The middle 200 of 300 columns: from a sixth to five sixths of the ramp.
    np.testing.assert_allclose(picture[64, [8, -9], 0] / top, [1 / 6 + 8.5 / 128 * 2 / 3, 5 / 6 - 8.5 / 128 * 2 / 3], atol=0.01)


def test_images_of_other_channels_are_left_out() -> None:
    random = np.random.default_rng(1)
    images: list[NDArray[np.generic]] = [random.integers(0, 256, shape, np.uint8) for shape in [(40, 50, 3), (40, 40), (64, 48, 3)]]
    work = sized(sample_of(images), 32, 8)
    assert np.shape(work.images) == (8, 32, 32, 3)


def test_encoded_images_are_encoded_again_and_decode_to_what_is_compared(photos: Path) -> None:
    sample = from_source(photos, 8)
    try:
        work = sized(sample, 32, 3)
    finally:
        sample.close()
    assert work.encoded is not None
    for encoded, image in zip(work.encoded, work.images, strict=True):
        assert encoded[:2] == b"\xff\xd8"
        decoded = np.asarray(Image.open(io.BytesIO(encoded)))
        assert decoded.shape == image.shape == (32, 32, 3)
        assert np.abs(decoded.astype(int) - image.astype(int)).max() <= 2


def test_types_hold_the_same_picture() -> None:
    work = Work(np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1), np.zeros(1, np.int64))
    wide, real = np.asarray(typed(work, "uint16").images), np.asarray(typed(work, "float32").images)
    assert (wide.dtype, wide.max()) == (np.uint16, 65535)
    assert (real.dtype, real.max()) == (np.float32, 1.0)
    np.testing.assert_array_equal(wide >> 8, work.images)
    np.testing.assert_array_equal(np.rint(real * 255), work.images)
    np.testing.assert_array_equal(typed(typed(work, "uint16"), "uint8").images, work.images)


def test_lists_of_images_keep_their_shapes(mixed_work: Work) -> None:
    assert [image.shape for image in typed(mixed_work, "float32").images] == [image.shape for image in mixed_work.images]


def test_floats_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="float32"):
        typed(Work(np.zeros((1, 2, 2, 3), np.float32), np.zeros(1, np.int64)), "uint8")
