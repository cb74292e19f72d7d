"""Samples belong together by whole key, else by file stem, and never by guess."""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixstore.errors import DuplicateKeyError
from pixstore.stems import Match, base_stems, match, stems

CALLED = ("image (A)", "mask (B)")


def joined(*keys: list[str]) -> Match:
    return match([pa.chunked_array([pa.array(each, pa.string())]) for each in keys], CALLED)


def pairs(found: Match) -> list[tuple[int, ...]]:
    return list(zip(*(rows.tolist() for rows in found.rows), strict=True))


def test_the_suffix_of_an_image_is_no_part_of_a_stem() -> None:
    keys = pa.array(["a/b.png", "a/b.JPG", "v1.0", "a.tar", "b", ".png/c.tiff", "x.y.jpeg"])
    assert stems(keys).to_pylist() == ["a/b", "a/b", "v1.0", "a.tar", "b", ".png/c", "x.y"]
    assert base_stems(keys).to_pylist() == ["b", "b", "v1.0", "a.tar", "b", "c", "x.y"]


def test_equal_keys_are_joined_in_the_order_of_the_first() -> None:
    found = joined(["c", "a", "b"], ["a", "b", "c"])
    assert pairs(found) == [(0, 2), (1, 0), (2, 1)] and found.way == "key"


def test_keys_that_differ_in_suffix_alone_are_one_sample_each_where_all_keys_match() -> None:
    assert pairs(joined(["a.jpg", "a.png"], ["a.png", "a.jpg"])) == [(0, 1), (1, 0)]


def test_files_of_one_stem_belong_together() -> None:
    found = joined(["cat/1.jpg", "cat/2.jpg", "dog/1.jpg"], ["cat/1.png", "dog/1.png", "cat/2.png"])
    assert pairs(found) == [(0, 0), (1, 2), (2, 1)] and found.way == "file stem"


def test_folders_count_unless_none_of_them_match() -> None:
    found = joined(["images/1.jpg", "images/2.jpg"], ["masks/2.png", "masks/1.png"])
    assert pairs(found) == [(0, 1), (1, 0)] and found.way == "file stem without folders, which differ"
    # One pair in a folder of the same name: then the folders mean something, and dog/2 is not horse/2.
    found = joined(["cat/1.jpg", "dog/2.jpg"], ["cat/1.png", "horse/2.png"])
    assert pairs(found) == [(0, 0)] and [each.tolist() for each in found.alone] == [[1], [1]]


def test_what_has_no_partner_is_told_of_each() -> None:
    found = joined(["1.jpg", "2.jpg", "4.jpg"], ["2.png", "3.png"])
    assert pairs(found) == [(1, 0)] and [each.tolist() for each in found.alone] == [[0, 2], [1]]


def test_nothing_in_common_is_no_match() -> None:
    found = joined(["a"], ["b", "c"])
    assert pairs(found) == [] and [each.tolist() for each in found.alone] == [[0], [0, 1]]


@pytest.mark.parametrize(
    ("images", "masks", "told"),
    [
        (["a.jpg", "a.png", "b.jpg"], ["a.png", "b.png"], "image (A): 'a.jpg' and 'a.png' both have the name 'a'"),
        (["a.jpg", "b.jpg"], ["a.png", "a.bmp", "b.png"], "mask (B): 'a.png' and 'a.bmp'"),
        (["x/a.jpg", "y/a.jpg"], ["m/a.png"], "image (A): 'x/a.jpg' and 'y/a.jpg' both have the name 'a' (file stem without folders"),
        (["a", "a"], ["a"], "image (A): 'a' and 'a'"),
    ],
)
def test_wrongly_described_a_stem_of_two_files_is_refused_and_both_are_named(images: list[str], masks: list[str], told: str) -> None:
    with pytest.raises(DuplicateKeyError, match=re.escape(told)):
        joined(images, masks)


def test_two_files_of_one_stem_that_nothing_belongs_to_are_without_partner() -> None:
    assert [each.tolist() for each in joined(["a.jpg", "a.png", "b.jpg"], ["b.png"]).alone] == [[0, 1], []]


@given(st.permutations([f"{folder}/{name}" for folder in "xy" for name in range(20)]), st.randoms(use_true_random=False))
def test_every_pair_has_one_stem(names: list[str], random: object) -> None:
    images = [f"{each}.jpg" for each in names]
    masks = [f"{each}.png" for each in sorted(names)]
    found = joined(images, masks)
    assert len(found.rows[0]) == 40
    assert all(images[one][:-4] == masks[other][:-4] for one, other in pairs(found))


def test_many_keys_are_joined_as_arrays() -> None:
    count = 200_000
    keys = [f"{number:06}" for number in range(count)]
    order = np.random.default_rng(0).permutation(count)
    found = joined([f"{key}.jpg" for key in keys], [f"{keys[place]}.png" for place in order])
    assert (order[found.rows[1]] == np.arange(count)).all()
