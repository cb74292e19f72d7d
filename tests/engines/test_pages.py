"""Pages hold entries in order, each as many as fit."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pixstore.engines.pages import filled_pages


@given(st.lists(st.integers(1, 100), max_size=60), st.integers(100, 300))
def test_as_many_pages_as_filling_one_after_the_other_takes(sizes: list[int], room: int) -> None:
    pages, left = 0, 0
    for size in sizes:
        if size > left:
            pages, left = pages + 1, room
        left -= size
    assert filled_pages(np.array(sizes, np.int64), room) == pages
