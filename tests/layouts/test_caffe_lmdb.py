"""Exported as Caffe's LMDB: py-lmdb and Caffe's message in the protobuf library find the same pixels and labels, and so do we."""

from __future__ import annotations

import importlib
import io
import sys
from pathlib import Path
from typing import Any

import lmdb
import numpy as np
import pytest
from PIL import Image

import pixstore
from pixstore.errors import InvalidInputError, LossNotAcceptedError

sys.path.append(str(Path(__file__).parents[1]))
make = importlib.import_module("foreign_databases")


def messages(path: Path) -> dict[str, Any]:
    """Read as Caffe's data layer does: in the order of the keys."""
    with lmdb.open(str(path), readonly=True, lock=False) as environment, environment.begin() as transaction:
        return {key.decode(): make.Datum.FromString(value) for key, value in transaction.cursor()}


def pixels(datum: Any) -> Any:
    """Return H·W·C in RGB, as whoever has a Datum makes it: planes of BGR, or an image file."""
    if datum.encoded:
        return np.asarray(Image.open(io.BytesIO(datum.data)))
    values = np.array(datum.float_data, np.float32) if datum.float_data else np.frombuffer(datum.data, np.uint8)
    image = values.reshape(datum.channels, datum.height, datum.width).transpose(1, 2, 0)
    return image[..., ::-1] if datum.channels == 3 else image


def store(path: Path, images: Any, codec: str = "raw", **columns: Any) -> Path:
    with pixstore.Writer(path, codec=codec, durability="process") as writer:
        for number, image in enumerate(images):
            writer.add(image, key=f"cat{number:02}", **{name: values[number] for name, values in columns.items()})
    return path


def test_arrays_become_planes_of_bgr(tmp_path: Path) -> None:
    images = make.images(9)
    report = pixstore.export(store(tmp_path / "s", images, label=list(range(9))), tmp_path / "out", to="caffe-lmdb", check=True)
    assert report.losses == []
    found = messages(tmp_path / "out")
    assert list(found) == [f"cat{number:02}" for number in range(9)]
    assert [datum.label for datum in found.values()] == list(range(9))
    assert all(np.array_equal(pixels(datum), image) for datum, image in zip(found.values(), images, strict=True))
    ours = pixstore.open(tmp_path / "out")
    assert np.array_equal(ours.read(slice(None))["image"], images) and ours.table["label"].to_pylist() == list(range(9))


def test_files_stay_what_they_are(tmp_path: Path) -> None:
    images = make.images(4)
    files = [make.encoded(image, form) for image, form in zip(images, ("png", "jpeg", "png", "jpeg"), strict=True)]
    pixstore.export(store(tmp_path / "s", files, codec="keep"), tmp_path / "out", to="caffe-lmdb")
    found = list(messages(tmp_path / "out").values())
    assert [datum.data for datum in found] == files and all(datum.encoded and not datum.HasField("label") for datum in found)


def test_floats_and_other_channels_are_kept(tmp_path: Path) -> None:
    images = [
        make.images(1)[0].astype(np.float32) / 3,
        make.images(2)[0][..., 0],
        make.images(1, channels=4)[0],
        make.images(1, channels=5)[0],
    ]
    for number, image in enumerate(images):
        place = tmp_path / f"out{number}"
        pixstore.export(store(tmp_path / f"s{number}", [image]), place, to="caffe-lmdb")
        ours = pixstore.open(place)[0].image
        assert ours.dtype == image.dtype and np.array_equal(np.squeeze(ours), np.squeeze(image))
    (floats,) = messages(tmp_path / "out0").values()
    assert np.array_equal(pixels(floats), images[0])


def test_keys_out_of_order_get_a_number_in_front(tmp_path: Path) -> None:
    with pixstore.Writer(tmp_path / "s", codec="raw", durability="process") as writer:
        for key, image in zip(("b", "a"), make.images(2), strict=True):
            writer.add(image, key=key, label=1, source="web")
    with pytest.raises(LossNotAcceptedError, match=r"number in front[\s\S]*source"):
        pixstore.export(tmp_path / "s", tmp_path / "out", to="caffe-lmdb")
    pixstore.export(tmp_path / "s", tmp_path / "out", to="caffe-lmdb", accept=("keys", "columns"))
    assert list(messages(tmp_path / "out")) == ["00000000_b", "00000001_a"]


@pytest.mark.parametrize(
    ("image", "columns", "words"),
    [
        (np.zeros((4, 4, 3), np.uint16), {}, "uint16"),
        (np.zeros((4, 4, 3), np.uint8), {"label": [1 << 40]}, "labels of 32 bits"),
    ],
)
def test_what_no_datum_holds_is_refused(tmp_path: Path, image: Any, columns: dict[str, Any], words: str) -> None:
    store(tmp_path / "s", [image], **columns)
    with pytest.raises(InvalidInputError, match=words):
        pixstore.export(tmp_path / "s", tmp_path / "out", to="caffe-lmdb")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["train_lmdb", "test_lmdb", "data/train_lmdb", "data/test_lmdb"])
def test_real_databases_train_in_place_and_come_back_the_same_out_of_a_store(shared_data: Path, tmp_path: Path, name: str) -> None:
    source = shared_data / "lmdb-foreign" / "caffe-authorship" / name
    dataset = pixstore.open(source)
    batches = list(dataset.loader(5))
    assert np.array_equal(np.concatenate([batch["image"] for batch in batches]), dataset.read(slice(None))["image"])
    assert np.concatenate([batch["label"] for batch in batches]).tolist() == dataset.table["label"].to_pylist()
    pixstore.convert(source, tmp_path / "store")
    pixstore.export(tmp_path / "store", tmp_path / "out", to="caffe-lmdb")
    assert messages(tmp_path / "out") == messages(source)
