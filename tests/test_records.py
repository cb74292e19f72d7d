"""Parts of records, and their stored bytes."""

from __future__ import annotations

import numpy as np
import pytest

from pixstore import codec
from pixstore.errors import InvalidInputError, MissingRecordError
from pixstore.records import fetch, fetch_masked, take
from pixstore.rows import Extents, Place, Records, Slices
from pixstore.schema import Format

DATA = [b"zero", b"one", b"two"]
SUMS = np.array([10, 11, 12], np.uint64)


def records(place: Place) -> Records:
    formats = (Format("raw", (4,), "uint8"), Format("raw", (3,), "uint8"))
    return Records(place, formats, np.array([0, 1, 1], np.int32), lambda index: (index, f"key-{index}", ""), SUMS, SUMS + np.uint64(10))


def places() -> list[Place]:
    slices = Slices.end_to_end(b"".join(DATA), np.array([4, 3, 3], np.int64))
    return [[*DATA], slices, Extents(["a", "b"], np.array([0, 1, 0], np.uint32), slices.offset, slices.length)]


@pytest.mark.parametrize("place", places(), ids=lambda place: type(place).__name__)
def test_taken_records_keep_place_format_name_and_checks(place: Place) -> None:
    taken = take(records(place), np.array([2, 0, 2]))
    assert len(taken) == 3
    assert [taken.name(index) for index in range(3)] == [(2, "key-2", ""), (0, "key-0", ""), (2, "key-2", "")]
    assert taken.format.tolist() == [1, 0, 1]
    assert taken.checksum is not None and taken.checksum.tolist() == [12, 10, 12]
    assert taken.seed is not None and taken.seed.tolist() == [22, 20, 22]
    if isinstance(taken.place, Extents):
        assert (taken.place.file.tolist(), taken.place.offset.tolist(), taken.place.length.tolist()) == ([0, 0, 0], [7, 0, 7], [3, 4, 3])
    else:
        assert fetch(taken, verify=False) == [b"two", b"zero", b"two"]


def test_fetch_names_what_is_missing() -> None:
    missing = records(Slices(b"zero", np.zeros(3, np.int64), np.array([4, -1, 2], np.int64)))
    with pytest.raises(MissingRecordError, match=r"1 of 3.*'key-1'"):
        fetch(missing, verify=False)
    stored, good, bad = fetch_masked(missing, verify=False)
    assert stored == [b"zero", b"", b"ze"] and good.tolist() == [True, False, True] and [each.key for each in bad] == ["key-1"]


def test_check_names_records_that_are_not_those_written() -> None:
    place = Slices.end_to_end(b"abcdef", np.array([3, 3]))
    seeds = np.array([1, 2], np.uint64)
    written = codec.checksums(place, seeds)
    formats = [Format("raw", (3,), "uint8")]
    stored = Records(place, formats, np.zeros(2, np.int32), lambda row: (row, f"k{row}", "here"), written, seeds)
    assert codec.check(stored) == []
    written[1] += np.uint64(1)
    good, bad = codec.check_masked(stored)
    assert (good.tolist(), [each.key for each in bad]) == ([True, False], ["k1"])


def test_records_without_checksums_are_not_checked() -> None:
    stored = Records([b"abc"], [Format("raw", (3,), "uint8")], np.zeros(1, np.int32), lambda row: (row, "k", "here"))
    with pytest.raises(InvalidInputError, match="no checksums"):
        codec.check(stored)
