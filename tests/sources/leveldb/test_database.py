"""All entries of a database are found, from tables and logs, and the newest of each key counts, whatever LevelDB did with its files."""

from __future__ import annotations

import struct
from pathlib import Path

import google_crc32c
import numpy as np
import plyvel
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pixstore.errors import CorruptStoreError
from pixstore.sources.leveldb.database import NOT_PLAIN, PLAIN, read_level, values

KEYS = st.binary(min_size=0, max_size=4)


def items_of(path: Path) -> dict[bytes, bytes]:
    entries = read_level(path)
    found = {
        entries.keys[value.position]: value.content[value.begin : value.end] for value in values(entries, np.arange(len(entries.keys)))
    }
    for key, place in zip(entries.keys, entries.places, strict=True):
        if place[PLAIN] != NOT_PLAIN:
            assert entries.files[place[0]].read_bytes()[place[PLAIN] :][: len(found[key])] == found[key]
    return {key: found[key] for key in entries.keys}


@settings(max_examples=15)
@given(st.lists(st.lists(st.tuples(KEYS, st.none() | st.integers(0, 60_000)), max_size=12), min_size=1, max_size=4), st.booleans())
def test_what_leveldb_finds_is_found(
    tmp_path_factory: pytest.TempPathFactory, sessions: list[list[tuple[bytes, int | None]]], compacts: bool
) -> None:
    path = tmp_path_factory.mktemp("level") / "a"
    for number, steps in enumerate(sessions):
        with plyvel.DB(str(path), create_if_missing=True, write_buffer_size=1 << 16) as database:
            for key, size in steps:
                database.delete(key) if size is None else database.put(key, bytes([number, len(key)]) * (size // 2))
            if compacts:
                database.compact_range()
    found = items_of(path)
    with plyvel.DB(str(path)) as database:
        assert list(found.items()) == list(database)


def test_batches_are_taken_apart(tmp_path: Path) -> None:
    with plyvel.DB(str(tmp_path / "a"), create_if_missing=True) as database, database.write_batch() as batch:
        for number in range(50):
            batch.put(b"%02d" % (number % 20), b"%d" % number)
        batch.delete(b"07")
    found = items_of(tmp_path / "a")
    assert len(found) == 19 and found[b"09"] == b"49" and found[b"10"] == b"30"


def test_values_are_read_in_the_order_in_which_they_lie_and_numbered_as_asked(tmp_path: Path) -> None:
    with plyvel.DB(str(tmp_path / "a"), create_if_missing=True) as database:
        for number in (3, 1, 2):
            database.put(b"%d" % number, b"%d" % number * 100)
    entries = read_level(tmp_path / "a")
    found = list(values(entries, np.array([1, 0, 1])))
    assert [value.position for value in found] == [1, 0, 2] or [value.position for value in found] == [1, 2, 0]
    assert {value.position: value.content[value.begin : value.begin + 1] for value in found} == {0: b"2", 1: b"1", 2: b"2"}


def test_a_log_whose_writer_was_stopped_is_told(tmp_path: Path) -> None:
    with plyvel.DB(str(tmp_path / "a"), create_if_missing=True) as database:
        for number in range(5):
            database.put(b"%d" % number, bytes(100))
    (log,) = (tmp_path / "a").glob("*.log")
    log.write_bytes(log.read_bytes()[:-20])
    entries = read_level(tmp_path / "a")
    assert len(entries.keys) == 4 and "ends within a record" in entries.notes[0]


@pytest.mark.parametrize(
    ("batch", "words"),
    [
        (b"short", "a batch of 5 bytes"),
        (struct.pack("<QI", 1, 2) + b"\x01\x01a\x01b", "a batch of 2 entries ends or is damaged after 1"),
        (struct.pack("<QI", 1, 1 << 31) + b"\x01\x01a\x01b", "a batch of 2147483648 entries ends"),
        (struct.pack("<QI", 1, 1) + b"\x05\x01a\x01b", "is damaged after 0"),
        (struct.pack("<QI", 1, 1) + b"\x01\x7fa", "127 bytes at byte 14"),
        (struct.pack("<QI", 1, 1) + b"\x01\x01a\x01bmore", "bytes left over"),
    ],
)
def test_batches_that_contradict_themselves_are_refused(tmp_path: Path, batch: bytes, words: str) -> None:
    plyvel.DB(str(tmp_path / "a"), create_if_missing=True).close()
    (log,) = (tmp_path / "a").glob("*.log")
    crc = google_crc32c.value(b"\x01" + batch)
    log.write_bytes(struct.pack("<IHB", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF, len(batch), 1) + batch)
    with pytest.raises(CorruptStoreError, match=words):
        read_level(tmp_path / "a")
