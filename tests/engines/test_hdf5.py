from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from pixstore.engines.hdf5 import ENGINE
from pixstore.errors import CorruptStoreError, SchemaError, UnsafeInputError, WriterClosedError
from pixstore.schema import Field, Format, Schema
from pixstore.testing import EngineConformance, Shard, batch, noise, packed_records

RAW = Format("raw", (32, 32, 3), "uint8")
UNIFORM = Schema((Field("image", "raw", (32, 32, 3), "uint8"),))


class TestConformance(EngineConformance):
    engine = ENGINE


def write_images(folder: Path, images: np.ndarray[Any, Any], schema: Schema = UNIFORM) -> Shard:
    raw = Format("raw", images.shape[1:], images.dtype.name)
    return TestConformance().write(folder, schema, [batch(0, image=packed_records([each.tobytes() for each in images], raw))])


def images(count: int) -> np.ndarray[Any, Any]:
    return np.random.default_rng(0).integers(0, 256, (count, 32, 32, 3), np.uint8)


def test_a_uniform_field_is_one_growing_dataset_in_plain_chunks_of_whole_rows(tmp_path: Path) -> None:
    expected = images(1000)
    shard = write_images(tmp_path, expected)
    with h5py.File(shard.path) as file:
        dataset = file["image"]
        assert np.array_equal(dataset[:], expected)
        assert (dataset.dtype, dataset.maxshape, dataset.chunks) == (np.uint8, (None, 32, 32, 3), (341, 32, 32, 3))
        assert (dataset.compression, dataset.shuffle, dataset.fletcher32) == (None, False, False)
        assert "missing" not in dataset.attrs


@pytest.mark.parametrize("dtype", ["bool", "uint16", "int64", "float16", "float32", "float64"])
def test_arrays_keep_their_type_in_the_file(tmp_path: Path, dtype: str) -> None:
    expected = np.arange(60).reshape(10, 6).astype(dtype)
    shard = write_images(tmp_path, expected, Schema((Field("image", "raw", (6,), dtype),)))
    with h5py.File(shard.path) as file:
        assert file["image"].dtype == np.dtype(dtype)
        assert np.array_equal(file["image"][:], expected)


@pytest.mark.parametrize(("shape", "dtype"), [((2,), "complex64"), ((2,), "longdouble"), ((0, 3), "uint8")])
def test_what_not_every_hdf5_holds_is_stored_as_bytes(tmp_path: Path, shape: tuple[int, ...], dtype: str) -> None:
    expected = np.ones((3, *shape), dtype)
    shard = write_images(tmp_path, expected, Schema((Field("image", "raw", shape, dtype),)))
    with h5py.File(shard.path) as file:
        assert isinstance(file["image/index"], h5py.Dataset)
    TestConformance().check(shard)


def test_a_record_of_another_size_is_refused_and_the_shard_is_gone(tmp_path: Path) -> None:
    path, writer = TestConformance().create(tmp_path, UNIFORM)
    writer.append(batch(0, image=packed_records([bytes(3072)], RAW)))
    with pytest.raises(SchemaError, match="3,072 bytes in this shard, not of 3,071"):
        writer.append(batch(1, image=packed_records([bytes(3071)], RAW)))
    assert not path.exists()
    with pytest.raises(WriterClosedError):
        writer.seal()


@pytest.mark.parametrize("share", [0.0, 0.3, 0.99])
def test_a_cut_file_is_refused(tmp_path: Path, share: float) -> None:
    path = write_images(tmp_path, images(100)).path
    os.truncate(path, int(path.stat().st_size * share))
    with pytest.raises(CorruptStoreError, match=str(path)):
        ENGINE.open(path, UNIFORM)


def test_a_field_that_is_not_there_is_damage(tmp_path: Path) -> None:
    reader = ENGINE.open(write_images(tmp_path, images(2)).path, UNIFORM)
    with pytest.raises(CorruptStoreError, match="mask"):
        reader.read("mask", [0])
    reader.close()


@pytest.mark.parametrize("kind", ["external link", "soft link", "external storage", "virtual"])
def test_bytes_outside_the_file_are_not_read(tmp_path: Path, kind: str) -> None:
    secret = tmp_path / "secret.h5"
    with h5py.File(secret, "w") as file:
        file["image"] = np.full((4, 4), 7, np.uint8)
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        if kind == "external link":
            file["image"] = h5py.ExternalLink("secret.h5", "/image")
        elif kind == "soft link":
            file["image"] = h5py.SoftLink("/elsewhere")
        elif kind == "external storage":
            file.create_dataset("image", (4, 4), np.uint8, external=[(str(secret), 0, 16)])
        else:
            layout = h5py.VirtualLayout((4, 4), np.uint8)
            layout[:] = h5py.VirtualSource(str(secret), "image", (4, 4))
            file.create_virtual_dataset("image", layout)
    reader = ENGINE.open(path, Schema())
    with pytest.raises(UnsafeInputError, match="not"):
        reader.read("image", [0])
    reader.close()


@pytest.mark.slow
@pytest.mark.parametrize("uniform", [True, False], ids=["uniform", "not uniform"])
def test_more_than_a_gigabyte_comes_back(tmp_path: Path, uniform: bool) -> None:
    shape = (1024, 1024, 3)
    form = Format("raw", shape, "uint8")
    schema = Schema((Field("image", "raw", shape, "uint8") if uniform else Field("image", "png"),))
    path, writer = TestConformance().create(tmp_path, schema, max_bytes=1 << 31)
    stored = [noise(3 << 20, row) for row in range(360)]
    for first in range(0, 360, 9):
        writer.append(batch(first, image=packed_records(stored[first : first + 9], form)))
    shard = Shard(path, schema, {"image": stored}, writer.seal())
    assert path.stat().st_size > 1 << 30
    TestConformance().check(shard)
