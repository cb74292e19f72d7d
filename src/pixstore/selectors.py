"""What a user may write between brackets, as row numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from pixstore.errors import InvalidInputError, RowNotFoundError
from pixstore.rows import Indices


def row_numbers(rows: Any, count: int) -> Indices:
    """Return the rows of whole numbers (negative ones count from the end) or of a mask, for a dataset of `count` samples.

    Raises RowNotFoundError for a row outside, InvalidInputError for what is neither.
    """
    asked = np.asarray(rows)
    if asked.size == 0:
        return np.empty(0, np.int64)
    if asked.dtype == bool:
        if asked.shape != (count,):
            raise InvalidInputError(f"a mask of shape {asked.shape} does not fit {count:,} samples")
        return np.flatnonzero(asked)
    if asked.ndim != 1 or not np.issubdtype(asked.dtype, np.integer):
        raise InvalidInputError(f"rows must be a slice, whole numbers, keys or a mask, not {asked.dtype} of shape {asked.shape}")
    asked = asked.astype(np.int64, copy=False)
    lowest, highest = int(asked.min()), int(asked.max())
    if lowest < -count or highest >= count:
        raise RowNotFoundError(f"row {highest if highest >= count else lowest} is outside this dataset of {count:,} samples")
    return np.where(asked < 0, asked + count, asked) if lowest < 0 else asked
