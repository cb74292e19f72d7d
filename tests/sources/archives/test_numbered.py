"""Numbered sets: put in order by number, refused where a part is missing or there twice, left alone where numbers mean something else."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixstore.errors import CorruptStoreError, DuplicateKeyError, PathNotFoundError
from pixstore.sources.archives.numbered import in_order, note_of_one, part_of


def shards(count: int, text: str = "shard-{:06}.tar") -> list[str]:
    return [text.format(number) for number in range(count)]


def test_files_come_by_number_however_wide_it_is_written() -> None:
    names = [f"part{number}.tar" for number in range(12)]
    assert in_order(sorted(names), "there") == names
    assert in_order(reversed(shards(3)), "there") == shards(3)
    assert in_order(["b.tar", "a.tar"], "there") == ["a.tar", "b.tar"]


@pytest.mark.parametrize(
    "text", ["shard-{:06}.tar", "train.tfrecord-{:05}-of-00012", "train-{:05}-of-00012-1a2b3c4d5e6f7a8b.parquet", "s.{}.mds"]
)
@given(gone=st.sets(st.integers(1, 10), min_size=1, max_size=4))
def test_wrongly_described_a_missing_shard_is_named(text: str, gone: set[int]) -> None:
    names = shards(12, text)
    left = [name for number, name in enumerate(names) if number not in gone]
    random.Random(0).shuffle(left)
    with pytest.raises(PathNotFoundError, match=rf"there: {len(gone)} of 12 files .* are missing: 0*{min(gone)}\b") as caught:
        in_order(left, "there")
    assert all(f"{number}" in str(caught.value) for number in gone)


def test_wrongly_described_the_first_and_last_shards_are_missed_where_names_say_so() -> None:
    for gone in (0, 11):
        names = shards(12, "a-{:05}-of-00012.tar")
        with pytest.raises(PathNotFoundError, match=f"missing: {gone:05};"):
            in_order([name for name in names if name != names[gone]], "there")
    with pytest.raises(PathNotFoundError, match=r"2 of 6 files .* 000000, 000001"):
        in_order(shards(6)[2:], "there")


def test_sets_count_from_zero_or_from_one() -> None:
    for first in (0, 1):
        assert len(in_order([f"a-{number:03}.tar" for number in range(first, 9)], "there")) == 9 - first
        assert len(in_order([f"a-{number + first:03}-of-004.tar" for number in range(4)], "there")) == 4


def test_numbers_that_are_no_set_are_left_alone() -> None:
    for names in (
        ["photos-2019.tar", "photos-2024.tar"],
        ["20240101.tar", "20240301.tar"],
        ["imagenet64.tar"],
        ["v1.tar", "v7.tar", "v30.tar"],
    ):
        assert in_order(names, "there") == names


def test_each_set_is_judged_alone() -> None:
    train, val = shards(4, "train-{:04}.tar"), shards(2, "val-{:04}.tar")
    assert in_order(val + train, "there") == train + val
    with pytest.raises(PathNotFoundError, match=r"like 'train-0000.tar' are missing: 0002"):
        in_order(val + train[:2] + train[3:], "there")


@pytest.mark.parametrize(
    "twin", ["shard-1.tar", "shard-000001 (1).tar", "shard-000001(2).tar", "shard-000001 - Copy.tar", "shard-000001 copy.tar"]
)
def test_wrongly_described_a_shard_that_is_there_twice_is_named(twin: str) -> None:
    with pytest.raises(DuplicateKeyError, match=r"there: .*remove one of them") as caught:
        in_order([*shards(3), twin], "there")
    assert twin in str(caught.value) and "shard-000001.tar" in str(caught.value)


def test_a_number_beyond_its_total_is_an_error() -> None:
    with pytest.raises(CorruptStoreError, match=r"'a-00007-of-00004.tar' has a number beyond its total of 4"):
        in_order(["a-00000-of-00004.tar", "a-00007-of-00004.tar"], "there")


def test_one_file_of_several_is_noted() -> None:
    assert "one of 10 files" in (note_of_one("a-00003-of-00010.tar") or "")
    assert note_of_one("a-00000-of-00001.tar") is None and note_of_one("a-3.tar") is None


def test_long_numbers_cost_nothing() -> None:
    assert part_of("9" * 50) is not None
    with pytest.raises(PathNotFoundError):
        in_order(["a-000000000-of-999999.tar", "a-000000001-of-999999.tar"], "there")
