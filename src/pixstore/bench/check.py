"""Whether a way read back what was put in: the same pixels, the same labels, in the order asked."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pixstore.bench.ways.base import Found, Work

ROWS_AT_ONCE = 1024
"""Compared at once: comparing everything would hold the images once more."""


def difference(found: Found, work: Work, order: NDArray[np.int64], *, is_lossy: bool = False) -> str | None:
    """Return the first difference between what was read and the images in this order, None where there is none.

    Lossy codecs are held to shapes and labels only.
    """
    if len(found.images) != len(order) or len(found.labels) != len(order):
        return f"{len(found.images)} images and {len(found.labels)} labels came back for {len(order)}"
    labels = np.asarray(found.labels, dtype=np.int64)
    wrong = np.flatnonzero(labels != work.labels[order])
    if len(wrong):
        return f"image {order[wrong[0]]} came back with label {labels[wrong[0]]}, not {work.labels[order[wrong[0]]]}"
    for start in range(0, len(order), ROWS_AT_ONCE):
        rows = order[start : start + ROWS_AT_ONCE]
        if _equal_blocks(found, work, start, rows):
            continue
        for position, row in enumerate(rows.tolist(), start):
            problem = _image_difference(np.asarray(found.images[position]), work.images[row], is_lossy)
            if problem:
                return f"image {row} came back with {problem}"
    return None


def _equal_blocks(found: Found, work: Work, start: int, rows: NDArray[np.int64]) -> bool:
    if not isinstance(found.images, np.ndarray) or not isinstance(work.images, np.ndarray):
        return False
    return np.array_equal(found.images[start : start + len(rows)], work.images[rows])


def _image_difference(got: NDArray[np.generic], expected: NDArray[np.generic], is_lossy: bool) -> str | None:
    if got.size != expected.size or got.shape[:2] != expected.shape[:2]:
        return f"shape {got.shape}, not {expected.shape}"
    if is_lossy or np.array_equal(got.reshape(expected.shape), expected):
        return None
    return "other pixels"
