"""Which dataset is taken for labels, which text for names of classes, and what is refused rather than guessed."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from pixstore.errors import LabelMismatchError
from pixstore.sources.hdf5.labels import Names, class_names, groups_around, is_class_names, label_dataset, values_of_labels
from pixstore.sources.hdf5.nodes import Node

sys.path.append(str(Path(__file__).parents[1]))
facts_of = importlib.import_module("hdf5_facts").facts_of
COUNT = 6


def names_of(path: Path, images: str, **datasets: Any) -> Names:
    with h5py.File(path, "w") as file:
        file[images] = np.zeros((COUNT, 4, 5, 3), np.uint8)
        for name, value in datasets.items():
            file[name.replace("__", "/")] = value
    return Names(facts_of(path), images, COUNT, groups_around(images.rpartition("/")[0]))


def taken(names: Names) -> str | None:
    node, _ = label_dataset(names)
    return None if node is None else node.name


def test_groups_around_go_from_the_inside_out() -> None:
    assert groups_around("a/b") == ("a/b", "a", "")
    assert groups_around("") == ("",)


@pytest.mark.parametrize(
    ("images", "labels"),
    [("train_set_x", "train_set_y"), ("X", "Y"), ("X_train", "y_train"), ("train_images", "train_labels"), ("image", "label"),
     ("data", "target"), ("pictures", "labels"), ("pictures", "y"), ("x", "meta")],
)  # fmt: skip
def test_labels_are_found_by_their_name_also_among_other_integers(tmp_path: Path, images: str, labels: str) -> None:
    values = {labels: np.arange(COUNT), "ages": np.arange(COUNT), "ids": np.arange(COUNT)}
    assert taken(names_of(tmp_path / "a.h5", images, **values)) == labels


def test_what_is_in_the_images_group_comes_before_what_is_around_it(tmp_path: Path) -> None:
    both = {"labels": np.arange(COUNT), "train__labels": np.arange(COUNT)}
    assert taken(names_of(tmp_path / "a.h5", "train/images", **both)) == "train/labels"
    assert taken(names_of(tmp_path / "b.h5", "train/images", labels=np.arange(COUNT))) == "labels"


def test_the_only_integers_are_labels_and_that_is_said(tmp_path: Path) -> None:
    node, note = label_dataset(names_of(tmp_path / "a.h5", "pictures", kind=np.arange(COUNT), ids=np.arange(COUNT), size=np.zeros(COUNT)))
    assert node is not None and node.name == "kind"
    assert note == "took 'kind' for the labels: the only integers, one per image"
    assert taken(names_of(tmp_path / "b.h5", "pictures", kind=np.arange(COUNT), age=np.arange(COUNT))) is None
    assert taken(names_of(tmp_path / "c.h5", "pictures", kind=np.arange(COUNT), key=["a"] * COUNT)) is None


@pytest.mark.parametrize("count", [COUNT - 1, COUNT + 1, COUNT * 2])
def test_wrongly_described_labels_of_another_number_are_refused(tmp_path: Path, count: int) -> None:
    with pytest.raises(LabelMismatchError, match=f"{COUNT} images in 'images' and {count} labels in 'labels'"):
        label_dataset(names_of(tmp_path / "a.h5", "images", labels=np.arange(count)))


def test_what_plainly_is_something_else_is_no_mismatch(tmp_path: Path) -> None:
    others = {"offsets": np.arange(COUNT + 1), "labels": [b"cat", b"dog"], "mean": np.zeros(COUNT + 1), "years": np.arange(50)}
    assert taken(names_of(tmp_path / "a.h5", "images", **others)) is None


def test_labels_of_several_numbers_each_are_no_labels(tmp_path: Path) -> None:
    assert taken(names_of(tmp_path / "a.h5", "images", labels=np.zeros((COUNT, 10), np.uint8))) is None
    assert taken(names_of(tmp_path / "b.h5", "images", labels=np.zeros((COUNT, 1), np.uint8))) == "labels"


def test_text_becomes_numbers_of_classes_and_numbers_stay(tmp_path: Path) -> None:
    names = names_of(tmp_path / "a.h5", "images", labels=[b"dog", b"cat"] * 3, y=np.array([1, 2, 3, 4, 5, 1 << 63], np.uint64))
    found = values_of_labels(names.file, names.file.nodes["labels"])
    assert found is not None and (found[0].to_pylist(), found[1]) == ([1, 0] * 3, ("cat", "dog"))
    with pytest.raises(LabelMismatchError, match="holds 9223372036854775808, which is no label"):
        values_of_labels(names.file, names.file.nodes["y"])
    truths = names_of(tmp_path / "b.h5", "images", labels=np.array([True, False] * 3))
    found = values_of_labels(truths.file, truths.file.nodes["labels"])
    assert found is not None and found[0].to_pylist() == [1, 0] * 3


@pytest.mark.parametrize(
    ("values", "names_there", "expected", "note"),
    [
        ([0, 1, 1], [b"cat", b"dog"], ("cat", "dog"), ""),
        ([0, 2, 1], [b"cat", b"dog"], (), "2 names for labels of 0 to 2"),
        ([-1, 1, 1], [b"cat", b"dog"], (), "2 names for labels of -1 to 1"),
        ([0, 1, 1], [b"cat", b"cat"], (), "names a class twice"),
    ],
)
def test_names_of_classes_fit_the_labels_or_are_left_out(
    tmp_path: Path, values: list[int], names_there: list[bytes], expected: tuple[str, ...], note: str
) -> None:
    names = names_of(tmp_path / "a.h5", "x", y=np.arange(COUNT), list_classes=names_there)
    found, said = class_names(names, names.file.nodes["y"], np.array(values))
    assert found == expected and note in said and bool(said) == bool(note)
    assert is_class_names(names.file.nodes["list_classes"], names.file.nodes["y"])


def test_names_of_classes_are_found_in_attributes_too(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["x"], file["y"] = np.zeros((COUNT, 4, 5, 3), np.uint8), np.arange(COUNT) % 2
        file["y"].attrs["classes"] = ["cat", "dog"]
    names = Names(facts_of(tmp_path / "a.h5"), "x", COUNT, ("",))
    assert class_names(names, names.file.nodes["y"], np.arange(2))[0] == ("cat", "dog")


def test_a_list_of_classes_for_a_label_is_told_by_its_name() -> None:
    label = Node("g/kind", "dataset", number="i")
    assert is_class_names(Node("g/kind_classes", "dataset", number="T"), label)
    assert not is_class_names(Node("g/kind_classes", "dataset", number="i"), label)
    assert not is_class_names(Node("g/other_classes", "dataset", number="T"), label)
