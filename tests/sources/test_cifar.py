"""CIFAR python batches: file order, splits, class names, in place from folders and from memory out of archives."""

from __future__ import annotations

import pickle
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pixstore.errors import (
    CorruptStoreError,
    DuplicateKeyError,
    LabelMismatchError,
    LimitExceededError,
    PixstoreError,
    StoreTruncatedError,
    UnsafeInputError,
)
from pixstore.rows import Extents, Slices
from pixstore.source import SourceOptions
from pixstore.sources.cifar import CifarPython


def open_cifar(path: Path) -> CifarPython:
    return CifarPython.open(path, SourceOptions())


def pixels_of(source: CifarPython) -> Any:
    """Return (N, 32, 32, 3) uint8 from the records."""
    found = source.read("image", np.arange(len(source)))
    views = found.place.views() if isinstance(found.place, Slices) else found.place
    assert isinstance(views, list)
    return np.stack([np.frombuffer(view, np.uint8).reshape(3, 32, 32).transpose(1, 2, 0) for view in views])


@pytest.mark.parametrize("protocol", range(6))
def test_a_folder_is_read_whatever_the_protocol(make: Any, tmp_path: Path, protocol: int) -> None:
    images = make.write_cifar(tmp_path / "set", protocol=protocol)
    source = open_cifar(tmp_path / "set")
    np.testing.assert_array_equal(pixels_of(source), images)
    located = source.locate("image", np.arange(3))
    assert located is not None and isinstance(located.place, Extents if protocol >= 3 else Slices)


def test_rows_follow_the_files_with_their_columns(make: Any, tmp_path: Path) -> None:
    make.write_cifar(tmp_path / "set", per_batch=2)
    source = open_cifar(tmp_path / "set")
    assert source.table.column_names == ["key", "label", "split", "filename"]
    assert source.table["key"].to_pylist() == [f"{row:08}" for row in range(12)]
    assert source.table["label"].to_pylist() == [0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6]
    assert source.table["split"].to_pylist() == ["train"] * 10 + ["test"] * 2
    assert source.table["filename"].to_pylist()[-1] == "test_batch_1.png"
    assert source.schema.classes["label"][3] == "cat"
    assert source.schema.fields[0].shape == (32, 32, 3)
    assert source.report.notes == []


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:xz", "w:bz2"])
def test_an_archive_holds_the_same_as_its_folder(make: Any, tmp_path: Path, mode: str) -> None:
    images = make.write_cifar(tmp_path / "set")
    path = make.write_archive(tmp_path / "set", tmp_path / "archive", mode)
    assert CifarPython.recognises(path)
    source = open_cifar(path)
    assert source.table.equals(open_cifar(tmp_path / "set").table)
    np.testing.assert_array_equal(pixels_of(source), images)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["archive", "set"]


def test_the_order_within_an_archive_does_not_matter(make: Any, tmp_path: Path) -> None:
    images = make.write_cifar(tmp_path / "set", batches=("test_batch", "data_batch_2", "data_batch_1"))
    with make.tarfile.open(tmp_path / "a.tar", "w") as archive:
        for name in ("test_batch", "data_batch_2", "data_batch_1", "batches.meta"):
            archive.add(tmp_path / "set" / name, arcname=f"cifar-10-batches-py/{name}")
    source = open_cifar(tmp_path / "a.tar")
    np.testing.assert_array_equal(pixels_of(source), np.concatenate([images[8:], images[4:8], images[:4]]))
    assert source.report.notes == ["batches that are not here: data_batch_3, data_batch_4, data_batch_5"]


def test_cifar_100_has_two_labels(make: Any, tmp_path: Path) -> None:
    images = make.make_images(6)
    for name, rows in (("train", slice(0, 4)), ("test", slice(4, 6))):
        count = rows.stop - rows.start
        content = {"data": make.planes(images[rows]), "fine_labels": list(range(count)), "coarse_labels": [1] * count}
        (tmp_path / name).write_bytes(pickle.dumps(content, 4))
    names = {"fine_label_names": [f"fine {n}" for n in range(100)], "coarse_label_names": ["a", "b"]}
    (tmp_path / "meta").write_bytes(pickle.dumps(names))
    assert CifarPython.recognises(tmp_path)
    source = open_cifar(tmp_path)
    assert source.table.column_names == ["key", "label", "coarse_label", "split"]
    assert source.table["split"].to_pylist() == ["train"] * 4 + ["test"] * 2
    assert source.schema.classes["coarse_label"] == ("a", "b")
    np.testing.assert_array_equal(pixels_of(source), images)


def test_one_batch_is_a_source_of_its_own(make: Any, tmp_path: Path) -> None:
    images = make.write_cifar(tmp_path / "set")
    source = open_cifar(tmp_path / "set" / "data_batch_2")
    np.testing.assert_array_equal(pixels_of(source), images[4:8])
    assert CifarPython.recognises(tmp_path / "set" / "data_batch_2")


