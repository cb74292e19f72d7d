"""Facts of stored images, looked up for batches."""

from __future__ import annotations

import numpy as np
import pytest

from pixstore.loader.stored import CHANNELS, HAS_AXIS, IS_CMYK, IS_COLOUR, IS_IMAGE, WHITE, FormatTable
from pixstore.schema import Format

GRAY, PHOTO, DEEP = Format("png", (4, 6), "uint8"), Format("jpeg", (5, 7, 3), "uint8"), Format("png", (5, 7, 4), "uint16")


def test_each_row_has_the_facts_of_its_format() -> None:
    stored = FormatTable([GRAY, PHOTO, DEEP]).stored(np.array([1, 0, 2], np.int32))
    assert stored.sizes.tolist() == [[5, 7], [4, 6], [5, 7]]
    assert stored.column(CHANNELS).tolist() == [3, 1, 4]
    assert stored.column(WHITE).tolist() == [255, 255, 65535]
    assert stored.column(HAS_AXIS).tolist() == [1, 0, 1]
    assert (stored.count, stored.is_uniform, stored.format_of(0)) == (3, False, PHOTO)
    assert stored.each_format == [PHOTO, GRAY, DEEP]


@pytest.mark.parametrize("formats", [[PHOTO], [GRAY, PHOTO]])
def test_one_row_stands_for_a_batch_of_one_format(formats: list[Format]) -> None:
    stored = FormatTable(formats).stored(np.full(9, len(formats) - 1, np.int32))
    assert (len(stored.columns), stored.count, stored.is_uniform, stored.each_format) == (1, 9, True, [PHOTO])


def test_orientations_that_say_nothing_are_forgotten() -> None:
    table = FormatTable([PHOTO])
    assert table.stored(np.zeros(2, np.int32), np.ones(2, np.uint8)).is_uniform
    assert not table.stored(np.zeros(2, np.int32), np.array([1, 6], np.uint8)).is_uniform


def test_no_rows_of_no_formats() -> None:
    stored = FormatTable([]).stored(np.empty(0, np.int32))
    assert (stored.count, stored.sizes.shape, stored.each_format) == (0, (0, 2), [])


@pytest.mark.parametrize(
    ("known", "is_image", "is_colour", "is_cmyk"),
    [
        (Format("png", (2, 2, 2), "uint8"), 1, 1, 0),
        (Format("raw", (2, 2, 2), "uint8"), 1, 0, 0),
        (Format("raw", (2, 2, 4), "uint8"), 1, 1, 0),
        (Format("jpeg", (2, 2, 4), "uint8"), 1, 1, 1),
        (Format("raw", (2, 2, 7), "uint16"), 1, 0, 0),
        (Format("raw", (2, 2), "bool"), 1, 0, 0),
        (Format("raw", (2, 2), ">u2"), 1, 1, 0),
        (Format("raw", (2, 2), "float32"), 0, 0, 0),
        (Format("raw", (2,), "uint8"), 0, 0, 0),
        (Format("raw", (2, 2, 3, 3), "uint8"), 0, 0, 0),
        (Format(None, None, None), 0, 0, 0),
    ],
)
def test_what_counts_as_an_image_and_as_colour(known: Format, is_image: int, is_colour: int, is_cmyk: int) -> None:
    stored = FormatTable([known]).stored(np.zeros(1, np.int32))
    assert [stored.column(which).tolist() for which in (IS_IMAGE, IS_COLOUR, IS_CMYK)] == [[is_image], [is_colour], [is_cmyk]]
