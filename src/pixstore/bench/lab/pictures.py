"""The images of a run in other sizes and types, so that a question can vary these and keep what is seen.

Built-in images are drawn in the size. Of one's own, the middle square of each is scaled (Lanczos) to a tile, and as many tiles of
different images as fill the size stand side by side: one where the images are large enough. So no image is blown up, and what is
in the picture compresses as one's own images do.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow

from pixstore import codec
from pixstore.bench import generator
from pixstore.bench.images import Sample
from pixstore.bench.ways.base import Image, Images, Work
from pixstore.errors import InvalidInputError
from pixstore.rows import Buffer, Records
from pixstore.schema import Format

JPEG_QUALITY = 90
DTYPES = ("uint8", "uint16", "float32")


def sized(sample: Sample, size: int, count: int) -> Work:
    """Return `count` images of size × size pixels, N·H·W·C; encoded too where the sample's are: JPEG 90 where they are, PNG elsewhere."""
    labels = sample.labels[np.arange(count) % len(sample)]
    if sample.dataset is None:
        return Work(generator.pictures(count, size=size).images, labels)
    images = _mosaics(_alike(sample.images), size, count)
    if not sample.is_encoded:
        return Work(images, labels)
    encoded, decoded = _encoded(images, "jpeg" if sample.codec == "jpeg" else "png")
    return Work(decoded, labels, encoded)


def typed(work: Work, dtype: str) -> Work:
    """Return the same pictures as arrays of this type: uint16 is the 8-bit value × 257, float32 the value / 255.

    Pictures of 16 bits lose their lower 8 first. Raises InvalidInputError for pictures of another type.
    """
    if isinstance(work.images, np.ndarray):
        return Work(_typed(work.images, dtype), work.labels)
    return Work([_typed(image, dtype) for image in work.images], work.labels)


def _typed(image: Image, dtype: str) -> Image:
    if image.dtype not in (np.uint8, np.uint16):
        raise InvalidInputError(f"images of {image.dtype}: 8-bit or 16-bit ones are compared as other types")
    bytes_: Image = image if image.dtype == np.uint8 else (image >> 8).astype(np.uint8)
    if dtype == "uint16":
        return bytes_ * np.uint16(257)
    return bytes_ / np.float32(255) if dtype == "float32" else bytes_


def _alike(images: Images) -> list[Image]:
    """Return, as H·W·C, the images of the channels and type that most have: a batch has one."""
    whole = [image if image.ndim == 3 else image[:, :, None] for image in images]
    kinds = Counter((image.shape[2], image.dtype) for image in whole)
    most = kinds.most_common(1)[0][0]
    return [image for image in whole if (image.shape[2], image.dtype) == most]


def _mosaics(images: list[Image], size: int, count: int) -> NDArray[Any]:
    usual = int(np.median([min(image.shape[:2]) for image in images]))
    tile = min(size, 1 << (usual.bit_length() - 1))
    across = -(-size // tile)
    # An image may stand in several pictures; it is scaled once.
    tiles = np.stack([_tile(image, tile) for image in images[: count * across * across]])
    chosen = np.arange(count * across * across) % len(tiles)
    grid = tiles[chosen].reshape(count, across, across, tile, tile, -1).transpose(0, 1, 3, 2, 4, 5)
    return np.ascontiguousarray(grid.reshape(count, across * tile, across * tile, -1)[:, :size, :size])


def _tile(image: Image, side: int) -> Image:
    height, width = image.shape[:2]
    square = min(height, width)
    top, left = (height - square) // 2, (width - square) // 2
    image = image[top : top + square, left : left + square]
    return image if square == side else _scaled(image, side)


def _scaled(image: Image, side: int) -> Image:
    """Return the image with so many pixels to each side, in its own type. Pillow scales only 8 bits and floats: each channel as floats."""
    channels = [Pillow.fromarray(image[:, :, number].astype(np.float32)) for number in range(image.shape[2])]
    scaled = np.stack([np.asarray(each.resize((side, side), Pillow.Resampling.LANCZOS)) for each in channels], axis=2)
    if not np.issubdtype(image.dtype, np.integer):
        return scaled.astype(image.dtype)
    # Lanczos overshoots at edges.
    limits = np.iinfo(image.dtype)
    rounded: Image = np.clip(np.rint(scaled), limits.min, limits.max).astype(image.dtype)
    return rounded


def _encoded(images: NDArray[Any], name: str) -> tuple[list[bytes], NDArray[Any]]:
    """Return the images encoded, and as they come back from that."""
    views = codec.encode(images, name, quality=JPEG_QUALITY).slices.views()
    encoded = [bytes(view) for view in views if view is not None]
    place: list[Buffer] = list(encoded)
    count = len(encoded)
    unknown = Records(place, [Format(None, None, None)], np.zeros(count, np.int32), lambda row: (row, str(row), "memory"))
    return encoded, np.stack(list(codec.decode(codec.probe(unknown))))
