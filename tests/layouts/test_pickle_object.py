"""Pickles written as bytes are what `pickle` itself reads back as the object."""

from __future__ import annotations

import pickle
import pickletools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixstore.layouts.pickle_object import pickled_object
from pixstore.sources.pickles.data import read_pickle


class Thing:
    """An object of no class in particular."""


VALUES = st.one_of(st.integers(), st.binary(max_size=300), st.lists(st.integers(), max_size=5).map(tuple))


@given(attributes=st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=300), VALUES, max_size=6))
def test_pickle_reads_back_the_attributes(attributes: dict[str, Any]) -> None:
    made = pickle.loads(pickled_object(__name__, "Thing", attributes))
    assert type(made) is Thing and vars(made) == attributes


@pytest.mark.parametrize("number", [0, 255, 256, 65_535, 65_536, 2**31 - 1, 2**31, -1, -(2**31), 2**63, -(2**63) - 1])
def test_integers_of_every_size_come_back(number: int) -> None:
    assert vars(pickle.loads(pickled_object(__name__, "Thing", {"n": number})))["n"] == number


def test_our_own_reader_of_pickles_as_data_takes_it() -> None:
    found = read_pickle(
        pickled_object("__main__", "CIFAR_Image", {"image": b"\0" * 300, "size": (10, 10), "label": 7}), origin="x", objects=True
    )
    assert found.state == {"image": b"\0" * 300, "size": (10, 10), "label": 7}  # type: ignore[union-attr]


def test_its_instructions_are_those_that_pickle_itself_writes_but_for_frames_and_memos() -> None:
    thing = Thing()
    thing.__dict__.update(image=b"x" * 300, size=(4, 5), label=3)

    def instructions(data: bytes) -> list[str]:
        return [found.name for found, _, _ in pickletools.genops(data) if found.name not in ("FRAME", "MEMOIZE", "TUPLE", "TUPLE2", "MARK")]

    assert instructions(pickled_object(__name__, "Thing", vars(thing))) == instructions(pickle.dumps(thing, 4))
