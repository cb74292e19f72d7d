"""What lies beside the images becomes columns, keys and attributes; what does not fit is said."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
import pytest

from pixstore.errors import CorruptStoreError, DuplicateKeyError, KeyInvalidError
from pixstore.sources.hdf5.candidates import chosen
from pixstore.sources.hdf5.columns import Beside, beside

sys.path.append(str(Path(__file__).parents[1]))
facts_of = importlib.import_module("hdf5_facts").facts_of
COUNT = 6


def beside_of(path: Path, fill: Callable[[h5py.File], object]) -> Beside:
    with h5py.File(path, "w") as file:
        fill(file)
    facts = facts_of(path)
    return beside(facts, *chosen(facts, "data/images"), COUNT)


def with_images(file: h5py.File) -> h5py.Group:
    file["data/images"] = np.zeros((COUNT, 4, 5, 3), np.uint8)
    return file["data"]


def test_values_of_each_image_become_columns_of_their_type(tmp_path: Path) -> None:
    def fill(file: h5py.File) -> None:
        group = with_images(file)
        group["score"], group["wide"] = np.arange(COUNT, dtype=">f4"), np.arange(COUNT * 2).reshape(COUNT, 2)
        group["one"], group["truth"] = np.arange(COUNT).reshape(COUNT, 1), np.arange(COUNT) > 2
        group["fixed"], group["any"] = np.array([b"ab", b"c"] * 3), ["ü", ""] * 3
        file["camera"] = np.arange(COUNT, dtype=np.uint16)
        file["loss"], file["deep/er"] = np.zeros(50), np.zeros(COUNT)

    columns = beside_of(tmp_path / "a.h5", fill).columns
    kinds = {name: str(values.type) for name, values in columns.items()}
    assert kinds == {"key": "string", "label": "int64", "score": "float", "wide": "list<item: int64>", "truth": "bool", "fixed": "string",
                     "any": "string", "camera": "uint16"}  # fmt: skip
    assert columns["wide"].to_pylist() == [[0, 1], [2, 3], [4, 5], [6, 7], [8, 9], [10, 11]]
    assert (columns["score"].to_pylist(), columns["any"].to_pylist()) == ([0, 1, 2, 3, 4, 5], ["ü", ""] * 3)
    assert columns["key"].to_pylist()[-1] == "00000005"


def test_keys_are_taken_and_must_differ(tmp_path: Path) -> None:
    def fill(names: list[str]) -> Callable[[h5py.File], object]:
        return lambda file: with_images(file).create_dataset("key", data=names)

    assert beside_of(tmp_path / "a.h5", fill(list("abcdef"))).columns["key"].to_pylist() == list("abcdef")
    with pytest.raises(DuplicateKeyError, match="'data/key' holds 'b' twice"):
        beside_of(tmp_path / "a.h5", fill(list("abbdef")))
    with pytest.raises(KeyInvalidError, match="a key without a character"):
        beside_of(tmp_path / "a.h5", fill(["", *"bcdef"]))


def test_attributes_are_kept_under_the_name_of_what_has_them(tmp_path: Path) -> None:
    def fill(file: h5py.File) -> None:
        group = with_images(file)
        file.attrs["title"], group.attrs["part"], group["images"].attrs["scale"] = "t", np.int8(2), [0.5, float("inf")]
        file.attrs["points"] = group.ref
        file.create_group("other").attrs["no"] = 1

    found = beside_of(tmp_path / "a.h5", fill)
    assert found.attributes == {"title": "t", "/data": {"part": 2}, "/data/images": {"scale": [0.5, "inf"]}}
    assert found.notes == ["attributes of '/' that are no numbers or text, or too large, were left out: points"]


def test_names_that_are_taken_are_said(tmp_path: Path) -> None:
    def fill(file: h5py.File) -> None:
        group = with_images(file)
        group["image"], group["label"], file["label"] = np.zeros(COUNT), np.arange(COUNT), np.arange(COUNT)

    notes = beside_of(tmp_path / "a.h5", fill).notes
    assert notes == ["'data/image' was left out: 'image' is the name of something else",
                     "'label' was left out: 'label' is the name of something else"]  # fmt: skip


def test_text_that_is_no_utf8_is_named(tmp_path: Path) -> None:
    with pytest.raises(CorruptStoreError, match="'data/camera' holds text that is not UTF-8"):
        beside_of(tmp_path / "a.h5", lambda file: with_images(file).create_dataset("camera", data=np.array([b"\xff"] * COUNT)))


def test_attributes_of_every_dataset_of_a_group_are_columns(tmp_path: Path) -> None:
    def fill(file: h5py.File) -> None:
        for number in range(COUNT):
            made = file.create_dataset(f"data/images/{number}", data=np.zeros((4, 5, 3), np.uint8))
            made.attrs["label"], made.attrs["mixed"], made.attrs[f"own{number}"] = number, number if number % 2 else "a", 1

    found = beside_of(tmp_path / "a.h5", fill)
    assert found.columns["label"].to_pylist() == list(range(COUNT)) and found.columns["label"].type == pa.int64()
    assert list(found.columns) == ["key", "label"]
    assert found.notes[0].startswith("attributes that not every image has") and "mixed" in found.notes[0]


def test_text_labels_of_every_dataset_are_numbers_of_classes(tmp_path: Path) -> None:
    def fill(file: h5py.File) -> None:
        for number in range(COUNT):
            made = file.create_dataset(f"data/images/{number}", data=np.zeros((4, 5, 3), np.uint8))
            made.attrs["label"] = "dog" if number % 2 else "cat"

    found = beside_of(tmp_path / "a.h5", fill)
    assert found.columns["label"].to_pylist() == [0, 1] * 3 and found.classes == {"label": ("cat", "dog")}


def test_a_name_that_is_no_text_is_no_key(tmp_path: Path) -> None:
    def fill(file: h5py.File) -> None:
        for name in (b"data/images/a", b"data/images/\xff"):
            file[name] = np.zeros((4, 5, 3), np.uint8)

    with pytest.raises(KeyInvalidError, match="not UTF-8"):
        beside_of(tmp_path / "a.h5", fill)
