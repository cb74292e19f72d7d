"""Pairs of images compared as pixels."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from tests.trust.conftest import pixel_file

import pixstore
from pixstore.trust.pixels import ROWS_AT_ONCE, differing_pixels


def test_pairs_are_compared_across_batches(tmp_path: Path) -> None:
    count = 2 * ROWS_AT_ONCE + 3
    images = np.random.default_rng(0).integers(0, 256, (count, 3, 4, 3), np.uint8)
    for name, codec in (("a", "keep"), ("b", "png")):
        with pixstore.Writer(tmp_path / name, codec=codec, durability="process") as writer:
            writer.add_batch(images)
        images[[1, count - 1]] ^= 1
    rows = np.arange(count)
    with pixstore.open(tmp_path / "a") as ours, pixstore.open(tmp_path / "b") as theirs:
        places, reasons = differing_pixels((ours, theirs), "image", rows, rows)
        turned, _ = differing_pixels((ours, theirs), "image", rows[:2], rows[1::-1])
    assert places.tolist() == [1, count - 1] and reasons[0] == "36 of 36 values differ, by 1 at most"
    assert turned.tolist() == [0, 1]


def test_an_image_that_does_not_decode_differs(plain: Path, flip: Callable[[Path, int], None]) -> None:
    dataset = pixstore.open(plain)
    flip(pixel_file(plain), 0)
    places, reasons = differing_pixels((dataset, dataset), "image", np.arange(3), np.arange(3))
    assert places.tolist() == [0] and "does not decode" in reasons[0]
