"""The nearest key: what a person mistyped is found, among few and among many, and quickly."""

from __future__ import annotations

import time

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixstore.nearest import MOST_COMPARED, nearest_key, said

FEW = pa.array(["cats/a.png", "cats/b.png", "dogs/Rex.jpg", "00000017"])
MANY = pa.chunked_array([pa.array([f"class{number % 100:03}/img_{number:06}.jpg" for number in range(300_000)]), FEW])


@pytest.mark.parametrize("keys", [FEW, MANY], ids=["few", "many"])
@pytest.mark.parametrize(
    ("asked", "meant"),
    [("cats/a.pgn", "cats/a.png"), ("DOGS/rex.JPG", "dogs/Rex.jpg"), ("17", "00000017"), ("ogs/Rex.jpg", "dogs/Rex.jpg"),
     ("dogs/Rexy.jpg", "dogs/Rex.jpg"), ("qqqqqqqqqqqq", None), ("", None), ("\udcff", None)])  # fmt: skip
def test_what_was_probably_meant_is_found(keys: pa.Array, asked: str, meant: str | None) -> None:
    assert nearest_key(asked, keys) == meant
    assert said(asked, keys) == ("" if meant is None else f"; did you mean {meant!r}?")


@pytest.mark.parametrize(
    "asked", ["class007/img_123407.jpeg", "clas007/img_123407.jpg", "class007/imq_123407.jpg", "lass007/img_123407.jpg"]
)
def test_one_slip_among_many_is_found_in_a_moment(asked: str) -> None:
    began = time.perf_counter()
    assert nearest_key(asked, MANY) == "class007/img_123407.jpg"
    assert time.perf_counter() - began < 2


def test_nothing_is_near_in_an_empty_dataset() -> None:
    assert nearest_key("a", pa.array([], pa.string())) is None


@given(st.text(max_size=12), st.lists(st.text(min_size=1, max_size=12), max_size=5))
def test_answer_is_always_a_key_that_is_there(asked: str, keys: list[str]) -> None:
    sound = [each for each in keys if not any("\ud800" <= letter <= "\udfff" for letter in each)]
    for column in (pa.array(sound, pa.string()), pa.array(sound + ["zz"] * (MOST_COMPARED + 1), pa.string())):
        assert nearest_key(asked, column) in {None, *column.to_pylist()}
