"""Facts go through JSON unchanged, what is none is refused, and each check names the file, the name and the reason."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pixstore.errors import CorruptStoreError, LimitExceededError, NotAStoreError, PixstoreError, UnsafeInputError, UnsupportedImageError
from pixstore.sources.hdf5.nodes import MAX_CHUNKS, Node, check_reachable, check_storage

SOUND = Node(
    "images", "dataset", shape=(10, 4, 4, 3), dtype="uint8", number="u", itemsize=1, chunks=(2, 4, 4, 3), filters=((1, (4,)), (2, ())),
    stored=480, chunk_count=5, table=0,
)  # fmt: skip


def test_facts_go_through_json_unchanged() -> None:
    for node in (SOUND, Node("a", "group"), replace(SOUND, offset=7, chunks=None, is_outside=True)):
        assert Node.from_json(json.loads(json.dumps(node.to_json()))) == node


@pytest.mark.parametrize(
    "change",
    [
        {"name": 1},
        {"shape": [1, -1]},
        {"shape": "ab"},
        {"offset": 1 << 63},
        {"stored": True},
        {"chunks": [1.5]},
        {"filters": [1]},
        {"kind": None},
        {"dtype": "float64"},
        {"dtype": "nonsense"},
        {"number": "f"},
        {"itemsize": 2},
        {"attributes": []},
        {"unread": [1]},
    ],
)
def test_what_is_no_fact_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises((ValueError, TypeError)):
        Node.from_json({**SOUND.to_json(), **change})


def test_only_what_differs_goes_through_json() -> None:
    assert Node("a", "group").to_json() == {"name": "a", "kind": "group"}
    with pytest.raises(KeyError):
        Node.from_json({"name": "a", "kind": "group", "more": 1})


def test_numbers_are_in_the_byte_order_of_the_file() -> None:
    wide = replace(SOUND, dtype=">u2", itemsize=2)
    assert (wide.numbers.str, wide.declared, wide.parent) == (">u2", 960, "")
    assert (Node("a/b/c", "dataset", shape=()).parent, Node("a", "dataset", shape=()).count, Node("a", "dataset").count) == ("a/b", 1, 0)


def test_sound_storage_passes() -> None:
    check_reachable(SOUND, Path("a.h5"))
    check_storage(SOUND, Path("a.h5"))


@pytest.mark.parametrize(
    ("node", "error", "message"),
    [
        (replace(SOUND, kind="external link", target="b.h5"), UnsafeInputError, "link to another file, 'b.h5'"),
        (replace(SOUND, kind="soft link", target="/x"), UnsafeInputError, "link to '/x'"),
        (replace(SOUND, kind="Datatype"), NotAStoreError, "is a Datatype"),
        (replace(SOUND, is_outside=True), UnsafeInputError, "lies in other files"),
        (replace(SOUND, filters=((32020, ()),)), UnsafeInputError, "filter 32020"),
        (replace(SOUND, filters=((4, ()), (32020, ()))), UnsupportedImageError, "packed with szip"),
        (replace(SOUND, filters=((5, ()),)), UnsupportedImageError, "packed with nbit"),
        (replace(SOUND, number="V", dtype="[('a', '<i4')]"), NotAStoreError, "not plain numbers"),
        (replace(SOUND, shape=None), NotAStoreError, "holds nothing"),
        (replace(SOUND, shape=(1 << 40, 1, 1, 1), stored=100), LimitExceededError, "declares 1099511627776 bytes with 100 stored"),
        (replace(SOUND, stored=0), CorruptStoreError, "never written"),
        (replace(SOUND, chunks=(100 << 20, 1, 1, 1)), LimitExceededError, "chunks of 104857600 bytes"),
        (replace(SOUND, chunks=(2, 4)), CorruptStoreError, "has chunks of"),
        (replace(SOUND, chunks=(0, 4, 4, 3)), CorruptStoreError, "has chunks of"),
        (replace(SOUND, chunk_count=4), CorruptStoreError, "4 of 5 chunks"),
        (replace(SOUND, shape=(MAX_CHUNKS + 1, 1, 1, 1), chunks=(1, 1, 1, 1)), LimitExceededError, "write it with larger ones"),
    ],
)
def test_what_is_refused_is_named(node: Node, error: type[PixstoreError], message: str) -> None:
    with pytest.raises(error, match=message) as caught:
        check_reachable(node, Path("a.h5"))
        check_storage(node, Path("a.h5"))
    assert str(caught.value).startswith("a.h5: ") and "'images'" in str(caught.value)
