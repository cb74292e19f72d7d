"""The eight ways an image may lie: EXIF orientations 1 to 8 as a group, and boxes as they lie in the stored image.

Orientation c says how the stored image becomes upright. Each is: mirror top-bottom or not, mirror left-right or not, then
transpose or not (the tables below, indexed by c; entry 0 is unused). So 6 is a quarter turn clockwise, 8 one counter-clockwise.
The codes are those of EXIF 2.32, tag 0x0112.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pixstore.loader.steps import Numbers, Reals

Codes: TypeAlias = NDArray[np.uint8]

UPRIGHT = 1
TOP_BOTTOM = np.array([0, 0, 0, 1, 1, 0, 1, 1, 0], np.bool_)
LEFT_RIGHT = np.array([0, 0, 1, 1, 0, 0, 0, 1, 1], np.bool_)
TRANSPOSED = np.array([0, 0, 0, 0, 0, 1, 1, 1, 1], np.bool_)
MIRRORED_LEFT_RIGHT = np.array([0, 2, 1, 4, 3, 6, 5, 8, 7], np.uint8)
"""What an orientation becomes when the upright image is mirrored left-right."""
MIRRORED_TOP_BOTTOM = np.array([0, 4, 3, 2, 1, 8, 7, 6, 5], np.uint8)
"""What an orientation becomes when the upright image is mirrored top-bottom."""


def swapped(pairs: Numbers, codes: Codes) -> Numbers:
    """Return (height, width) pairs, exchanged where the orientation transposes: upright from stored sizes, or stored from upright."""
    return np.where(TRANSPOSED[codes][:, None], pairs[:, ::-1], pairs)


def stored_boxes(origins: Reals, extents: Reals, sizes: Numbers, codes: Codes) -> tuple[Any, Any]:
    """Return where boxes of upright images of these sizes lie in the stored ones: their (top, left) and (height, width).

    Whole numbers stay whole. Rows are n, or one for all.
    """
    transposed = TRANSPOSED[codes][:, None]
    turned, lengths, ends = (np.where(transposed, pairs[:, ::-1], pairs) for pairs in (origins, extents, sizes))
    mirrored = np.stack([TOP_BOTTOM[codes], LEFT_RIGHT[codes]], 1)
    return np.where(mirrored, ends - turned - lengths, turned), lengths
