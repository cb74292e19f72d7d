from __future__ import annotations

import pytest

from pixstore.bench import naming


@pytest.mark.parametrize(
    ("way", "title"),
    [
        ("tutorial-lmdb", "LMDB, tutorial"),
        ("lmdb/png", "LMDB + PNG"),
        ("hdf5/raw@power", "HDF5 + raw, power-safe"),
        ("packed/png@1thread", "packed + PNG, 1 thread"),
        ("packed/keep", "packed + bytes, kept"),
        ("sqlite/raw", "sqlite + raw"),
        ("somebody's", "somebody's"),
    ],
)
def test_titles_read_as_people_say_them(way: str, title: str) -> None:
    assert naming.title(way) == title


def test_kept_bytes_are_named_by_their_codec() -> None:
    assert naming.title("lmdb/keep", kept="jpeg") == "LMDB + JPEG, kept"


@pytest.mark.parametrize(
    ("way", "family", "codec"), [("tutorial-png", "files", "png"), ("lmdb/raw@power", "lmdb", "raw"), ("source", "source", "")]
)
def test_family_and_codec(way: str, family: str, codec: str) -> None:
    assert (naming.family(way), naming.codec(way)) == (family, codec)
