"""Small PNGs of arrays of any shape, type and meaning, for people to look at."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

LARGEST_SIDE = 96
SIDES = (LARGEST_SIDE, 72, 54, 40, 28, 16)
SUBSAMPLED_SIDE = 4 * LARGEST_SIDE
CHANNELS = (1, 2, 3, 4)
GOLDEN = 0.618033988749895
"""Steps of this around the circle of hues keep neighbouring numbers apart."""


def thumbnail(array: NDArray[Any], *, most_bytes: int, has_labels: bool = False) -> bytes:
    """Return a PNG of an H·W, H·W·C or C·H·W array, 96 pixels at the larger side, fewer where it would be larger than `most_bytes`.

    uint8 is shown as it is, everything else from its smallest value (black) to its largest (white). has_labels: the values are labels;
    each gets a colour of its own, 0 is black. Raises ValueError for an array that is no picture.
    """
    image = _picture(array, has_labels)
    for side in SIDES:
        data = _png(image, side, Image.Resampling.NEAREST if has_labels else Image.Resampling.BOX)
        if len(data) <= most_bytes:
            break
    return data


def _picture(array: NDArray[Any], has_labels: bool) -> Image.Image:
    if array.ndim == 3 and array.shape[2] not in CHANNELS and array.shape[0] in CHANNELS:
        array = array.transpose(1, 2, 0)
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    has_form = array.ndim == 2 or (array.ndim == 3 and array.shape[2] in CHANNELS)
    if not has_form or array.size == 0 or array.dtype.kind in "cOSUmM":
        raise ValueError(f"{'·'.join(map(str, array.shape))} {array.dtype} is no picture")
    # What is far larger than a thumbnail is thinned out first: a preview must not take the time of an image.
    step = max(1, max(array.shape[:2]) // SUBSAMPLED_SIDE)
    small = array[::step, ::step]
    if has_labels and small.ndim == 2:
        return Image.fromarray(_colours(small))
    return Image.fromarray(small if small.dtype == np.uint8 else _stretched(small))


def _stretched(array: NDArray[Any]) -> NDArray[np.uint8]:
    """Return the values as 0 … 255, from the smallest to the largest; what is not finite becomes 0, alpha is left out."""
    values = np.asarray(array, np.float64)
    if values.ndim == 3:
        values = values[:, :, 0] if values.shape[2] == 2 else values[:, :, :3]
    # Halved: the range of float64 values may be larger than float64 can hold.
    half = np.where(np.isfinite(values), values, np.nan) / 2
    if np.isnan(half).all():
        return np.zeros(half.shape, np.uint8)
    low, high = np.nanmin(half), np.nanmax(half)
    return np.asarray(np.nan_to_num((half - low) / ((high - low) or 1.0)) * 255, np.uint8)


def _colours(labels: NDArray[Any]) -> NDArray[np.uint8]:
    """Return an H·W·3 array with the same colour for the same label, in every image."""
    found, places = np.unique(labels, return_inverse=True)
    numbers = np.arange(len(found)) if found.dtype.kind == "f" else found.astype(np.int64)
    hues = numbers * GOLDEN % 1.0
    channels = [np.clip(np.abs((hues + offset) % 1.0 * 6 - 3) - 1, 0, 1) for offset in (0, 2 / 3, 1 / 3)]
    palette = np.asarray(np.stack(channels, axis=1) * 215 + 40, np.uint8)
    palette[found == 0] = 0
    return palette[places.reshape(labels.shape)]


def _png(image: Image.Image, side: int, resampling: Image.Resampling) -> bytes:
    scale = min(1.0, side / max(image.size))
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    file = io.BytesIO()
    (image if size == image.size else image.resize(size, resampling)).save(file, "png")
    return file.getvalue()
