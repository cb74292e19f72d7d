from __future__ import annotations

import numpy as np
import pytest

from pixstore.bench.check import difference
from pixstore.bench.ways.base import Found, Work

ORDER = np.arange(6)


def test_same_pixels_and_labels_are_no_difference(work: Work, mixed_work: Work) -> None:
    assert difference(Found(work.images, work.labels), work, ORDER) is None
    assert difference(Found(list(work.images), work.labels.tolist()), work, ORDER) is None
    assert difference(Found(mixed_work.images, mixed_work.labels), mixed_work, np.arange(4)) is None
    assert difference(Found(np.asarray(work.images)[work.order], work.labels[work.order]), work, work.order) is None


def test_another_pixel_is_named_by_its_image(work: Work) -> None:
    images = np.array(work.images)
    images[4, 0, 0, 0] ^= 1
    assert difference(Found(images, work.labels), work, ORDER) == "image 4 came back with other pixels"
    assert difference(Found(images, work.labels), work, ORDER, is_lossy=True) is None


def test_another_label_shape_or_count_is_a_difference(work: Work) -> None:
    assert "label 2, not 3" in str(difference(Found(work.images, [2, 1, 4, 1, 5, 9]), work, ORDER))
    turned = np.asarray(work.images).transpose(0, 2, 1, 3)
    assert "shape (6, 8, 3), not (8, 6, 3)" in str(difference(Found(turned, work.labels), work, ORDER, is_lossy=True))
    assert "5 images" in str(difference(Found(work.images[:5], work.labels), work, ORDER))


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_images_of_other_kinds_are_compared_too(dtype: type) -> None:
    pixels = np.arange(2 * 3 * 3).reshape(2, 3, 3).astype(dtype)
    assert difference(Found(pixels.copy(), [0, 0]), Work(pixels, np.zeros(2, np.int64)), np.arange(2)) is None
