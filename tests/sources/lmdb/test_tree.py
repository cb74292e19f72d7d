"""The walk through an LMDB file finds what the library finds, and never leaves a file that is cut or damaged."""

from __future__ import annotations

import struct
from contextlib import closing
from pathlib import Path

import lmdb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pixstore.errors import NotAStoreError, PixstoreError, StoreTruncatedError, UnsafeInputError
from pixstore.sources.lmdb.header import map_file
from pixstore.sources.lmdb.tree import Entries, database_names, read_entries

PAGE = 4096


def write(path: Path, items: dict[bytes, bytes], *, map_size: int = 1 << 26) -> Path:
    with lmdb.open(str(path), map_size=map_size, subdir=False, lock=False) as environment, environment.begin(write=True) as transaction:
        for key, value in items.items():
            transaction.put(key, value)
    return path


def entries_of(path: Path) -> Entries:
    with closing(map_file(path)) as data:
        return read_entries(data, path)


def found_in(path: Path) -> dict[bytes, bytes]:
    content, entries = path.read_bytes(), entries_of(path)
    places = zip(entries.keys, entries.offset.tolist(), entries.length.tolist(), strict=True)
    return {key: content[offset : offset + length] for key, offset, length in places}


@settings(max_examples=25)
@given(st.dictionaries(st.binary(min_size=1, max_size=60), st.integers(0, 20_000), max_size=80))
def test_every_value_is_found_where_the_library_put_it(tmp_path_factory: pytest.TempPathFactory, sizes: dict[bytes, int]) -> None:
    items = {key: np.random.default_rng(size).bytes(size) for key, size in sizes.items()}
    path = write(tmp_path_factory.mktemp("tree") / "a.mdb", items)
    assert found_in(path) == dict(sorted(items.items()))


@pytest.mark.parametrize("size", [0, 1, 2037, 2038, 2039, 4080, 4081, 4097, 100_000])
def test_values_around_the_page_size_are_found(tmp_path: Path, size: int) -> None:
    items = {b"%08d" % number: bytes([number]) * size for number in range(20)}
    assert found_in(write(tmp_path / "a.mdb", items)) == items


def test_a_deep_tree_and_later_changes_are_followed(tmp_path: Path) -> None:
    items = {b"%08d" % number: b"%d" % number for number in range(20_000)}
    path = write(tmp_path / "a.mdb", items)
    write(path, {b"%08d" % number: b"changed" for number in range(0, 20_000, 7)})
    with lmdb.open(str(path), subdir=False, lock=False, readonly=True) as environment, environment.begin() as transaction:
        expected = dict(transaction.cursor())
    assert found_in(path) == expected


def test_an_environment_without_entries_has_none(tmp_path: Path) -> None:
    assert entries_of(write(tmp_path / "a.mdb", {})).keys == []


