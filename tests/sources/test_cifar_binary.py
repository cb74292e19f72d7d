"""CIFAR's binary version: labels before each image, images read in place."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pixstore.errors import LabelMismatchError, StoreBusyError, StoreTruncatedError
from pixstore.source import SourceOptions
from pixstore.sources.cifar_binary import CifarBinary


def open_binary(path: Path) -> CifarBinary:
    return CifarBinary.open(path, SourceOptions())


def test_rows_follow_the_files_with_their_columns(make: Any, tmp_path: Path) -> None:
    make.write_cifar_binary(tmp_path / "set")
    source = open_binary(tmp_path / "set")
    assert source.table["label"].to_pylist() == [0, 1, 2] * 6
    assert source.table["split"].to_pylist() == ["train"] * 15 + ["test"] * 3
    assert source.schema.classes == {"label": make.CLASSES}
    assert source.report.notes == []


def test_one_file_is_a_source_of_its_own(make: Any, tmp_path: Path) -> None:
    images = make.write_cifar_binary(tmp_path / "set")
    path = tmp_path / "set" / "test_batch.bin"
    assert CifarBinary.recognises(path)
    source = open_binary(path)
    assert len(source) == 3
    found = source.read("image", np.arange(3)).place
    assert isinstance(found, list)
    assert [bytes(each) for each in found] == [row.tobytes() for row in make.planes(images[15:])]


def test_cifar_100_has_the_coarse_label_first(make: Any, tmp_path: Path) -> None:
    pixels = make.planes(make.make_images(2))
    (tmp_path / "train.bin").write_bytes(bytes([1, 50]) + pixels[0].tobytes() + bytes([0, 99]) + pixels[1].tobytes())
    (tmp_path / "coarse_label_names.txt").write_text("a\r\nb\r\n")
    assert CifarBinary.recognises(tmp_path)
    source = open_binary(tmp_path)
    assert source.table["coarse_label"].to_pylist() == [1, 0] and source.table["label"].to_pylist() == [50, 99]
    assert source.schema.classes == {"coarse_label": ("a", "b")}
    assert len(source.report.notes) == 2


def test_a_file_that_was_cut_is_named(make: Any, tmp_path: Path) -> None:
    make.write_cifar_binary(tmp_path / "set")
    with open(tmp_path / "set" / "data_batch_2.bin", "r+b") as file:
        file.truncate(4000)
    assert not CifarBinary.recognises(tmp_path / "set" / "data_batch_2.bin")
    assert CifarBinary.recognises(tmp_path / "set")
    with pytest.raises(StoreTruncatedError, match=r"data_batch_2\.bin: 4000 bytes are not whole records of 3073"):
        open_binary(tmp_path / "set")


def test_a_label_without_a_name_is_counted(make: Any, tmp_path: Path) -> None:
    make.write_cifar_binary(tmp_path / "set")
    (tmp_path / "set" / "batches.meta.txt").write_text("a\nb\n")
    with pytest.raises(LabelMismatchError, match="6 labels in 'label' are beyond the 2 class names"):
        open_binary(tmp_path / "set")


def test_other_files_of_the_same_names_are_not_recognised(tmp_path: Path) -> None:
    (tmp_path / "train.bin").write_bytes(b"x" * 5000)
    assert not CifarBinary.recognises(tmp_path)
    assert not CifarBinary.recognises(tmp_path / "train.bin")


def test_a_batch_that_changed_after_it_was_opened_is_refused(make: Any, tmp_path: Path) -> None:
    make.write_cifar_binary(tmp_path / "set")
    source = open_binary(tmp_path / "set")
    os.utime(tmp_path / "set" / "test_batch.bin", ns=(1, 1))
    assert source.locate("image", np.array([0])) is not None
    with pytest.raises(StoreBusyError, match=r"test_batch\.bin: was changed"):
        source.read("image", np.array([17]))
