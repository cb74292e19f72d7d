"""The zarr engine: the conformance suite, what Zarr reads, chunk files, and damage."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import zarr

import pixstore
from pixstore.engines import zarr as engine
from pixstore.errors import MissingRecordError, PixstoreError
from pixstore.schema import Schema
from pixstore.testing import EngineConformance

IMAGES = np.random.default_rng(0).integers(0, 256, (700, 32, 32, 3), np.uint8)
IMAGES[350:] = 0


class TestConformance(EngineConformance):
    engine = engine.ENGINE


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with pixstore.Writer(tmp_path / "s", engine="zarr", codec="raw", durability="process") as writer:
        writer.add_batch(IMAGES)
    return next((tmp_path / "s/shards").glob("*.zarr"))


def test_zarr_reads_one_array_and_chunks_of_zeros_have_files_too(path: Path) -> None:
    array = zarr.open_group(path, mode="r")["image"]
    assert array.shape == IMAGES.shape and array.dtype == np.uint8 and np.array_equal(array[:], IMAGES)
    chunks = sorted((path / "image/c").rglob("0"), key=lambda file: len(file.parts))
    assert len([each for each in chunks if each.is_file()]) == -(-700 // (1_048_576 // 3072))


def test_a_chunk_that_is_gone_is_missing_and_not_zeros(path: Path) -> None:
    (path / "image/c/2/0/0/0").unlink()
    reader = engine.ENGINE.open(path, Schema())
    assert reader.read("image", [0, 1]) == [IMAGES[0].tobytes(), IMAGES[1].tobytes()]
    with pytest.raises(MissingRecordError, match="its file is gone"):
        reader.read("image", [699])
    reader.close()


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b'{"zarr_format": 3, "node_type": "array"}'])
def test_damaged_metadata_end_in_an_error_of_ours(path: Path, text: bytes) -> None:
    (path / "image/zarr.json").write_bytes(text)
    with pytest.raises(PixstoreError):
        engine.ENGINE.open(path, Schema()).read("image", [0])
