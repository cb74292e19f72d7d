"""The built-in images: repeatable, and as compressible as CIFAR-10's."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from pixstore.bench.generator import CLASSES, pictures
from pixstore.bench.images import from_source

CIFAR_PNG_BYTES = 2_266
"""Mean size of CIFAR-10's images as Pillow 13 (zlib-ng) saves them."""


def png_bytes(images: NDArray[np.uint8]) -> float:
    sizes = []
    for image in images:
        file = io.BytesIO()
        Image.fromarray(image).save(file, "PNG")
        sizes.append(file.tell())
    return float(np.mean(sizes))


def test_same_seed_gives_same_pictures_however_many_are_asked_for() -> None:
    few, many = pictures(3), pictures(700)
    assert np.array_equal(few.images, many.images[:3])
    assert np.array_equal(few.labels, many.labels[:3])
    assert not np.array_equal(pictures(3, seed=1).images, few.images)


def test_pictures_are_small_colour_images_with_ten_labels() -> None:
    drawn = pictures(500)
    assert drawn.images.shape == (500, 32, 32, 3)
    assert drawn.images.dtype == np.uint8
    assert set(drawn.labels.tolist()) == set(range(CLASSES))


def test_pictures_have_the_statistics_of_natural_images() -> None:
    images = pictures(500).images.astype(float)
    correlation = np.corrcoef(images.reshape(-1, 3).T)
    assert correlation[0, 1] > 0.85
    assert correlation[0, 2] > 0.7
    grey = images.mean(-1)
    power = (np.abs(np.fft.fft2(grey - grey.mean((1, 2), keepdims=True))) ** 2).mean(0)
    # From frequency 2 to 8 the power of photographs falls about as 1/f² to 1/f³.
    assert 2 < np.log(power[0, 2] / power[0, 8]) / np.log(4) < 3.5


def test_png_size_is_that_of_cifar_within_ten_per_cent() -> None:
    assert png_bytes(pictures(500).images) == pytest.approx(CIFAR_PNG_BYTES, rel=0.1)


@pytest.mark.slow
def test_png_size_is_that_of_the_real_archive_within_ten_per_cent(shared_data: Path) -> None:
    real = from_source(shared_data / "cifar10" / "cifar-10-batches-py.tar.xz", 500)
    assert png_bytes(pictures(500).images) == pytest.approx(png_bytes(np.asarray(real.images)), rel=0.1)
    real.close()
