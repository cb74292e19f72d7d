"""Built-in images: a seeded generator of small colour pictures with the statistics of natural images.

Each picture is two sheets of 1/f-like noise, the front one cut to an ellipse or a box (edges, an object before a ground), in three
channels mixed from one bright and two faint colour directions, as in photographs. Sizes of the PNG files are those of CIFAR-10's
within 10 %. They are not photographs: every output names them synthetic.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

BLOCK = 500
"""Pictures drawn from one seed, fewer of large ones: picture i is the same however many are asked for."""
BLOCK_BYTES = 32 << 20
"""What one array of a block takes at most, in 32-bit floats."""
CLASSES = 10
SHEET = 512
"""Side of the sheet of noise that the pictures of one block are cut from."""
SLOPE = 1.5
"""Amplitude falls as frequency ** -SLOPE: that of CIFAR-10, whose images were scaled down from photographs."""
GRAIN = 0.7
"""Standard deviation of the sensor's noise, in grey levels."""
COLOUR = np.array([[1.0, 1.0, 1.0], [0.34, 0.0, -0.34], [0.05, -0.1, 0.05]], dtype=np.float32)
"""Red, green and blue of the three colour directions: brightness, warm–cold, green–magenta."""


class Pictures(NamedTuple):
    """N·H·W·3 uint8 images and their N int64 labels, 0–9."""

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]


def pictures(count: int, *, seed: int = 0, size: int = 32) -> Pictures:
    """Return `count` synthetic pictures of size × size pixels, the same for the same seed.

    The label says what is drawn: even labels are ellipses, odd ones boxes; label // 2 is the tint of the object.
    """
    images = np.empty((count, size, size, 3), dtype=np.uint8)
    labels = np.empty(count, dtype=np.int64)
    drawn = max(1, min(BLOCK, BLOCK_BYTES // (size * size * 3 * 4)))
    for number, start in enumerate(range(0, count, drawn)):
        taken = min(drawn, count - start)
        block = _block(np.random.default_rng([seed, size, number]), size, drawn)
        images[start : start + taken] = block.images[:taken]
        labels[start : start + taken] = block.labels[:taken]
    return Pictures(images, labels)


def _block(random: np.random.Generator, size: int, count: int) -> Pictures:
    labels = random.integers(0, CLASSES, count)
    contrast = random.lognormal(3.75, 0.38, (count, 1, 1, 1)).astype(np.float32)
    ground = contrast * _texture(random, size, count) + random.normal(122, 26, (count, 1, 1, 1)).astype(np.float32)
    thing = 0.8 * contrast * _texture(random, size, count) + random.normal(122, 50, (count, 1, 1, 1)).astype(np.float32)
    thing += _tint(labels)
    cover = _cover(random, labels, size)
    picture = ground + cover * (thing - ground)
    picture += random.normal(0, GRAIN, picture.shape).astype(np.float32)
    return Pictures(np.clip(np.rint(picture), 0, 255).astype(np.uint8), labels)


def _texture(random: np.random.Generator, size: int, count: int) -> NDArray[np.float32]:
    """Return `count` sheets size·size·3 of coloured noise with a falling spectrum, standard deviation about 1."""
    around = max(SHEET, 4 * size)
    frequency = np.hypot(np.fft.fftfreq(around)[:, None], np.fft.rfftfreq(around)[None, :]) * around
    amplitude = (np.maximum(frequency, 1) ** -SLOPE).astype(np.float32)
    noise = random.standard_normal((len(COLOUR), around, around), dtype=np.float32)
    sheet = np.fft.irfft2(np.fft.rfft2(noise) * amplitude, s=(around, around)).transpose(1, 2, 0).astype(np.float32)
    windows = sliding_window_view(sheet, (size, size), axis=(0, 1))
    down, right = random.integers(0, around - size + 1, (2, count))
    cuts = windows[down, right].transpose(0, 2, 3, 1)
    cuts = cuts - cuts.mean(axis=(1, 2), keepdims=True)
    coloured: NDArray[np.float32] = (cuts / (cuts.std(axis=(1, 2), keepdims=True) + 1e-6)) @ COLOUR
    return coloured


def _tint(labels: NDArray[np.int64]) -> NDArray[np.float32]:
    angle = (labels // 2) * (2 * np.pi / 5)
    tint = 30 * np.stack([np.cos(angle), np.cos(angle - 2.1), np.cos(angle + 2.1)], axis=-1)
    return tint[:, None, None, :].astype(np.float32)


def _cover(random: np.random.Generator, labels: NDArray[np.int64], size: int) -> NDArray[np.float32]:
    """Return a sheet size·size·1 per label, between 0 (ground) and 1 (object), with edges one pixel soft."""
    across = (np.arange(size, dtype=np.float32) + 0.5) / size
    centre = random.uniform(0.3, 0.7, (2, len(labels), 1, 1)).astype(np.float32)
    radius = random.uniform(0.18, 0.42, (2, len(labels), 1, 1)).astype(np.float32)
    turn = random.uniform(0, np.pi, (len(labels), 1, 1)).astype(np.float32)
    down, right = across[None, :, None] - centre[0], across[None, None, :] - centre[1]
    first = np.abs(np.cos(turn) * down + np.sin(turn) * right) / radius[0]
    second = np.abs(np.cos(turn) * right - np.sin(turn) * down) / radius[1]
    is_box = (labels % 2 == 1)[:, None, None]
    distance = np.where(is_box, np.maximum(first, second), np.hypot(first, second))
    softness = size * np.minimum(radius[0], radius[1])
    cover: NDArray[np.float32] = np.clip((1 - distance) * softness + 0.5, 0, 1).astype(np.float32)[..., None]
    return cover