def test_a_cut_file_says_what_it_needs(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mdb", {b"%08d" % number: bytes(3000) for number in range(50)})
    whole = path.stat().st_size
    with open(path, "r+b") as file:
        file.truncate(whole // 2)
    with pytest.raises(StoreTruncatedError, match=f"needs {whole} bytes, has {whole // 2}"):
        entries_of(path)
    with open(path, "r+b") as file:
        file.truncate(100)
    with pytest.raises(StoreTruncatedError, match="100 bytes are too few"):
        entries_of(path)


def changed(path: Path, place: int, content: bytes) -> None:
    with open(path, "r+b") as file:
        file.seek(place)
        file.write(content)


def root_of(path: Path) -> int:
    content = path.read_bytes()
    newest = max((0, PAGE), key=lambda meta: struct.unpack_from("<Q", content, meta + 144)[0])
    return int(struct.unpack_from("<Q", content, newest + 128)[0])


def named(path: Path, databases: dict[bytes, dict[bytes, bytes]], **options: bool) -> Path:
    """Write an environment with these named databases; those of b"" go to the unnamed one."""
    with lmdb.open(str(path), subdir=False, lock=False, max_dbs=9, map_size=1 << 26) as environment:
        for name, items in databases.items():
            database = environment.open_db(name or None, **(options if name else {}))
            with environment.begin(db=database, write=True) as transaction:
                for key, value in items.items():
                    transaction.put(key, value)
    return path


def items_of(path: Path, name: str | None) -> dict[bytes, bytes]:
    content = path.read_bytes()
    with closing(map_file(path)) as data:
        entries = read_entries(data, path, name=name)
    places = zip(entries.keys, entries.offset.tolist(), entries.length.tolist(), strict=True)
    return {key: content[offset : offset + length] for key, offset, length in places}


def names_in(path: Path) -> list[str]:
    with closing(map_file(path)) as data:
        return database_names(data, path)


def test_named_databases_are_read_by_name(tmp_path: Path) -> None:
    train = {b"%04d" % number: bytes([number % 251]) * 3000 for number in range(500)}
    path = named(tmp_path / "a.mdb", {b"train": train, b"val": {b"x": b"small", b"y": bytes(9000)}})
    assert names_in(path) == ["train", "val"]
    assert items_of(path, "train") == train
    assert items_of(path, "val") == {b"x": b"small", b"y": bytes(9000)}


def test_one_named_database_needs_no_name(tmp_path: Path) -> None:
    path = named(tmp_path / "a.mdb", {b"images": {b"a": b"1"}})
    assert items_of(path, None) == items_of(path, "images") == {b"a": b"1"}
    assert names_in(path) == ["images"]


def test_several_named_databases_are_listed(tmp_path: Path) -> None:
    path = named(tmp_path / "a.mdb", {b"val": {b"a": b"1"}, b"train": {b"a": b"1"}})
    with pytest.raises(NotAStoreError, match=r"named databases: 2 \('train', 'val'\).*a\.mdb::train"):
        items_of(path, None)
    with pytest.raises(NotAStoreError, match="no named database 'test'; databases here: train, val"):
        items_of(path, "test")


def test_entries_beside_named_databases_are_told_and_reached_by_no_name(tmp_path: Path) -> None:
    path = named(tmp_path / "a.mdb", {b"train": {b"a": b"1"}, b"": {b"k": b"v"}})
    assert names_in(path) == ["", "train"]
    with pytest.raises(NotAStoreError, match="entries beside them"):
        items_of(path, None)
    assert items_of(path, "") == {b"k": b"v"}


def test_a_name_where_there_are_none_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mdb", {b"a": b"1"})
    assert names_in(path) == [""]
    with pytest.raises(NotAStoreError, match="no named database 'a'; there is only the unnamed one"):
        items_of(path, "a")


def test_keys_that_are_integers_come_as_digits_in_their_order(tmp_path: Path) -> None:
    items = {struct.pack("<Q", number): b"%d" % number for number in (3, 255, 256, 70_000)}
    path = named(tmp_path / "a.mdb", {b"images": items}, integerkey=True)
    assert items_of(path, None) == {b"3": b"3", b"255": b"255", b"256": b"256", b"70000": b"70000"}


def test_keys_in_reverse_order_are_read(tmp_path: Path) -> None:
    items = {b"%03d" % number: b"%d" % number for number in range(300)}
    assert items_of(named(tmp_path / "a.mdb", {b"images": items}, reverse_key=True), None) == items


def test_several_values_per_key_are_refused(tmp_path: Path) -> None:
    path = named(tmp_path / "a.mdb", {b"images": {b"a": b"1"}}, dupsort=True)
    with pytest.raises(NotAStoreError, match="several values per key"):
        items_of(path, None)


def test_two_databases_that_share_a_page_are_refused(tmp_path: Path) -> None:
    path = named(tmp_path / "a.mdb", {b"images": {b"a": bytes(100)}})
    content, root = path.read_bytes(), root_of(path)
    node = root * PAGE + struct.unpack_from("<H", content, root * PAGE + 16)[0]
    # A node is 8 bytes and the name; the root is the last number of the record of 48.
    changed(path, node + 8 + len(b"images") + 40, struct.pack("<Q", root))
    with pytest.raises(UnsafeInputError, match=f"page {root} is used twice"):
        items_of(path, None)


def test_a_page_that_is_not_the_one_it_should_be_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mdb", {b"%08d" % number: b"x" for number in range(1000)})
    changed(path, root_of(path) * PAGE, struct.pack("<Q", 77))
    with pytest.raises(UnsafeInputError, match="says it is 77"):
        entries_of(path)


def test_a_loop_of_pages_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mdb", {b"%08d" % number: b"x" * 20 for number in range(1000)})
    content = path.read_bytes()
    root = root_of(path)
    assert struct.unpack_from("<H", content, root * PAGE + 10)[0] & 1, "the root should be a branch"
    node = struct.unpack_from("<H", content, root * PAGE + 16)[0]
    changed(path, root * PAGE + node, struct.pack("<HHH", root, 0, 0))
    with pytest.raises(UnsafeInputError, match="used twice"):
        entries_of(path)


def test_a_value_that_two_keys_share_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mdb", {b"a": bytes(5000), b"b": bytes(5000)})
    content, root = path.read_bytes(), root_of(path) * PAGE
    first, second = (root + place for place in struct.unpack_from("<2H", content, root + 16))
    changed(path, second + 9, content[first + 9 : first + 17])
    with pytest.raises(UnsafeInputError, match="does not hold the large value"):
        entries_of(path)


def test_a_large_value_that_reaches_into_another_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mdb", {b"a": bytes(50_000), b"b": bytes(5000)})
    content, root = path.read_bytes(), root_of(path) * PAGE
    first, second = (root + place for place in struct.unpack_from("<2H", content, root + 16))
    number = struct.unpack_from("<Q", content, first + 9)[0] + 3
    # The pages of the first value, taken for those of the second: they say what they should.
    changed(path, number * PAGE, content[struct.unpack_from("<Q", content, second + 9)[0] * PAGE :][:16])
    changed(path, number * PAGE, struct.pack("<Q", number))
    changed(path, second + 9, struct.pack("<Q", number))
    with pytest.raises(UnsafeInputError, match=f"page {number} is used twice"):
        entries_of(path)


def test_a_count_of_entries_that_is_wrong_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mdb", {b"a": b"1"})
    for meta in (0, PAGE):
        changed(path, meta + 88 + 32, struct.pack("<Q", 5))
    with pytest.raises(UnsafeInputError, match="holds 1 keys, its header says 5"):
        entries_of(path)


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("sample") / "a.mdb"
    return write(path, {b"%08d" % number: bytes([number]) * (30 if number % 3 else 5000) for number in range(200)}).read_bytes()


@settings(max_examples=400)
@given(st.lists(st.tuples(st.integers(0, 1 << 20), st.integers(0, 255)), min_size=1, max_size=4), st.booleans())
def test_a_damaged_file_is_other_data_or_one_of_our_errors(
    tmp_path_factory: pytest.TempPathFactory, sample: bytes, faults: list[tuple[int, int]], in_tree: bool
) -> None:
    content = bytearray(sample)
    for place, byte in faults:
        # Half of the faults go to the headers and the first pages of the tree, where they hurt.
        content[place % (6 * PAGE if in_tree else len(content))] = byte
    path = tmp_path_factory.getbasetemp() / "damaged.mdb"
    path.write_bytes(content)
    try:
        found = found_in(path)
    except PixstoreError as error:
        assert str(path) in str(error)
    else:
        assert all(isinstance(value, bytes) for value in found.values())


def test_environments_of_others_are_walked(shared_data: Path) -> None:
    paths = sorted((shared_data / "lmdb-foreign").rglob("data.mdb"))
    assert len(paths) == 6
    for path in paths:
        # lock=False: no lock file is written beside somebody else's data.
        with lmdb.open(str(path), subdir=False, lock=False, readonly=True) as environment, environment.begin() as transaction:
            assert found_in(path) == dict(transaction.cursor())
