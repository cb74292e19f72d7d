"""A pickled dataset opens what was opened first, or says that it is not there any more."""

from __future__ import annotations

import os
import pickle
import shutil
import tarfile
from io import BytesIO
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image

import pixstore
from pixstore.errors import StoreBusyError


def images(count: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 255, (count, 4, 5, 3), np.uint8)


def made_npz(path: Path) -> None:
    np.savez(path, images=images(6), labels=np.arange(6))


def made_npy(path: Path) -> None:
    np.save(path, images(6))


def made_hdf5(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["images"], file["labels"] = images(6), np.arange(6)


def made_tar(path: Path) -> None:
    with tarfile.open(path, "w:gz" if path.suffix == ".gz" else "w") as archive:
        for number, image in enumerate(images(6)):
            member, data = tarfile.TarInfo(f"{number}.png"), BytesIO()
            Image.fromarray(image).save(data, "png")
            member.size = len(data.getvalue())
            archive.addfile(member, BytesIO(data.getvalue()))


@pytest.mark.parametrize("name", ["a.npz", "a.npy", "a.h5", "a.tar", "a.tar.gz"])
def test_a_file_of_the_same_size_that_was_changed_is_refused_where_it_is_unpickled(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    {".npz": made_npz, ".npy": made_npy, ".h5": made_hdf5}.get(path.suffix, made_tar)(path)
    sent = pickle.dumps(pixstore.open(path))
    assert len(sent) < 1024
    assert len(pickle.loads(sent)) == 6
    again = pickle.dumps(pickle.loads(sent))
    status = os.stat(path)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    for each in (sent, again):
        with pytest.raises(StoreBusyError, match=rf"{name}: was changed after it was opened; open it again"):
            pickle.loads(each)


def test_a_file_that_changed_between_opening_and_pickling_is_refused(tmp_path: Path) -> None:
    made_npy(tmp_path / "a.npy")
    ds = pixstore.open(tmp_path / "a.npy")
    np.save(tmp_path / "a.npy", 255 - images(6))
    os.utime(tmp_path / "a.npy", ns=(1, 1))
    with pytest.raises(StoreBusyError, match="was changed"):
        pickle.loads(pickle.dumps(ds))


def test_a_copy_of_the_same_file_is_the_same(tmp_path: Path) -> None:
    """A node that has its own copy, or its own mount, gives files other inodes."""
    made_npz(tmp_path / "a.npz")
    sent = pickle.dumps(pixstore.open(tmp_path / "a.npz"))
    shutil.copy2(tmp_path / "a.npz", tmp_path / "b")
    os.replace(tmp_path / "b", tmp_path / "a.npz")
    assert len(pickle.loads(sent)) == 6


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("cat/1.png", "cat/2.png", "dog/3.png"):
        (tmp_path / "photos" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (3, 2)).save(tmp_path / "photos" / name)
    return tmp_path / "photos"


def test_a_folder_of_other_images_is_refused_where_it_is_unpickled(folder: Path) -> None:
    sent = pickle.dumps(pixstore.open(folder))
    assert len(sent) < 1024 and len(pickle.loads(sent)) == 3
    (folder / "cat" / "2.png").rename(folder / "dog" / "2.png")
    with pytest.raises(StoreBusyError, match="photos: was changed"):
        pickle.loads(sent)


def test_a_folder_of_other_labels_is_refused_where_it_is_unpickled(folder: Path, tmp_path: Path) -> None:
    def label(values: str) -> None:
        rows = zip(("cat/1.png", "cat/2.png", "dog/3.png"), values, strict=True)
        (folder / "metadata.csv").write_text("file_name,label\n" + "".join(f"{name},{value}\n" for name, value in rows))

    label("012")
    sent = pickle.dumps(pixstore.open(folder))
    assert pickle.loads(sent).table["label"].to_pylist() == [0, 1, 2]
    label("021")
    with pytest.raises(StoreBusyError, match="photos: was changed"):
        pickle.loads(sent)


def test_each_of_several_datasets_is_compared(folder: Path, tmp_path: Path) -> None:
    masks = tmp_path / "masks"
    shutil.copytree(folder, masks)
    sent = pickle.dumps(pixstore.open({"image": folder, "mask": masks}))
    assert len(sent) < 1024 and len(pickle.loads(sent)) == 3
    Image.new("L", (3, 2)).save(masks / "more.png")
    with pytest.raises(StoreBusyError, match="masks: was changed"):
        pickle.loads(sent)


def test_a_folder_of_batches_is_compared_by_the_states_of_its_files(tmp_path: Path) -> None:
    (tmp_path / "batches.meta.txt").write_text("\n".join("abcdefghij") + "\n")
    for name in (*(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin"):
        (tmp_path / name).write_bytes(bytes(3073))
    sent = pickle.dumps(pixstore.open(tmp_path))
    assert len(pickle.loads(sent)) == 6
    os.utime(tmp_path / "test_batch.bin", ns=(1, 1))
    with pytest.raises(StoreBusyError, match="was changed"):
        pickle.loads(sent)


def test_work_that_compares_keys_itself_opens_what_lies_there_then(tmp_path: Path) -> None:
    for name in "ab":
        Image.new("RGB", (4, 4), "red").save(tmp_path / f"{name}.png")
    with pixstore.open(tmp_path) as dataset:
        pinned, unpinned = pickle.dumps(dataset), pickle.dumps(dataset.unpinned())
    (tmp_path / "b.png").unlink()
    with pytest.raises(StoreBusyError, match="was changed after it was opened"):
        pickle.loads(pinned)
    assert pickle.loads(unpinned).keys.to_pylist() == ["a.png"]
