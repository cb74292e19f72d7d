"""Images whose stored bytes differ, compared as pixels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pixstore import codec
from pixstore.dataset import Dataset
from pixstore.rows import Indices

ROWS_AT_ONCE = 64


def differing_pixels(sides: tuple[Dataset, Dataset], field: str, first: Indices, second: Indices) -> tuple[Indices, Sequence[str]]:
    """Return the places of pairs of rows whose pixels are not the same, and in what: shape, dtype, how many values and how far."""
    others: list[int] = []
    reasons: list[str] = []
    for start in range(0, len(first), ROWS_AT_ONCE):
        decoded = [_decode(side, field, rows[start : start + ROWS_AT_ONCE]) for side, rows in zip(sides, (first, second), strict=True)]
        for place, (ours, theirs) in enumerate(zip(*decoded, strict=True)):
            reason = _differs(ours, theirs)
            if reason is not None:
                others.append(start + place)
                reasons.append(reason)
    return np.array(others, np.int64), reasons


def _decode(dataset: Dataset, field: str, rows: Indices) -> list[Any]:
    """Return the arrays of these rows; in place of one that does not decode, why."""
    arrays, good, bad = codec.decode_masked(dataset.located(field, rows), io="pread")
    reasons = iter(bad)
    return [array if is_good else next(reasons).reason for array, is_good in zip(arrays, good.tolist(), strict=True)]


def _differs(ours: Any, theirs: Any) -> str | None:
    """Return in what two images differ, None where they are the same."""
    for each in (ours, theirs):
        if isinstance(each, str):
            return f"does not decode: {each}"
    if ours.shape != theirs.shape or ours.dtype != theirs.dtype:
        return f"{_words(ours)} against {_words(theirs)}"
    if ours.tobytes() == theirs.tobytes():
        return None
    differ = ours != theirs
    if ours.dtype.kind not in "uif":
        return f"{int(differ.sum()):,} of {ours.size:,} values differ"
    farthest = np.abs(ours.astype(np.float64) - theirs.astype(np.float64)).max()
    return f"{int(differ.sum()):,} of {ours.size:,} values differ, by {farthest:g} at most"


def _words(array: Any) -> str:
    return f"{'·'.join(map(str, array.shape))} {array.dtype}"
