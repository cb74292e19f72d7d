"""`pixstore put`: one image, byte for byte, with columns as people write them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

import pixstore as library
from pixstore.cli.put import value_of
from pixstore.errors import InvalidInputError, SchemaError


def test_image_is_added_and_replaced(pixstore, store: Path, photos: Path) -> None:
    image = (photos / "dogs" / "c.jpg").read_bytes()
    done = pixstore("put", store, "new", photos / "dogs" / "c.jpg", "--label", "dogs")
    assert done.status == 0 and "new added" in done.out and done.out.endswith("version 3\n")
    assert library.open(store).encoded("new") == image and library.open(store)["new"]["label"] == 1
    refused = pixstore("put", store, "new", photos / "cats" / "b.png")
    assert refused.status == 2 and "already; say that it is to be replaced" in refused.err
    found = json.loads(pixstore("put", store, "new", photos / "cats" / "b.png", "--replace", "--json", "-").out)
    assert found["replaced"] and found["version"] == 4
    assert library.open(store).encoded("new") == (photos / "cats" / "b.png").read_bytes() and library.open(store)["new"]["label"] == 1


def test_further_images_and_columns_go_with_it(pixstore, tmp_path: Path, photos: Path) -> None:
    with library.Writer(tmp_path / "s") as writer:
        writer.add(np.zeros((2, 2, 3), np.uint8), mask=np.zeros((2, 2), np.uint8), score=0.5, note="a")
    image = photos / "cats" / "a.png"
    done = pixstore("put", tmp_path / "s", "k", image, "--field", f"mask={image}", "--column", "score=2.5", "--column", "note=b=c")
    assert done.status == 0
    sample = library.open(tmp_path / "s")["k"]
    assert (sample["score"], sample["note"]) == (2.5, "b=c") and np.array_equal(sample["mask"], sample.image)


def test_input_that_does_not_do_changes_nothing(pixstore, store: Path, photos: Path) -> None:
    image = photos / "cats" / "a.png"
    for arguments, words in (
        (["k", "missing.png"], "missing.png: does not exist"),
        (["k", photos / "notes.txt"], "notes.txt"),
        (["k", image, "--label", "birds"], "one of its classes: cats, dogs; 'birds' does not fit"),
        (["k", image, "--column", "breed=x"], "no column 'breed'; columns here: label"),
        (["k", image, "--column", "label"], "write it as NAME=VALUE"),
        (["k", image, "--field", f"mask={image}"], "no field 'mask'"),
    ):
        done = pixstore("put", store, *arguments)
        assert done.status == 2 and words in done.err, done.err
    assert library.open(store).store_manifest.version == 2


SCHEMA = library.Schema(
    columns=pa.schema([
        ("whole", pa.int64()),
        ("part", pa.float64()),
        ("text", pa.string()),
        ("truth", pa.bool_()),
        ("raw", pa.binary()),
        ("several", pa.list_(pa.int64())),
        ("open", pa.null()),
    ])
)  # fmt: skip


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [("whole", "-3", -3), ("part", "1e3", 1000.0), ("text", "3", "3"), ("truth", "False", False), ("truth", "1", True),
     ("raw", "/w==", b"\xff"), ("several", "[1, 2]", [1, 2]), ("open", "7", 7), ("open", "words", "words"),
     ("whole", "", None)])  # fmt: skip
def test_values_are_of_their_columns_type(name: str, text: str, value: object) -> None:
    assert value_of(name, text, SCHEMA) == value


@pytest.mark.parametrize(("name", "text"), [("whole", "1.5"), ("part", "x"), ("truth", "maybe"), ("raw", "ß"), ("several", "[1")])
def test_values_that_do_not_fit_are_named(name: str, text: str) -> None:
    with pytest.raises(InvalidInputError, match=f"column '{name}' takes"):
        value_of(name, text, SCHEMA)
    with pytest.raises(SchemaError, match="no column 'other'"):
        value_of("other", "1", SCHEMA)
