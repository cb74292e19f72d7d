"""Samples among members, grouped as the webdataset library groups them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from webdataset.tariterators import group_by_keys

from pixstore.errors import CorruptStoreError, DuplicateKeyError
from pixstore.sources.archives.sample_groups import NONE, Samples, samples_of
from pixstore.sources.archives.tar_index import Members


def members(*names: str) -> Members:
    count = len(names)
    return Members(list(names), [512 * number for number in range(count)], [0] * count, [0] * count)


def grouped(*names: str) -> Samples:
    return samples_of([members(*names)], ["a.tar"])


NAMES = st.builds(
    "{}{}.{}".format,
    st.sampled_from(["", "cat/", "v1.2/deep/"]),
    st.sampled_from(["0", "1", "long name", "2_a"]),
    st.sampled_from(["jpg", "CLS", "mask.png", "json"]),
)


@given(st.lists(NAMES, max_size=12))
def test_what_the_library_groups_is_grouped_alike_and_nothing_else_is_taken(names: list[str]) -> None:
    try:
        theirs = list(group_by_keys([{"fname": name, "data": number, "__url__": "a.tar"} for number, name in enumerate(names)]))
    except ValueError:
        theirs = None
    if theirs is None or len({each["__key__"] for each in theirs}) < len(theirs):
        # Twice, or split over several samples: they raise for the one and make two samples of the other.
        with pytest.raises((DuplicateKeyError, CorruptStoreError)):
            grouped(*names)
        return
    found = grouped(*names)
    assert found.keys == [each["__key__"] for each in theirs]
    for row, sample in enumerate(theirs):
        ours = {name: int(of[row]) for name, of in found.members.items() if of[row] != NONE}
        assert ours == {name: value for name, value in sample.items() if not name.startswith("__")}


def test_members_are_numbered_through_all_shards() -> None:
    found = samples_of([members("0.jpg", "0.cls"), members("1.jpg")], ["a.tar", "b.tar"])
    assert found.first_member == [0, 2] and found.shard_of_sample.tolist() == [0, 1]
    assert {name: each.tolist() for name, each in found.members.items()} == {"jpg": [0, 2], "cls": [1, NONE]}


@pytest.mark.parametrize(
    ("shards", "error", "words"),
    [
        ([["0.jpg", "1.jpg", "0.cls"]], CorruptStoreError, "is split.*a.tar at byte 0 and in a.tar at byte 1024"),
        ([["0.jpg", "1.jpg", "0.jpg"]], DuplicateKeyError, "sample '0' is there twice.*byte 0 and in a.tar at byte 1024"),
        ([["0.jpg"], ["0.jpg"]], DuplicateKeyError, "in a.tar at byte 0 and in b.tar at byte 0"),
        ([["0.jpg"], ["0.cls"]], DuplicateKeyError, "in a.tar at byte 0 and in b.tar at byte 0"),
        ([["0.jpg", "0.JPG"]], DuplicateKeyError, "member '0.JPG' is there twice.*byte 0 and in a.tar at byte 512"),
    ],
)
def test_wrongly_described_keys_are_named_at_both_places(shards: list[list[str]], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        samples_of([members(*names) for names in shards], ["a.tar", "b.tar"])


def test_what_belongs_to_no_sample_is_listed() -> None:
    found = grouped("README", ".hidden.jpg", "__meta__/x.jpg", "d/._1.jpg", "1.jpg")
    assert found.keys == ["1"] and len(found.skipped) == 4


def test_names_that_are_not_utf8_have_valid_keys() -> None:
    assert grouped("\udcff.jpg").keys == ["%FF"]
