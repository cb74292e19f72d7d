"""IDX files: MNIST's own as they are published, pairs by name, and what does not fit together."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

import pixstore
from pixstore.errors import CorruptStoreError, LabelMismatchError, LimitExceededError, NotAStoreError, PixstoreError, StoreTruncatedError
from pixstore.rows import Extents, Slices
from pixstore.source import SourceOptions
from pixstore.sources.idx import Idx

TYPES = {"u1": 8, "i1": 9, "i2": 11, "i4": 12, "f4": 13, "f8": 14}


def idx(array: NDArray[np.generic]) -> bytes:
    """Return an array as the description of the format has it."""
    kind = f"{array.dtype.kind}{array.dtype.itemsize}"
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, TYPES[kind], array.ndim, *array.shape) + array.astype(f">{kind}").tobytes()


def images(count: int, *more: int, kind: str = "u1") -> NDArray[np.generic]:
    return np.random.default_rng(count).integers(0, 100, (count, 5, 4, *more)).astype(kind)


def write(folder: Path, name: str, labels: str, count: int, *, wrong: int = 0) -> NDArray[np.generic]:
    folder.mkdir(exist_ok=True)
    made = images(count)
    for file, array in ((name, made), (labels, np.arange(count + wrong, dtype="u1") % 10)):
        (folder / file).write_bytes(gzip.compress(idx(array)) if file.endswith(".gz") else idx(array))
    return made


def opened(path: Path) -> Idx:
    return Idx.open(path, SourceOptions())


def test_the_published_files_are_read(shared_data: Path) -> None:
    folder = shared_data / "mnist-idx"
    theirs = gzip.decompress((folder / "t10k-images-idx3-ubyte.gz").read_bytes())
    labels = gzip.decompress((folder / "t10k-labels-idx1-ubyte.gz").read_bytes())
    dataset = pixstore.open(folder)
    assert np.array_equal(dataset.read(slice(None))["image"], np.frombuffer(theirs, np.uint8, offset=16).reshape(-1, 28, 28))
    assert dataset.table["label"].to_numpy().tolist() == list(labels[8:])
    assert set(dataset.table["split"].to_pylist()) == {"test"}
    alone = pixstore.open(folder / "t10k-images-idx3-ubyte.gz")
    assert len(alone) == 10_000 and alone.table.column_names == ["key", "label"]
    batch = next(iter(dataset.loader(64, shuffle=True, seed=1)))
    assert batch["image"].shape == (64, 28, 28, 3) and len(set(batch["label"].tolist())) > 5


def test_published_files_are_converted_exactly(shared_data: Path, tmp_path: Path) -> None:
    pixstore.convert(shared_data / "mnist-idx", tmp_path / "mnist.pixstore")
    ours, theirs = pixstore.open(tmp_path / "mnist.pixstore"), pixstore.open(shared_data / "mnist-idx")
    assert np.array_equal(ours.read(slice(None))["image"], theirs.read(slice(None))["image"])
    assert ours.table.equals(theirs.table)


@pytest.mark.parametrize(
    ("name", "labels"),
    [
        ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
        ("train-images.idx3-ubyte", "train-labels.idx1-ubyte"),
        ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"),
        ("train-images-idx3-ubyte", "train-labels-idx1-ubyte.gz"),
        ("emnist-letters-train-images-idx3-ubyte", "emnist-letters-train-labels-idx1-ubyte"),
        ("images.idx", "labels.idx"),
    ],
)
def test_labels_are_found_beside_images_by_name(tmp_path: Path, name: str, labels: str) -> None:
    made = write(tmp_path, name, labels, 12)
    assert Idx.recognises(tmp_path / name)
    source = opened(tmp_path / name)
    assert source.table["label"].to_pylist() == [number % 10 for number in range(12)]
    place = source.locate("image", np.arange(12))
    assert place is not None and isinstance(place.place, Slices if name.endswith(".gz") else Extents)
    assert np.array_equal(pixstore.open(tmp_path / name).read(slice(None))["image"], made)


def test_a_folder_of_four_files_has_the_splits(tmp_path: Path) -> None:
    test = write(tmp_path, "t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz", 3)
    train = write(tmp_path, "train-images-idx3-ubyte", "train-labels-idx1-ubyte", 5)
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(b"what was unpacked already")
    dataset = pixstore.open(tmp_path)
    assert dataset.table["split"].to_pylist() == ["train"] * 5 + ["test"] * 3
    assert dataset.table["label"].to_pylist() == [0, 1, 2, 3, 4, 0, 1, 2]
    assert np.array_equal(dataset.read(slice(None))["image"], np.concatenate([train, test]))


def test_several_sets_in_a_folder_are_listed(tmp_path: Path) -> None:
    write(tmp_path, "a-train-images-idx3-ubyte", "a-train-labels-idx1-ubyte", 3)
    write(tmp_path, "b-train-images-idx3-ubyte", "b-train-labels-idx1-ubyte", 3)
    with pytest.raises(NotAStoreError, match="several sets of images: a-train-images-idx3-ubyte, b-train-images-idx3-ubyte; open one"):
        opened(tmp_path)


@pytest.mark.parametrize("kind", list(TYPES))
def test_every_type_of_number_is_read(tmp_path: Path, kind: str) -> None:
    made = images(4, 3, kind=kind)
    (tmp_path / "x-images-idx4").write_bytes(idx(made))
    found = pixstore.open(tmp_path / "x-images-idx4").read(slice(None))["image"]
    assert np.array_equal(found, made) and found.dtype.itemsize == made.dtype.itemsize


@pytest.mark.parametrize("wrong", [-1, 1])
def test_wrongly_described_labels_of_another_number_are_refused(tmp_path: Path, wrong: int) -> None:
    write(tmp_path, "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte", 12, wrong=wrong)
    for path in (tmp_path, tmp_path / "t10k-images-idx3-ubyte"):
        with pytest.raises(LabelMismatchError, match=rf"t10k-labels-idx1-ubyte: has {12 + wrong} labels for the 12 images in t10k-images"):
            opened(path)


def test_wrongly_described_a_header_that_lies_is_refused(tmp_path: Path) -> None:
    whole = idx(images(12))
    path = tmp_path / "images-idx3-ubyte"
    path.write_bytes(whole[:-1])
    with pytest.raises(StoreTruncatedError, match="needs 256 bytes; 255 are there"):
        opened(path)
    path.write_bytes(whole + b"1")
    with pytest.raises(CorruptStoreError, match="needs 256 bytes; 257 are there"):
        opened(path)
    path.write_bytes(whole[:4] + b"\xff" * 12 + whole[16:])
    with pytest.raises(StoreTruncatedError, match="needs 79228162458924105385300197391 bytes"):
        opened(path)
    path.write_bytes(whole[:9])
    with pytest.raises(StoreTruncatedError, match="ends within its header"):
        opened(path)


def test_labels_alone_are_no_images(tmp_path: Path) -> None:
    (tmp_path / "labels").write_bytes(idx(np.arange(5, dtype="u1")))
    with pytest.raises(NotAStoreError, match=r"shape \(5,\), which are no images"):
        opened(tmp_path / "labels")


def test_images_without_pixels_are_no_images_however_many_there_are(tmp_path: Path) -> None:
    (tmp_path / "images").write_bytes(b"\0\0\x08\x03" + struct.pack(">3I", 2**32 - 1, 0, 28))
    with pytest.raises(NotAStoreError, match=r"shape \(4294967295, 0, 28\)"):
        opened(tmp_path / "images")


SAMPLE = idx(images(3))


@settings(max_examples=100)
@given(place=st.integers(0, 15), noise=st.binary(min_size=1, max_size=8))
def test_a_changed_header_is_other_images_or_one_of_our_errors(tmp_path_factory: pytest.TempPathFactory, place: int, noise: bytes) -> None:
    content = bytearray(SAMPLE)
    content[place : place + len(noise)] = noise
    path = tmp_path_factory.getbasetemp() / "images"
    path.write_bytes(content)
    if Idx.recognises(path):
        try:
            source = opened(path)
        except PixstoreError as error:
            assert str(path) in str(error)
        else:
            assert len(source) * source.schema.fields[0].shape[0] < 1000  # type: ignore[index]


def test_a_bomb_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pixstore.sources.archives.archive.FREE_BYTES", 1 << 20)
    (tmp_path / "images-idx3-ubyte.gz").write_bytes(gzip.compress(b"\0\0\x08\x03" + struct.pack(">3I", 40, 1000, 1000) + bytes(40_000_000)))
    with pytest.raises(LimitExceededError, match="gunzip"):
        opened(tmp_path / "images-idx3-ubyte.gz")


def test_what_is_no_idx_is_not_recognised(tmp_path: Path) -> None:
    (tmp_path / "icon.ico").write_bytes(b"\0\0\x01\0" + bytes(50))
    (tmp_path / "text.gz").write_bytes(gzip.compress(b"hello"))
    (tmp_path / "images-idx3-ubyte").write_bytes(b"no idx at all")
    assert not any(Idx.recognises(path) for path in (*tmp_path.iterdir(), tmp_path))


def test_labels_of_one_split_are_kept_and_the_others_have_none(tmp_path: Path) -> None:
    write(tmp_path, "train-images-idx3-ubyte", "train-labels-idx1-ubyte", 3)
    write(tmp_path, "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte", 2)
    with_all = opened(tmp_path).table["label"].to_pylist()
    (tmp_path / "t10k-labels-idx1-ubyte").unlink()
    found = opened(tmp_path)
    assert found.table["label"].to_pylist() == [*with_all[:3], None, None]
    assert "t10k-images-idx3-ubyte: no file of labels beside it" in found.report.notes


def test_images_larger_than_any_are_refused_even_where_there_are_none(tmp_path: Path) -> None:
    (tmp_path / "images").write_bytes(struct.pack(">BBBBIII", 0, 0, 8, 3, 0, 2**32 - 1, 2**32 - 1))
    with pytest.raises(LimitExceededError, match="the limit is"):
        opened(tmp_path / "images")


def test_wrongly_described_a_set_beside_folders_of_images_does_not_hide_them(tmp_path: Path) -> None:
    write(tmp_path, "train-images-idx3-ubyte", "train-labels-idx1-ubyte", 3)
    (tmp_path / "cat").mkdir()
    Image.fromarray(np.zeros((4, 5, 3), np.uint8)).save(tmp_path / "cat" / "1.png")
    assert not Idx.recognises(tmp_path) and Idx.recognises(tmp_path / "train-images-idx3-ubyte")
    assert pixstore.open(tmp_path).keys.to_pylist() == ["cat/1.png"]
