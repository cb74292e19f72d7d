"""Sizes that a layout states beside its encoded images, held against the images: those decide, and what is stated otherwise is told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np

from pixstore.probing import probe
from pixstore.rows import Place, Records
from pixstore.schema import Format

UNKNOWN = Format(None, None, None)
SHOWN = 5

Size: TypeAlias = tuple[int, ...]
"""Height, width and, mostly, channels."""


def formats_of(place: Place) -> list[Format]:
    """Return what each encoded image says of itself; of one that is damaged nothing is known, and reading it says why."""

    def name(record: int) -> tuple[int, str, str]:
        return record, str(record), ""

    probed = probe(Records(place, (UNKNOWN,), np.zeros(len(place), np.int32), name), on_error="keep")
    return [probed.formats[number] for number in probed.format.tolist()]


def lies(teller: str, keys: Sequence[str], stated: Sequence[Size | None], formats: Sequence[Format]) -> list[str]:
    """Return one line about the sizes that are not those of the images, none where all are; `teller` is what states them."""
    wrong = [
        f"{key} ({', '.join(map(str, size))}) is ({', '.join(map(str, each.shape))})"
        for key, size, each in zip(keys, stated, formats, strict=True)
        if size is not None and each.shape is not None and _with_channels(size) != _with_channels(each.shape)
    ]
    if not wrong:
        return []
    more = f" and {len(wrong) - SHOWN} more" if len(wrong) > SHOWN else ""
    return [
        f"{teller} states other sizes than {len(wrong)} of {len(keys)} images have: {'; '.join(wrong[:SHOWN])}{more}; the images decide"
    ]


def _with_channels(size: Size) -> Size:
    return size if len(size) == 3 else (*size, 1)
