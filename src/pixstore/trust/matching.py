"""Which samples of two datasets belong together: by the hashes of their keys, in bulk."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pixstore.rows import Indices
from pixstore.trust.cells import Hashes

ODD = np.uint64(0x9E3779B97F4A7C15)
"""2^64 divided by the golden ratio: multiples of it are far apart."""


@dataclass(frozen=True)
class Matched:
    """Rows of two datasets: those with the same key, pair by pair in the order of the first, and those with a key of one alone."""

    first: Indices
    second: Indices
    only_first: Indices
    only_second: Indices


def match(first: Hashes, second: Hashes) -> Matched:
    """Return which rows have the same key. A key that stands twice in a dataset is matched as often as it stands in the other."""
    ours, theirs = _numbered(first), _numbered(second)
    _, rows, others = np.intersect1d(ours, theirs, assume_unique=True, return_indices=True)
    order = np.argsort(rows, kind="stable")
    return Matched(rows[order], others[order], _without(len(first), rows), _without(len(second), others))


def _numbered(hashes: Hashes) -> Hashes:
    """Return hashes that are all different: the second and later of equal ones are moved away by how many come before."""
    order = np.argsort(hashes, kind="stable")
    ascending = hashes[order]
    is_same = np.concatenate([np.zeros(min(1, len(hashes)), np.bool_), ascending[1:] == ascending[:-1]])
    if not is_same.any():
        return hashes
    place = np.arange(len(hashes))
    begins = np.maximum.accumulate(np.where(is_same, 0, place))
    numbered = np.empty_like(hashes)
    numbered[order] = ascending + (place - begins).astype(np.uint64) * ODD
    return numbered


def _without(count: int, rows: Indices) -> Indices:
    is_left = np.ones(count, np.bool_)
    is_left[rows] = False
    return np.flatnonzero(is_left)
