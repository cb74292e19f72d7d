from __future__ import annotations

import pytest

from pixstore.bench import naming
from pixstore.bench.ways import catalog


@pytest.mark.parametrize(
    ("way", "title"),
    [
        ("tutorial-lmdb", "LMDB, tutorial"),
        ("hand-lmdb", "LMDB, by hand"),
        ("hand-hdf5-gzip", "HDF5 + gzip, by hand"),
        ("lmdb/png", "LMDB + PNG"),
        ("hdf5/raw@power", "HDF5 + raw, power-safe"),
        ("packed/png@1thread", "packed + PNG, 1 thread"),
        ("packed/keep", "packed + bytes, kept"),
        ("sqlite/raw", "SQLite + raw"),
        ("somebody's", "somebody's"),
    ],
)
def test_titles_read_as_people_say_them(way: str, title: str) -> None:
    assert naming.title(way) == title


@pytest.mark.parametrize(
    ("way", "title"),
    [
        ("lmdb/keep", "LMDB + JPEG, kept"),
        ("hand-files", "JPEG files, by hand"),
        ("hand-lmdb", "LMDB + JPEG, by hand"),
        ("hand-hdf5", "HDF5, by hand"),
        ("tutorial-png", "PNG files, tutorial"),
    ],
)
def test_kept_bytes_are_named_by_their_codec(way: str, title: str) -> None:
    assert naming.title(way, kept="jpeg") == title


@pytest.mark.parametrize(
    ("way", "family", "codec"),
    [
        ("tutorial-png", "files", "png"),
        ("hand-files", "files", "png"),
        ("hand-lmdb", "lmdb", "raw"),
        ("hand-hdf5-gzip", "hdf5", "gzip"),
        ("hand-memmap", "numpy", "raw"),
        ("lmdb/raw@power", "lmdb", "raw"),
        ("source", "source", ""),
    ],
)
def test_family_and_codec(way: str, family: str, codec: str) -> None:
    assert (naming.family(way), naming.codec(way)) == (family, codec)


def test_every_way_in_the_catalog_has_a_title_of_its_own() -> None:
    titles = [naming.title(name) for name in (*catalog.TUTORIAL, *catalog.BY_HAND)]
    assert len(set(titles)) == len(titles)
    assert not set(titles) & {*catalog.TUTORIAL, *catalog.BY_HAND}


def test_by_hand_is_neither_the_tutorials_nor_ours() -> None:
    assert [way for way in ("hand-files", "tutorial-png", "files/png", "source") if naming.is_by_hand(way)] == ["hand-files"]


def test_some_ways_wait_for_the_disk() -> None:
    ways = ("tutorial-lmdb", "hand-lmdb", "lmdb/raw@power", "lmdb/raw", "hand-hdf5", "tutorial-png")
    assert [way for way in ways if naming.is_synced(way)] == ["tutorial-lmdb", "hand-lmdb", "lmdb/raw@power"]
