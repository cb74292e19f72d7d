"""What is taken for images in an HDF5 file, by shape and type alone, and what is not."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from pixstore.errors import InvalidInputError, PixstoreError, UnsafeInputError
from pixstore.sources.hdf5.candidates import Shape, candidates, chosen, in_order, links, stack_shape
from pixstore.sources.hdf5.nodes import DATASET, Node

sys.path.append(str(Path(__file__).parents[1]))
facts_of = importlib.import_module("hdf5_facts").facts_of


def file_with(path: Path, **datasets: Any) -> Any:
    with h5py.File(path, "w") as file:
        for name, value in datasets.items():
            file[name.replace("__", "/")] = value
    return facts_of(path)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((9, 5, 6, 3), Shape((5, 6, 3))),
        ((9, 5, 6, 1), Shape((5, 6, 1))),
        ((9, 5, 6, 4), Shape((5, 6, 4))),
        ((9, 3, 5, 6), Shape((5, 6, 3), is_planar=True)),
        ((9, 1, 5, 6), Shape((5, 6, 1))),
        ((9, 3, 5, 3), Shape((3, 5, 3))),
        ((9, 5, 6, 13), Shape((5, 6, 13))),
        ((9, 5, 6), Shape((5, 6, 1))),
        ((9, 50, 60, 70), None),
        ((9, 5, 3), None),
        ((9, 5), None),
        ((9,), None),
        ((0, 5, 6, 3), None),
        ((9, 5, 6, 3, 1), None),
    ],
)
def test_stacks_are_told_by_their_axes(shape: tuple[int, ...], expected: Shape | None) -> None:
    assert stack_shape(Node("x", DATASET, shape=shape, dtype="uint8", number="u", itemsize=1)) == expected


def test_text_and_unread_types_are_no_stacks() -> None:
    for number in ("S", "T", "B", ""):
        assert stack_shape(Node("x", DATASET, shape=(9, 5, 6, 3), dtype="text", number=number)) is None


def test_names_with_numbers_are_in_the_order_of_these() -> None:
    assert in_order(["img_10.png", "img_9.png", "img_100.png"]) == ["img_9.png", "img_10.png", "img_100.png"]
    assert in_order(["10", "9"]) == ["9", "10"]
    assert in_order(["b2", "a10", "a9"]) == ["a10", "a9", "b2"]
    assert in_order(["b", "a"]) == ["a", "b"]


def test_a_group_of_images_is_one_candidate_and_labels_in_it_are_none(tmp_path: Path) -> None:
    file = file_with(tmp_path / "a.h5", g__10=np.zeros((4, 5, 3), "u1"), g__9=np.zeros((2, 2, 3), "u1"), g__labels=np.arange(2))
    (found,) = candidates(file)
    assert (found.kind, found.name, found.names, found.place) == ("group", "g", ("g/9", "g/10"), "g")


def test_grey_images_under_numbers_are_a_group_and_tables_are_not(tmp_path: Path) -> None:
    grey = file_with(tmp_path / "a.h5", g__0=np.zeros((4, 5), "u1"), g__1=np.zeros((6, 5), "u1"))
    assert [each.names for each in chosen(grey, None)] == [("g/0", "g/1")]
    for tables in ({"g__x": np.zeros((4, 5), "u1"), "g__y": np.zeros((4, 5), "u1")}, {"g__0": np.zeros((4, 5)), "g__1": np.zeros((4, 5))}):
        assert candidates(file_with(tmp_path / "b.h5", **tables)) == []


def test_bytes_are_images_only_if_they_begin_as_such(tmp_path: Path) -> None:
    jpeg = np.frombuffer(b"\xff\xd8\xff" + bytes(60), np.uint8)
    assert [each.kind for each in candidates(file_with(tmp_path / "a.h5", g__a=jpeg, g__b=jpeg))] == ["encoded group"]
    assert candidates(file_with(tmp_path / "b.h5", g__a=np.zeros(60, "u1"), g__b=jpeg)) == []


def test_a_plain_single_image_is_taken_where_it_is_the_only_one(tmp_path: Path) -> None:
    file = file_with(tmp_path / "a.h5", photo=np.zeros((4, 5, 3), "u1"), table=np.zeros((4, 5)))
    assert [(each.kind, each.name) for each in (*chosen(file, None), *chosen(file, "/photo/"))] == [("image", "photo")] * 2
    assert [each.kind for each in chosen(file, "table")] == ["image"]


def test_many_candidates_are_listed_up_to_a_few(tmp_path: Path) -> None:
    file = file_with(tmp_path / "a.h5", **{f"g{number}__x": np.zeros((2, 5, 6), "f4") for number in range(20)})
    with pytest.raises(InvalidInputError, match=r"holds 20 sets of images.*a\.h5::/g0/x' \(2x5x6 float32\).* and 8 more"):
        chosen(file, None)
    assert [each.name for each in chosen(file, "g7")] == ["g7/x"]


def test_masks_beside_images_belong_to_them_if_they_are_as_many(tmp_path: Path) -> None:
    images, masks = np.zeros((4, 5, 6, 3), "u1"), np.zeros((4, 5, 6), "u1")
    both = file_with(tmp_path / "a.h5", data__masks=masks, data__images=images)
    assert [each.name for each in chosen(both, None)] == ["data/images", "data/masks"] == [each.name for each in chosen(both, "data")]
    assert [each.name for each in chosen(both, "data/masks")] == ["data/masks"]
    for other in ({"images": images, "masks": masks[:3]}, {"images": images, "g__masks": masks}, {"x": images, "masks": masks}):
        with pytest.raises(InvalidInputError, match="holds 2 sets of images"):
            chosen(file_with(tmp_path / "b.h5", **other), None)


def test_a_link_in_place_of_images_is_the_reason(tmp_path: Path) -> None:
    file = file_with(tmp_path / "a.h5", images=h5py.SoftLink("/nowhere"), meta=np.zeros(3))
    assert [link.name for link in links(file)] == ["images"]
    for inner in (None, "images"):
        with pytest.raises(UnsafeInputError, match="link to '/nowhere'"):
            chosen(file, inner)
    with pytest.raises(PixstoreError, match="has no 'g/x'"):
        chosen(file, "g/x")
