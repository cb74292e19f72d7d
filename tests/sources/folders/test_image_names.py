"""Keys that no two files share and that lead back to their names; which names are images."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixstore.sources.folders.image_names import images_among, is_image_name, key_of, keys_below, name_of


@pytest.mark.parametrize(
    ("name", "key"), [("100%.png", "100%.png"), ("a%20b.png", "a%20b.png"), ("a%E9.png", "a%25E9.png"), ("é\n.png", "é\n.png")]
)
def test_a_name_of_text_is_its_own_key_unless_it_looks_like_an_escape(name: str, key: str) -> None:
    assert key_of(name) == key


@given(st.binary(max_size=30) | st.text(alphabet="%25EFabé\n", max_size=20).map(str.encode))
def test_keys_are_valid_text_and_lead_back_to_their_name(name: bytes) -> None:
    key = key_of(os.fsdecode(name))
    key.encode("utf-8")
    assert os.fsencode(name_of(key)) == name


def test_the_suffix_decides_what_is_an_image() -> None:
    names = ("a.png", "a.PNG", "a.b.jpeg", "png", ".png", "a.txt", "a.")
    assert [is_image_name(name) for name in names] == [True, True, True, False, False, False, False]


@given(st.lists(st.binary(min_size=1, max_size=12) | st.text(alphabet="%25EFabé\n", min_size=1, max_size=9).map(str.encode), max_size=5))
def test_keys_of_a_folder_are_those_of_its_files(names: list[bytes]) -> None:
    found = [os.fsdecode(name) for name in names]
    assert keys_below("a/", found) == [key_of(f"a/{name}") for name in found]


@given(st.lists(st.text(alphabet=".apngPNGjJ", min_size=1, max_size=9)))
def test_many_names_are_told_as_each_alone(names: list[str]) -> None:
    assert images_among(names) == [name for name in names if is_image_name(name)]
