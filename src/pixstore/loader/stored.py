"""What is known of the stored images of a batch before they are read: size, channels, depth, as arrays."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pixstore.loader.orientation import UPRIGHT, Codes
from pixstore.loader.steps import Numbers
from pixstore.schema import ARRAY_CODECS, Format

WHITES = {"bool": 1, "uint8": 255, "uint16": 65535}
"""The largest sample of each dtype that images have."""
HEIGHT, WIDTH, CHANNELS, WHITE, IS_IMAGE, IS_COLOUR, IS_CMYK, HAS_AXIS = range(8)


@dataclass(frozen=True)
class Stored:
    """One field of a batch of `count` rows: formats and the number of each row's, EXIF orientations (None: all upright).

    `columns` holds the facts of each row, or one row for all where all are alike.
    """

    formats: Sequence[Format]
    number: NDArray[np.int32]
    columns: Numbers
    orientation: Codes | None

    @property
    def count(self) -> int:
        return len(self.number)

    @property
    def is_uniform(self) -> bool:
        """Whether one row stands for all."""
        return len(self.columns) == 1 and self.orientation is None

    @property
    def sizes(self) -> Numbers:
        """(height, width) as stored."""
        return self.columns[:, HEIGHT : WIDTH + 1]

    def column(self, which: int) -> Numbers:
        return self.columns[:, which]

    @property
    def each_format(self) -> list[Format]:
        """The format of each row, or one for all."""
        if len(self.formats) == 1:
            return [self.formats[0]]
        return [self.formats[number] for number in self.number[: len(self.columns)].tolist()]

    def format_of(self, row: int) -> Format:
        return self.formats[int(self.number[row])]


class FormatTable:
    """The facts of a list of formats, to be looked up for every batch of records that are understood by them."""

    def __init__(self, formats: Sequence[Format]) -> None:
        self.formats = formats
        self._rows = np.array([_facts(each) for each in formats], np.int64).reshape(-1, HAS_AXIS + 1)

    def stored(self, number: NDArray[np.int32], orientation: Codes | None = None) -> Stored:
        """Return the field of a batch whose row i has `formats[number[i]]` and this EXIF orientation."""
        if orientation is not None and (orientation == UPRIGHT).all():
            orientation = None
        if len(self.formats) == 1:
            return Stored(self.formats, number, self._rows, orientation)
        return Stored(self.formats, number, self._rows[number[:1] if (number == number[:1]).all() else number], orientation)


@functools.lru_cache(4096)
def _facts(known: Format) -> tuple[int, ...]:
    """Return the facts of a format; zeros where it is no image that can be transformed."""
    dimensions = 0 if known.shape is None else len(known.shape)
    if known.shape is None or dimensions not in (2, 3) or known.dtype is None or np.dtype(known.dtype).name not in WHITES:
        return (0,) * (HAS_AXIS + 1)
    height, width, channels = (*known.shape, 1)[:3]
    white = WHITES[np.dtype(known.dtype).name]
    # Raw arrays of two channels are not grey with alpha, but whatever their maker meant.
    is_colour = white > 1 and channels in ((1, 3, 4) if known.codec in ARRAY_CODECS else (1, 2, 3, 4))
    is_cmyk = known.codec == "jpeg" and channels == 4
    return height, width, channels, white, 1, int(is_colour), int(is_cmyk), int(dimensions == 3)
