"""Arrays in .npz files as NumPy saves them, plain and compressed: splits, labels, columns, and what does not fit."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pixstore
from pixstore.errors import CorruptStoreError, LabelMismatchError, LimitExceededError, NotAStoreError, PixstoreError, UnsafeInputError
from pixstore.rows import Extents, Slices
from pixstore.source import SourceOptions
from pixstore.sources.npz import Npz

SAVES = [np.savez, np.savez_compressed]


def images(*shape: int) -> Any:
    return np.random.default_rng(shape[0]).integers(0, 200, shape).astype("u1")


def opened(path: Path, **options: Any) -> Npz:
    return Npz.open(path, SourceOptions(**options))


@pytest.mark.parametrize("save", SAVES)
def test_images_and_labels_are_read_whatever_the_method(tmp_path: Path, save: Any) -> None:
    array = images(6, 8, 9, 3)
    save(tmp_path / "a.npz", images=array, labels=np.arange(6))
    dataset = pixstore.open(tmp_path / "a.npz")
    assert np.array_equal(dataset.read([5, 0, 0])["image"], array[[5, 0, 0]])
    assert dataset.table["label"].to_pylist() == list(range(6))
    assert isinstance(dataset.located("image", [0]).place, Extents if save is np.savez else Slices)


@pytest.mark.parametrize("save", SAVES)
@pytest.mark.parametrize(("x", "y"), [("x_{}", "y_{}"), ("{}_images", "{}_labels")])
def test_the_splits_that_keras_and_medmnist_publish_are_one_dataset(tmp_path: Path, save: Any, x: str, y: str) -> None:
    train, test = images(5, 8, 9), images(3, 8, 9)
    arrays = {
        x.format("test"): test,
        y.format("test"): np.zeros((3, 1), int),
        x.format("train"): train,
        y.format("train"): np.ones((5, 1), int),
    }
    save(tmp_path / "a.npz", **arrays)
    dataset = pixstore.open(tmp_path / "a.npz")
    assert dataset.table["split"].to_pylist() == ["train"] * 5 + ["test"] * 3
    assert dataset.table["label"].to_pylist() == [1] * 5 + [0] * 3
    assert np.array_equal(dataset.read(slice(None))["image"], np.concatenate([train, test]))


def test_arrays_without_names_are_images_and_labels(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", images(4, 8, 9, 3), np.array([1, 0, 1, 0]))
    assert opened(tmp_path / "a.npz").table["label"].to_pylist() == [1, 0, 1, 0]


def test_one_of_several_arrays_is_named_by_its_address(tmp_path: Path) -> None:
    first, second = images(4, 8, 9, 3), images(5, 6, 7)
    np.savez(tmp_path / "a.npz", one=first, two=second)
    with pytest.raises(NotAStoreError, match=r"one \(\|u1 \(4, 8, 9, 3\)\), two .* name one, as in a\.npz::one"):
        opened(tmp_path / "a.npz")
    assert np.array_equal(pixstore.open(f"{tmp_path}/a.npz::two").read(slice(None))["image"], second)
    with pytest.raises(NotAStoreError, match=r"has no array 'three'; arrays here: one"):
        opened(tmp_path / "a.npz", inner="three")


def test_a_mean_beside_images_is_no_second_set(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", faces=images(4, 8, 9, 3), mean=images(8, 9, 3))
    assert len(opened(tmp_path / "a.npz")) == 4


def test_other_arrays_with_a_value_per_image_are_columns_keys_and_classes(tmp_path: Path) -> None:
    arrays = {"key": np.array(["a", "b", "c"]), "weight": np.array([1.5, 2, 3], ">f4"), "classes": np.array(["cat", "dog"])}
    np.savez(tmp_path / "a.npz", images=images(3, 8, 9), labels=[1, 0, 1], **arrays)
    source = opened(tmp_path / "a.npz")
    assert source.table.to_pydict() == {"key": ["a", "b", "c"], "label": [1, 0, 1], "weight": [1.5, 2.0, 3.0]}
    assert source.schema.classes == {"label": ("cat", "dog")}


def test_wrongly_described_labels_beyond_the_names_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", images=images(3, 8, 9), labels=[1, 0, 2], classes=np.array(["cat", "dog"]))
    with pytest.raises(LabelMismatchError, match="1 labels are beyond the 2 names in classes, such as 2"):
        opened(tmp_path / "a.npz")


@pytest.mark.parametrize("count", [2, 4])
def test_wrongly_described_labels_of_another_number_are_refused(tmp_path: Path, count: int) -> None:
    np.savez(tmp_path / "a.npz", x_train=images(3, 8, 9), y_train=np.arange(count))
    with pytest.raises(LabelMismatchError, match=rf"a\.npz: y_train: {count} labels for the 3 images"):
        opened(tmp_path / "a.npz")


def test_wrongly_described_swapped_channels_are_put_right_where_it_is_said(tmp_path: Path) -> None:
    array = images(4, 8, 9, 3)
    np.savez_compressed(tmp_path / "a.npz", array)
    assert np.array_equal(pixstore.open(tmp_path / "a.npz", channel_order="bgr").read(slice(None))["image"], array[..., ::-1])


def zipped(path: Path, name: str, content: bytes, method: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr(name, content)
    return path


def test_wrongly_described_headers_and_foreign_members_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CorruptStoreError, match="does not begin as a NumPy array"):
        opened(zipped(tmp_path / "a.npz", "data.npy", b"evil"))
    made = io.BytesIO()
    np.save(made, images(3, 8, 9))
    with pytest.raises(CorruptStoreError, match="needs 344 bytes, 340 are there"):
        opened(zipped(tmp_path / "b.npz", "data.npy", made.getvalue()[:-4], zipfile.ZIP_DEFLATED))
    with pytest.raises(NotAStoreError, match="no array of images; arrays here: none"):
        opened(zipped(tmp_path / "c.npz", "readme.txt", b"text"))
    with pytest.raises(UnsafeInputError, match="leads elsewhere"):
        opened(zipped(tmp_path / "d.npz", "../data.npy", made.getvalue()))


def test_objects_are_never_loaded(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", images=np.array([None, 1], object))
    with pytest.raises(UnsafeInputError, match="nothing was run"):
        opened(tmp_path / "a.npz")


def test_a_deflated_array_beyond_the_limit_says_how_to_save_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.savez_compressed(tmp_path / "a.npz", images=np.zeros((10, 100, 100, 3), "u1"))
    monkeypatch.setattr("pixstore.sources.npz.MAX_INFLATED_BYTES", 100_000)
    with pytest.raises(LimitExceededError, match=r"save it with numpy\.savez"):
        opened(tmp_path / "a.npz")


def test_arrays_under_another_name_are_recognised_and_images_are_not(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", images(3, 8, 9))
    (tmp_path / "a.npz").rename(tmp_path / "a.zip")
    assert Npz.recognises(tmp_path / "a.zip")
    assert not Npz.recognises(zipped(tmp_path / "b.zip", "a.png", b"x"))


def packed(save: Any) -> bytes:
    made = io.BytesIO()
    save(made, images=images(3, 8, 9), labels=np.arange(3))
    return made.getvalue()


@settings(max_examples=150)
@given(sample=st.sampled_from([packed(save) for save in SAVES]), place=st.integers(0, 2000), noise=st.binary(min_size=1, max_size=8))
def test_changed_bytes_are_other_arrays_or_one_of_our_errors(
    tmp_path_factory: pytest.TempPathFactory, sample: bytes, place: int, noise: bytes
) -> None:
    content = bytearray(sample)
    content[place % len(content) : place % len(content) + len(noise)] = noise
    path = tmp_path_factory.getbasetemp() / "changed.npz"
    path.write_bytes(content)
    if Npz.recognises(path):
        try:
            source = opened(path)
            source.read("image", np.arange(len(source)))
        except PixstoreError as error:
            assert str(path) in str(error)


def test_wrongly_described_labels_that_are_names_in_one_split_and_numbers_in_the_other_are_refused(tmp_path: Path) -> None:
    arrays = {"x_train": images(3, 8, 9), "y_train": np.array(["b", "a", "a"]), "x_test": images(2, 8, 9), "y_test": np.array([0, 1])}
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(LabelMismatchError, match="of x_train are names, those of x_test are numbers"):
        opened(tmp_path / "a.npz")


def test_labels_of_one_split_are_kept_and_the_others_have_none(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x_train=images(3, 8, 9), y_train=[2, 0, 1], x_test=images(2, 8, 9), classes=["a", "b", "c"])
    found = opened(tmp_path / "a.npz")
    assert found.table["label"].to_pylist() == [2, 0, 1, None, None] and found.schema.classes == {"label": ("a", "b", "c")}
    assert any("no labels for x_test" in note for note in found.report.notes)


def test_names_of_one_split_are_kept_and_the_others_have_none(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x_train=images(3, 8, 9), y_train=["b", "a", "b"], x_test=images(2, 8, 9))
    found = opened(tmp_path / "a.npz")
    assert found.table["label"].to_pylist() == [1, 0, 1, None, None] and found.schema.classes == {"label": ("a", "b")}


def test_wrongly_described_arrays_whose_names_become_one_are_both_kept(tmp_path: Path) -> None:
    arrays = {"x": images(2, 8, 9), "y": [0, 1], "a b": [1, 2], "a_b": [3, 4], "label": [5, 6]}
    np.savez(tmp_path / "a.npz", **arrays)
    columns = opened(tmp_path / "a.npz").table.drop(["key"]).to_pydict()
    assert columns == {"label": [0, 1], "a_b": [1, 2], "metadata_a_b": [3, 4], "metadata_label": [5, 6]}


def test_arrays_that_are_no_columns_are_noted(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=images(2, 8, 9), y=[0, 1], boxes=np.zeros((2, 4)))
    assert any(
        "array boxes, <f8 of shape (2, 4), is no column and was left out" in note for note in opened(tmp_path / "a.npz").report.notes
    )


@pytest.mark.parametrize("save", SAVES)
def test_wrongly_described_labels_that_are_not_those_of_the_checksum_are_refused(tmp_path: Path, save: Any) -> None:
    save(tmp_path / "a.npz", x=images(2, 8, 9), y=np.array([0, 1], np.uint8))
    content = bytearray((tmp_path / "a.npz").read_bytes())
    with zipfile.ZipFile(tmp_path / "a.npz") as archive:
        end = content.index(b"PK", archive.getinfo("y.npy").header_offset + 30)
    content[end - 1] ^= 1
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(CorruptStoreError, match="y: "):
        opened(tmp_path / "a.npz")


def test_wrongly_described_labels_of_another_split_are_no_column_of_this_one(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x_train=images(2, 8, 9), y_train=[0, 1], x_test=images(2, 8, 9), y_test=[1, 1])
    found = opened(tmp_path / "a.npz", inner="x_train")
    assert found.table.column_names == ["key", "label"] and found.table["label"].to_pylist() == [0, 1]
