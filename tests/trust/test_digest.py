"""The digest of content: the same whatever keeps it, another one where anything in it is another."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from tests.trust.conftest import pixel_file

import pixstore
from pixstore.errors import RecordError
from pixstore.registry import ENGINES
from pixstore.schema import Schema
from pixstore.trust.digest import as_text, classes_number, dataset_digest


@dataclass(frozen=True)
class Row:
    key: str
    label: int | None
    name: str
    data: bytes


LABELS = st.one_of(st.none(), st.integers(-3, 3))
ROW = st.builds(Row, st.text("abcä\n", min_size=1, max_size=3), LABELS, st.text("xy", max_size=2), st.binary(min_size=12, max_size=12))
ROWS = st.lists(ROW, min_size=1, max_size=6, unique_by=lambda row: row.key)
NUMBERS = itertools.count()


def digest(folder: Path, rows: list[Row], engine: str, commits: int = 1, shard_bytes: int = 1 << 30, trusting: bool = False) -> str:
    """Write the rows in so many commits and return the digest of the store."""
    path = folder / f"{next(NUMBERS)}"
    for part in np.array_split(np.arange(len(rows)), commits):
        with pixstore.Writer(
            path, engine=engine, mode="a" if path.exists() else "x", durability="process", shard_bytes=shard_bytes
        ) as writer:
            for row in (rows[place] for place in part.tolist()):
                writer.add(np.frombuffer(row.data, np.uint8).reshape(2, 2, 3), key=row.key, label=row.label, name=row.name)
    with pixstore.open(path) as dataset:
        return dataset_digest(dataset, trusting=trusting)


@settings(max_examples=40)
@given(rows=ROWS, data=st.data())
def test_order_engine_and_shards_do_not_matter(rows: list[Row], data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("digest")
    expected = digest(folder, rows, "packed")
    engine, trusting = data.draw(st.sampled_from(ENGINES)), data.draw(st.booleans())
    shuffled, size = data.draw(st.permutations(rows)), data.draw(st.sampled_from([20, 60, 1 << 20]))
    assert digest(folder, list(shuffled), engine, data.draw(st.integers(1, 3)), size, trusting) == expected


@settings(max_examples=40)
@given(rows=ROWS, data=st.data())
def test_any_change_changes_it(rows: list[Row], data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("digest")
    place = data.draw(st.integers(0, len(rows) - 1))
    row = rows[place]
    bits = bytearray(row.data)
    bits[data.draw(st.integers(0, 11))] ^= 1 << data.draw(st.integers(0, 7))
    label = 7 if row.label is None else row.label + 1
    changed = {
        "key": replace(row, key=row.key + "z"), "label": replace(row, label=label), "name": replace(row, name=row.name + "z"),
        "byte": replace(row, data=bytes(bits)), "gone": None,
    }  # fmt: skip
    other = changed[data.draw(st.sampled_from(sorted(changed)))]
    others = [*rows[:place], *([] if other is None else [other]), *rows[place + 1 :]]
    if others:
        assert digest(folder, others, "packed") != digest(folder, rows, "packed")


def test_labels_that_change_places_change_it(tmp_path: Path) -> None:
    rows = [Row("a", 1, "", b"a" * 12), Row("b", 2, "", b"a" * 12)]
    swapped = [replace(rows[0], label=2), replace(rows[1], label=1)]
    assert digest(tmp_path, rows, "packed") != digest(tmp_path, swapped, "packed")


def test_history_does_not_matter(pristine: Path, tmp_path: Path) -> None:
    with pixstore.open(pristine) as dataset:
        pixstore.convert(dataset, tmp_path / "copy", durability="process")
        expected = dataset_digest(dataset)
    with pixstore.open(tmp_path / "copy") as copy:
        assert dataset_digest(copy) == expected


def test_a_folder_and_its_store_have_the_same(tmp_path: Path) -> None:
    for number, name in enumerate(("cat/a.png", "cat/b.jpg", "dog/c.png")):
        (tmp_path / "photos" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (5, 4), (number, 9, 9)).save(tmp_path / "photos" / name)
    pixstore.convert(tmp_path / "photos", tmp_path / "store", durability="process")
    with pixstore.open(tmp_path / "photos") as folder, pixstore.open(tmp_path / "store") as store:
        assert dataset_digest(folder) == dataset_digest(store)


def test_class_names_count_and_their_absence_does_not() -> None:
    assert classes_number(Schema()) == classes_number(Schema(classes={"label": ()})) == 0
    assert classes_number(Schema(classes={"label": ("cat", "dog")})) != classes_number(Schema(classes={"label": ("dog", "cat")}))


def test_a_dataset_without_samples_has_a_digest(plain: Path) -> None:
    assert dataset_digest(pixstore.open(plain).select([])) == as_text(0) == "0" * 32


def test_damage_is_an_error_unless_checksums_are_taken_on_trust(plain: Path, flip: Callable[[Path, int], None]) -> None:
    before = dataset_digest(pixstore.open(plain))
    flip(pixel_file(plain), 0)
    assert dataset_digest(pixstore.open(plain), trusting=True) == before
    with pytest.raises(RecordError, match="1 of 12 samples cannot be read; 'key-00'"):
        dataset_digest(pixstore.open(plain))


def test_both_cores_agree(plain: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = dataset_digest(pixstore.open(plain))
    monkeypatch.setenv("PIXSTORE_CORE", "reference")
    pixstore.codec.core_name.__globals__["core"].cache_clear()
    try:
        assert pixstore.codec.core_name() == "reference" and dataset_digest(pixstore.open(plain)) == expected
    finally:
        monkeypatch.undo()
        pixstore.codec.core_name.__globals__["core"].cache_clear()
