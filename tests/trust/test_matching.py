"""Rows of two datasets with the same key, found by hashes in bulk."""

from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pixstore.trust.matching import match

HASHES = st.lists(st.sampled_from([0, 1, 5, 1 << 40, (1 << 64) - 1]), max_size=12).map(lambda values: np.array(values, np.uint64))


@given(HASHES, HASHES)
def test_every_row_is_in_one_pair_or_alone(first: np.ndarray, second: np.ndarray) -> None:
    found = match(first, second)
    assert sorted([*found.first.tolist(), *found.only_first.tolist()]) == list(range(len(first)))
    assert sorted([*found.second.tolist(), *found.only_second.tolist()]) == list(range(len(second)))
    assert np.array_equal(first[found.first], second[found.second])
    assert Counter(first[found.only_first].tolist()) == Counter(first.tolist()) - Counter(second.tolist())
    assert Counter(second[found.only_second].tolist()) == Counter(second.tolist()) - Counter(first.tolist())


@given(HASHES, HASHES)
def test_pairs_come_in_the_order_of_the_first(first: np.ndarray, second: np.ndarray) -> None:
    found = match(first, second)
    assert found.first.tolist() == sorted(found.first.tolist())
