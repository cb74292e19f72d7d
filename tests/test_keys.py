"""Key index: every key is found, no other is, keys that stand twice are named, and damage is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixstore import errors
from pixstore.codec import hash_keys
from pixstore.keys import (
    HEADER_BYTES,
    CountedKeys,
    KeyIndex,
    are_apart,
    are_counted,
    checked_key,
    counted_key,
    counted_keys,
    first_twice,
    number_after,
    shared_hashes,
    write_keys,
)


def index_of(path: Path, keys: list[str]) -> KeyIndex:
    write_keys(path, pa.array(keys, pa.string()))
    return KeyIndex(np.fromfile(path, np.uint8), len(keys), path)


@given(st.lists(st.text(max_size=5), unique=True, max_size=30), st.lists(st.text(max_size=5), max_size=10))
def test_finds_every_key_and_no_other(tmp_path_factory: pytest.TempPathFactory, keys: list[str], others: list[str]) -> None:
    index = index_of(tmp_path_factory.mktemp("keys") / "k", keys)
    asked = [*keys, *others]
    found = index.find(hash_keys(pa.array(asked, pa.string())), asked, pa.array(keys, pa.string()))
    assert found.tolist() == [keys.index(key) if key in keys else -1 for key in asked]


@given(st.lists(st.sampled_from("abcdefgh"), max_size=8))
def test_key_that_stands_twice_is_refused_with_its_rows(tmp_path_factory: pytest.TempPathFactory, keys: list[str]) -> None:
    path = tmp_path_factory.mktemp("keys") / "k"
    if len(set(keys)) == len(keys):
        assert len(index_of(path, keys).hashes) == len(keys)
        return
    with pytest.raises(errors.DuplicateKeyError) as caught:
        index_of(path, keys)
    key = str(caught.value).split("'")[1]
    first = keys.index(key)
    assert f"samples {first} and {keys.index(key, first + 1)} of" in str(caught.value) and not path.exists()


def test_first_twice() -> None:
    assert first_twice(pa.array(["a", "b", "c"])) is None and first_twice(pa.array([], pa.string())) is None
    assert first_twice(pa.array(["a", "b", "c", "b"])) == "b"


@given(
    st.lists(st.lists(st.integers(0, 20), unique=True, max_size=8), max_size=3),
    st.lists(st.lists(st.integers(0, 20), unique=True, max_size=8), max_size=3),
)
def test_shared_hashes_are_those_that_a_fresh_index_shares(known: list[list[int]], fresh: list[list[int]]) -> None:
    def index(numbers: list[int]) -> KeyIndex:
        head = b"PIXKEYS1" + np.uint64(len(numbers)).tobytes()
        body = np.sort(np.array(numbers, np.uint64)).tobytes() + np.arange(len(numbers), dtype=np.uint32).tobytes()
        return KeyIndex(np.frombuffer(head + body, np.uint8), len(numbers), Path("k"))

    every = [number for each in fresh for number in each]
    expected = {n for n in every if every.count(n) > 1 or any(n in each for each in known)}
    assert set(shared_hashes([index(each) for each in known], [index(each) for each in fresh]).tolist()) == expected


@pytest.mark.parametrize("place", [0, 7, 8, 15, HEADER_BYTES + 8 * 3 + 3])
def test_damaged_index_is_refused(tmp_path: Path, place: int) -> None:
    write_keys(tmp_path / "k", pa.array(["a", "b", "c"]))
    data = np.fromfile(tmp_path / "k", np.uint8)
    data[place] ^= 0x80
    with pytest.raises(errors.CorruptStoreError, match="not the key index of 3 rows"):
        KeyIndex(data, 3, tmp_path / "k")


@pytest.mark.parametrize("rows", [0, 2, 4])
def test_index_of_another_count_is_refused(tmp_path: Path, rows: int) -> None:
    write_keys(tmp_path / "k", pa.array(["a", "b", "c"]))
    with pytest.raises(errors.CorruptStoreError):
        KeyIndex(np.fromfile(tmp_path / "k", np.uint8), rows, tmp_path / "k")


def test_checked_key_says_what_is_wrong() -> None:
    assert checked_key("a/ü") == "a/ü"
    for key, reason in (("", "empty"), (3, "not int"), (None, "not NoneType"), ("\udcff", "Unicode")):
        with pytest.raises(errors.KeyInvalidError, match=reason):
            checked_key(key)  # type: ignore[arg-type]


@pytest.mark.parametrize("first", [0, 7, 99_999_998])
def test_default_keys_are_their_numbers(first: int) -> None:
    keys = counted_keys(first, 4)
    assert keys.to_pylist() == [f"{number:08}" for number in range(first, first + 4)]
    assert are_counted(keys)


@pytest.mark.parametrize(
    "keys",
    [
        ["a"],
        ["00000001", "00000003"],
        ["00000002", "00000001"],
        ["0000001"],
        ["000000001"],
        ["00000001", "00000001"],
        ["\u0661" * 8],
        ["+0000001"],
        [],
    ],
)
def test_other_keys_are_not_taken_for_default_keys(keys: list[str]) -> None:
    assert not are_counted(pa.array(keys, pa.string()))
    with pytest.raises(errors.CorruptStoreError, match="default keys"):
        CountedKeys(pa.array(keys, pa.string()), Path("table"))


@pytest.mark.parametrize("first", [0, 99_999_990])
def test_counted_keys_find_what_an_index_finds(tmp_path: Path, first: int) -> None:
    column = counted_keys(first, 20)
    stored, counted = index_of(tmp_path / "k", column.to_pylist()), CountedKeys(column, Path("table"))
    asked = [*column.to_pylist(), *counted_keys(first + 20, 2).to_pylist(), "0", "", "cat", f"0{first:08}", "00000000 ", "\u0661" * 8]
    hashes = hash_keys(pa.array(asked))
    assert counted.find(hashes, asked, column).tolist() == stored.find(hashes, asked, column).tolist()
    assert counted.hashes.tolist() == stored.hashes.tolist()
    assert counted.rows_of(hashes[3:5]).tolist() == stored.rows_of(hashes[3:5]).tolist()


def test_counted_keys_apart_need_no_hashes_and_overlapping_ones_are_found(tmp_path: Path) -> None:
    one, next_one, across = (CountedKeys(counted_keys(first, 10), Path("table")) for first in (0, 10, 5))
    assert are_apart([one, next_one]) and not len(shared_hashes([one], [next_one]))
    assert not are_apart([one, across]) and len(shared_hashes([one], [across])) == 5
    explicit = index_of(tmp_path / "k", ["cat", "00000003"])
    assert not are_apart([one, explicit]) and len(shared_hashes([one], [explicit])) == 1


def test_number_after_is_above_every_default_key() -> None:
    given = ["00000004", "7", "0000000012", "00000005x", "\n00000009", "00000009\n", "123456789", "9" * 19, ""]
    assert number_after(given) == 123456790 and number_after(given[:4]) == 5 and number_after([]) == 0
    assert number_after(["9" * 18]) == 10**18 and counted_key(7) == counted_keys(7, 1)[0].as_py()
