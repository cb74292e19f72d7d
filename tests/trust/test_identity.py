"""Samples as numbers: the bytes are read, or taken on trust; what cannot be read is listed, not raised."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from tests.trust.conftest import IMAGES, KEYS, pixel_file

import pixstore
from pixstore.trust.identity import identities


def test_trusting_and_reading_agree(pristine: Path) -> None:
    with pixstore.open(pristine) as dataset:
        read, trusted = (identities(dataset, 0, len(dataset), trusting=each) for each in (False, True))
    assert len(read) == 11 and not read.bad_rows
    for ours, theirs in ((read.columns, trusted.columns), (read.fields, trusted.fields), ({"": read.keys}, {"": trusted.keys})):
        assert all(np.array_equal(ours[name], theirs[name]) for name in ours | theirs)


def test_parts_are_those_of_the_whole(pristine: Path) -> None:
    with pixstore.open(pristine) as dataset:
        whole, part = identities(dataset, 0, len(dataset)), identities(dataset, 3, 8)
    assert np.array_equal(part.keys, whole.keys[3:8])
    assert all(np.array_equal(part.fields[name], whole.fields[name][3:8]) for name in whole.fields)


def test_a_sample_without_an_image_has_zero_there(pristine: Path) -> None:
    with pixstore.open(pristine) as dataset:
        masks = identities(dataset, 0, len(dataset)).fields["mask"]
        has = [key in KEYS[::2] for key in dataset.keys.to_pylist()]
    assert (masks != 0).tolist() == has


def test_a_damaged_record_is_listed_with_its_place_and_counts_as_zero(plain: Path, flip: Callable[[Path, int], None]) -> None:
    flip(pixel_file(plain), 4 * IMAGES[0].nbytes + 1)
    with pixstore.open(plain) as dataset:
        found = identities(dataset, 0, 12)
        assert identities(dataset, 0, 12, trusting=True).bad_rows == []
    assert [bad.key for bad in found.bad_rows] == ["key-04"]
    assert found.bad_rows[0].place == f"{pixel_file(plain)} at byte {4 * IMAGES[0].nbytes}"
    assert np.flatnonzero(found.fields["image"] == 0).tolist() == [4]


def test_arrays_of_the_same_bytes_and_another_shape_differ(tmp_path: Path) -> None:
    numbers = []
    for shape in ((4, 6, 3), (6, 4, 3), (4, 6, 3)):
        path = tmp_path / f"{len(numbers)}"
        with pixstore.Writer(path, durability="process") as writer:
            writer.add(np.zeros(shape, np.uint8), key="a")
        numbers.append(int(identities(pixstore.open(path), 0, 1).fields["image"][0]))
    assert numbers[0] != numbers[1] and numbers[0] == numbers[2]


def test_planar_arrays_of_a_source_are_what_a_store_makes_of_them(tmp_path: Path) -> None:
    (tmp_path / "data_batch_1.bin").write_bytes(np.random.default_rng(0).integers(0, 10, (5, 3073)).astype(np.uint8).tobytes())
    (tmp_path / "batches.meta.txt").write_text("\n".join("abcdefghij"))
    pixstore.convert(tmp_path, tmp_path.with_name("store"), durability="process")
    with pixstore.open(tmp_path) as source, pixstore.open(tmp_path.with_name("store")) as store:
        ours, theirs = identities(source, 0, 5), identities(store, 0, 5)
    assert np.array_equal(ours.fields["image"], theirs.fields["image"]) and not ours.bad_rows