def test_without_class_names_labels_are_numbers(make: Any, tmp_path: Path) -> None:
    make.write_cifar(tmp_path / "set")
    (tmp_path / "set" / "batches.meta").unlink()
    source = open_cifar(tmp_path / "set")
    assert source.schema.classes == {}
    assert source.report.notes == ["no batches.meta, so classes have numbers only"]


BATCH: dict[str, Any] = {"data": np.zeros((2, 3072), np.uint8), "labels": [0, 1]}


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"data": np.zeros((2, 100), np.uint8)}, CorruptStoreError, r"\(2, 100\) uint8, \(N, 3072\) uint8 is expected"),
        ({"data": np.zeros((2, 3072), np.float32)}, CorruptStoreError, "float32"),
        ({"data": [[0] * 3072] * 2}, CorruptStoreError, "no array 'data'"),
        ({"labels": [0]}, LabelMismatchError, "1 labels for 2 images"),
        ({"labels": None}, LabelMismatchError, "no list of labels"),
        ({"labels": [0, 10]}, LabelMismatchError, "beyond the 10 class names"),
        ({"labels": [0, -1]}, LabelMismatchError, "no label, the first for image 1"),
        ({"labels": [0, 1.0]}, LabelMismatchError, "no label"),
        ({"filenames": ["a"]}, LabelMismatchError, "'filenames'"),
        ({"evil": shutil.rmtree}, UnsafeInputError, r"shutil\.rmtree"),
    ],
)
def test_a_batch_that_is_not_as_expected_says_how(
    make: Any, tmp_path: Path, changes: dict[str, Any], error: type[PixstoreError], message: str
) -> None:
    make.write_cifar(tmp_path / "set")
    (tmp_path / "set" / "data_batch_3").write_bytes(pickle.dumps(BATCH | changes))
    with pytest.raises(error, match=message) as caught:
        open_cifar(tmp_path / "set")
    assert str(tmp_path / "set") in str(caught.value)


def test_labels_may_be_an_array(make: Any, tmp_path: Path) -> None:
    make.write_cifar(tmp_path / "set")
    (tmp_path / "set" / "data_batch_1").write_bytes(pickle.dumps(BATCH | {"labels": np.array([3, 4])}))
    assert open_cifar(tmp_path / "set").table["label"].to_pylist()[:2] == [3, 4]


@pytest.mark.parametrize("meta", [[1], {"label_names": "abc"}, {"label_names": [1, 2]}, {}])
def test_class_names_that_are_not_as_expected_are_refused(make: Any, tmp_path: Path, meta: Any) -> None:
    make.write_cifar(tmp_path / "set")
    (tmp_path / "set" / "batches.meta").write_bytes(pickle.dumps(meta))
    with pytest.raises(CorruptStoreError, match=r"batches\.meta"):
        open_cifar(tmp_path / "set")


def test_a_batch_beyond_the_limit_is_not_read(make: Any, tmp_path: Path) -> None:
    make.write_cifar(tmp_path / "set")
    with open(tmp_path / "set" / "data_batch_1", "r+b") as file:
        file.truncate(1 << 40)
    with pytest.raises(LimitExceededError, match="data_batch_1"):
        open_cifar(tmp_path / "set")


def test_a_batch_twice_in_an_archive_is_refused(make: Any, tmp_path: Path) -> None:
    make.write_cifar(tmp_path / "set")
    with make.tarfile.open(tmp_path / "a.tar", "w") as archive:
        archive.add(tmp_path / "set", arcname="one")
        archive.add(tmp_path / "set", arcname="two")
    with pytest.raises(DuplicateKeyError, match="twice"):
        open_cifar(tmp_path / "a.tar")


def test_other_folders_and_archives_are_not_recognised(make: Any, tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    (tmp_path / "meta").write_text("text")
    assert not CifarPython.recognises(tmp_path)
    (tmp_path / "data_batch_1").write_text("text")
    assert not CifarPython.recognises(tmp_path) and not CifarPython.recognises(tmp_path / "data_batch_1")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "a.txt").write_text("text")
    with make.tarfile.open(tmp_path / "other.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "other", arcname="other")
    assert not CifarPython.recognises(tmp_path / "other.tar.gz")


def test_the_published_batch_that_was_cut_is_named(shared_data: Path) -> None:
    for path in (shared_data / "truncated", shared_data / "truncated" / "data_batch_1"):
        assert CifarPython.recognises(path)
        with pytest.raises(StoreTruncatedError, match=r"data_batch_1.*needs 30740218 bytes"):
            open_cifar(path)


@pytest.mark.slow
def test_the_published_set_opens(shared_data: Path) -> None:
    source = open_cifar(shared_data / "cifar10" / "cifar-10-batches-py.tar.xz")
    assert len(source) == 60_000
    assert source.table["filename"][0].as_py() == "leptodactylus_pentadactylus_s_000004.png"
    assert np.bincount(source.table["label"].to_numpy()).tolist() == [6000] * 10
