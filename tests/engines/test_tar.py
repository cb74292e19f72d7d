"""The tar engine: the conformance suite, and what WebDataset and tarfile make of a shard."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import pytest
import webdataset
from PIL import Image

import pixstore
from pixstore.engines import tar
from pixstore.errors import CorruptStoreError
from pixstore.schema import Schema
from pixstore.testing import ODD_KEYS, EngineConformance

IMAGES = np.random.default_rng(0).integers(0, 256, (6, 5, 4, 3), np.uint8)


class TestConformance(EngineConformance):
    engine = tar.ENGINE


def samples(store: Path) -> list[dict[str, Any]]:
    """Return what WebDataset finds in the only shard."""
    archive = next((store / "shards").glob("*.tar"))
    return list(webdataset.WebDataset(str(archive), shardshuffle=False))


@pytest.fixture
def store(tmp_path: Path) -> Path:
    with pixstore.Writer(tmp_path / "s", engine="tar", codec={"image": "png", "mask": "raw"}) as writer:
        for row, image in enumerate(IMAGES):
            masks = {} if row == 2 else {"mask": image[..., 0]}
            writer.add(image, key=f"cats/{row}.v1.png", **masks)
    return tmp_path / "s"


# WebDataset leaves the file that it was given by name to the collector.
@pytest.mark.filterwarnings("ignore:unclosed file", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_webdataset_groups_the_fields_of_a_sample(store: Path) -> None:
    found = samples(store)
    assert [unquote(each["__key__"]) for each in found] == [f"cats/{row}.v1.png" for row in range(6)]
    for row, each in enumerate(found):
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(each["png"]))), IMAGES[row])
        assert ("mask.npy" in each) == (row != 2)
    assert np.array_equal(np.load(io.BytesIO(found[3]["mask.npy"])), IMAGES[3, ..., 0])


@pytest.mark.filterwarnings("ignore:unclosed file", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_webdataset_finds_as_many_samples_as_keys_whatever_they_are(tmp_path: Path) -> None:
    keys = [*ODD_KEYS, "__a__", "a.b", "a.c", "a.b.c", "a%2Eb"]
    with pixstore.Writer(tmp_path / "s", engine="tar", codec="png") as writer:
        writer.add_batch(np.zeros((len(keys), 2, 2), np.uint8), key=keys)
    found = [each["__key__"] for each in samples(tmp_path / "s")]
    assert len(set(found)) == len(found) == len(keys)
    assert [unquote(each) for each in found if "~" not in each] == [key for key in keys if len(key.encode()) < 180]


def test_a_key_that_comes_twice_is_two_samples(tmp_path: Path) -> None:
    with pixstore.Writer(tmp_path / "s", engine="tar", codec="png") as writer:
        writer.add(IMAGES[0], key="a")
        writer.delete("a")
        writer.add(IMAGES[1], key="a")
    assert np.array_equal(pixstore.open(tmp_path / "s")["a"].image, IMAGES[1])
    with tarfile.open(next((tmp_path / "s/shards").glob("*.tar"))) as archive:
        names = archive.getnames()
    assert len(set(names)) == len(names) and names[-1] == tar.ROWS


def test_the_same_rows_are_the_same_archive(store: Path, tmp_path: Path) -> None:
    first = next((store / "shards").glob("*.tar")).read_bytes()
    with pixstore.Writer(tmp_path / "again", engine="tar", codec={"image": "png", "mask": "raw"}) as writer:
        for row, image in enumerate(IMAGES):
            writer.add(image, key=f"cats/{row}.v1.png", **({} if row == 2 else {"mask": image[..., 0]}))
    assert next((tmp_path / "again/shards").glob("*.tar")).read_bytes() == first
    assert first.endswith(bytes(1024)) and len(first) % 512 == 0


@pytest.mark.parametrize("place", [-1025, -1040, -1045])
def test_a_damaged_end_is_refused(store: Path, place: int) -> None:
    path = next((store / "shards").glob("*.tar"))
    data = bytearray(path.read_bytes())
    data[place] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(CorruptStoreError, match=path.name):
        tar.ENGINE.open(path, Schema()).read("image", [0, 1, 2, 3, 4, 5])
    path.write_bytes(data[:100])
    with pytest.raises(CorruptStoreError, match="shorter"):
        tar.ENGINE.open(path, Schema())
