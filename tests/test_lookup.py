"""Keys are found in stores, sources and selections, in many at once, and what is not there is -1."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pixstore.lookup import KeyLookup
from pixstore.opening import open_dataset
from pixstore.rows import Rows
from pixstore.writer import Writer

KEYS = [f"{number}.png" for number in range(10)]


@pytest.fixture(scope="module", params=["store", "source"])
def rows(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Rows:
    place: Path = tmp_path_factory.mktemp("lookup") / request.param
    pixels = np.zeros((2, 2, 3), np.uint8)
    if request.param == "store":
        with Writer(place, durability="process") as writer:
            for key in KEYS:
                writer.add(pixels, key=key)
    else:
        place.mkdir()
        for key in KEYS:
            Image.fromarray(pixels).save(place / key)

    return open_dataset(place)._rows


def test_keys_are_found_in_the_order_asked(rows: Rows) -> None:
    assert KeyLookup(rows, None).find(["7.png", "absent", "0.png", "7.png", "\udcff"]).tolist() == [7, -1, 0, 7, -1]


@given(st.lists(st.integers(0, 9), unique=True), st.lists(st.integers(0, 9)))
def test_in_a_selection_the_place_in_it_is_the_answer(rows: Rows, selection: list[int], asked: list[int]) -> None:
    found = KeyLookup(rows, np.array(selection, np.int64)).find([KEYS[row] for row in asked])
    assert found.tolist() == [selection.index(row) if row in selection else -1 for row in asked]
