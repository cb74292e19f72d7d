"""The index of MDS, read as hostile."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import foreign_tables as foreign
from pixstore.errors import CorruptStoreError, InvalidInputError, PixstoreError
from pixstore.sources.mosaic.index import indexes_of, is_index, shards_in


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    foreign.mds(tmp_path / "d")
    return tmp_path / "d"


def changed(folder: Path, **stated: Any) -> None:
    index = json.loads((folder / "index.json").read_text())
    index["shards"][0].update(stated)
    (folder / "index.json").write_text(json.dumps(index))


def test_shards_are_listed_in_order(folder: Path) -> None:
    assert is_index(folder / "index.json") and indexes_of(folder) == [(folder, None)]
    assert [(shard.stem, shard.samples) for shard in shards_in(folder, None)] == [
        ("shard.00000", 4),
        ("shard.00001", 4),
        ("shard.00002", 2),
    ]
    assert indexes_of(folder.parent) == [(folder, "d")]
    assert shards_in(folder, "d")[0].stem == "d/shard.00000"


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"version": 2, "shards": [3]}', '{"version": 2, "shards": [{}]}', "[" * 100_000, '{"shards": []}']
)
def test_an_index_of_another_form_is_refused(folder: Path, text: str) -> None:
    (folder / "index.json").write_text(text)
    with pytest.raises(PixstoreError, match=r"index\.json"):
        shards_in(folder, None)


@pytest.mark.parametrize(
    "stated",
    [
        {"samples": -1},
        {"samples": 1.5},
        {"samples": 1 << 40},
        {"samples": True},
        {"column_names": ["image", "image", "name", "weight"]},
        {"column_encodings": ["png"]},
        {"raw_data": None},
        {"raw_data": {"basename": "shard.00000.mds", "bytes": "many"}},
    ],
)
def test_numbers_and_names_that_cannot_be_are_refused(folder: Path, stated: dict[str, Any]) -> None:
    changed(folder, **stated)
    with pytest.raises(CorruptStoreError, match="shard 0"):
        shards_in(folder, None)


def test_other_formats_and_versions_are_refused_by_name(folder: Path) -> None:
    changed(folder, format="jsonl")
    with pytest.raises(InvalidInputError, match="'jsonl'"):
        shards_in(folder, None)
    (folder / "index.json").write_text('{"version": 3, "shards": []}')
    with pytest.raises(InvalidInputError, match="version 3"):
        shards_in(folder, None)
