"""Steps that move pixels: crop, resample, orient, rotate. Each takes and returns an H·W·C array."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pixstore.headers import RecordFailedError
from pixstore.reference.buffers import Samples, needs_bytes

Box: TypeAlias = tuple[float, float, float, float]
"""Left, top, right, bottom, as Pillow has them."""

FILTERS = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
WHITE = 65535
ROUNDING = 1e-3
"""A box may lie outside the image by as much as its arithmetic was rounded."""


def crop(pixels: Samples, origin: NDArray[np.int32], size: NDArray[np.int32]) -> Samples:
    """Return the rows and columns from (top, left) on; what lies outside the image is 0."""
    (top, left), (height, width) = origin.tolist(), size.tolist()
    result = np.zeros((height, width, pixels.shape[2]), pixels.dtype)
    rows = slice(max(top, 0), max(min(top + height, pixels.shape[0]), 0))
    columns = slice(max(left, 0), max(min(left + width, pixels.shape[1]), 0))
    inside = pixels[rows, columns]
    if inside.size:
        start = rows.start - top, columns.start - left
        result[start[0] : start[0] + inside.shape[0], start[1] : start[1] + inside.shape[1]] = inside
    return result


def resample(pixels: Samples, box: NDArray[np.float64], size: NDArray[np.int32], name: str, *, has_alpha: bool) -> Samples:
    """Return the box (top, left, height, width) scaled to (height, width) as Pillow's resize(box=) does.

    Filters but nearest are widened by the scale, and colours count by their alpha where the last of 2 or 4 channels is that.
    """
    top, left, height, width = box.tolist()
    if not (_is_inside(top, height, pixels.shape[0]) and _is_inside(left, width, pixels.shape[1])):
        raise RecordFailedError("mismatch", f"a box of {box.tolist()} in an image of {pixels.shape[0]} x {pixels.shape[1]}")
    rows, columns = size.tolist()
    within = max(left, 0.0), max(top, 0.0), min(left + width, pixels.shape[1]), min(top + height, pixels.shape[0])
    if pixels.dtype == np.uint16:
        return _resample_deep(pixels, (columns, rows), name, within, has_alpha)
    mode = MODES[pixels.shape[2]] if has_alpha or pixels.shape[2] < 4 else "CMYK"
    image = Image.fromarray(np.ascontiguousarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels), mode)
    return np.asarray(image.resize((columns, rows), FILTERS[name], within)).reshape(rows, columns, -1)


def _is_inside(start: float, length: float, available: int) -> bool:
    return start >= -ROUNDING and start + length <= available + ROUNDING


def _resample_deep(pixels: Samples, size: tuple[int, int], name: str, box: Box, has_alpha: bool) -> Samples:
    """Return samples of 16 bits resampled channel by channel: Pillow's own way goes wrong where a filter overshoots."""
    values = pixels.astype(np.float32)
    if name == "nearest" or not has_alpha:
        return np.stack([_resized(each, size, name, box) for each in np.moveaxis(values, 2, 0)], axis=2).astype(np.uint16)
    weighted = np.rint(pixels[:, :, :-1] / WHITE * pixels[:, :, -1:]).astype(np.float32)
    *colours, alpha = (_resized(each, size, name, box) for each in np.moveaxis(np.dstack([weighted, values[:, :, -1]]), 2, 0))
    visible = np.where(alpha > 0, alpha, WHITE)
    return np.stack([*((each * (WHITE / visible)).round().clip(0, WHITE) for each in colours), alpha], axis=2).astype(np.uint16)


def _resized(channel: NDArray[np.float32], size: tuple[int, int], name: str, box: Box) -> NDArray[np.float32]:
    """Return what Pillow's resize does with 8 bits: one axis after the other, rounded after each, the rows first where many of them go."""
    (rows, columns), (width, height), (left, top, right, bottom) = channel.shape, size, box
    passes = [((width, rows), (left, 0, right, rows)), ((width, height), (0, top, width, bottom))]
    if rows > height and rows - height > 2 * (columns - width):
        passes = [((columns, height), (0, top, columns, bottom)), ((width, height), (left, 0, right, height))]
    for target, part in passes:
        channel = _rounded(Image.fromarray(np.ascontiguousarray(channel)).resize(target, FILTERS[name], part))
    return channel


def _rounded(image: Image.Image) -> NDArray[np.float32]:
    return np.floor(np.asarray(image) + np.float32(0.5)).clip(0, WHITE)


def orient(pixels: Samples, code: NDArray[np.uint8]) -> Samples:
    """Return the image upright, from what EXIF says of its first row and column (EXIF 2.32, 4.6.4 A, tag Orientation)."""
    number = int(code)
    if number >= 5:
        pixels = pixels.swapaxes(0, 1)
    if number in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if number in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return pixels


def rotate(pixels: Samples, degrees: NDArray[np.float64], name: str) -> Samples:
    """Return the image turned counter-clockwise about its centre, size kept, 0 outside; each channel as Pillow's rotate."""
    needs_bytes(pixels, "rotate")
    channels = [
        Image.fromarray(np.ascontiguousarray(pixels[:, :, channel])).rotate(float(degrees), FILTERS[name])
        for channel in range(pixels.shape[2])
    ]
    return np.stack([np.asarray(each) for each in channels], axis=2)
