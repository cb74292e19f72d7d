"""Every codec in a store: written, read, trained from, verified, compared, converted, taken out again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import pixstore
from pixstore.encoding import CODECS, record_codec
from pixstore.errors import RecordError
from pixstore.loader.transforms import HorizontalFlip
from pixstore.record_table import impossible_places
from pixstore.schema import Format

IMAGES = np.random.default_rng(0).integers(0, 256, (6, 24, 20, 3)).astype(np.uint8)
LOSSLESS = [codec for codec in CODECS if codec not in ("jpeg", "webp", "avif")]


def written(path: Path, codec: str, **options: int) -> Path:
    with pixstore.Writer(path, codec=codec, durability="process", **options) as writer:
        writer.add_batch(IMAGES, label=np.arange(6))
    return path


@pytest.mark.parametrize("codec", CODECS)
def test_a_store_of_every_codec_is_read_loaded_and_verified(tmp_path: Path, codec: str) -> None:
    with pixstore.open(written(tmp_path / "s", codec)) as dataset:
        images = dataset[:]["image"]
        assert images.shape == IMAGES.shape and dataset.formats(np.arange(1))[0].codec == record_codec(codec)
        if codec in LOSSLESS:
            np.testing.assert_array_equal(images, IMAGES)
        loader = dataset.loader(3, transforms=[HorizontalFlip(1.0)])
        batches = np.concatenate([batch["image"] for batch in loader])
        np.testing.assert_array_equal(batches, images[:, :, ::-1])
    assert pixstore.verify(tmp_path / "s").ok


@pytest.mark.parametrize("codec", [codec for codec in CODECS if codec != "raw"])
def test_damage_is_found_in_every_codec(tmp_path: Path, codec: str) -> None:
    path = written(tmp_path / "s", codec)
    (pixels,) = (path / "shards").glob("*.bin")
    data = bytearray(pixels.read_bytes())
    data[len(data) // 2] ^= 0xFF
    pixels.write_bytes(bytes(data))
    assert not pixstore.verify(path).ok
    with pixstore.open(path) as dataset, pytest.raises(RecordError, match="checksum"):
        dataset[:]


@pytest.mark.parametrize("codec", ["zstd", "lz4", "qoi", "webp-lossless"])
@pytest.mark.parametrize("engine", ["packed", "files", "lmdb", "hdf5"])
def test_converting_there_and_back_keeps_every_sample(tmp_path: Path, codec: str, engine: str) -> None:
    source = written(tmp_path / "raw", "raw")
    pixstore.convert(source, tmp_path / "there", codec=codec, engine=engine, durability="process", check="decode")
    pixstore.convert(tmp_path / "there", tmp_path / "back", codec="raw", durability="process")
    assert pixstore.compare(source, tmp_path / "back").equal
    assert pixstore.compare(source, tmp_path / "there", pixels=True).equal
    if engine == "files":
        suffix = {"zstd": ".zst", "webp-lossless": ".webp"}.get(codec, f".{codec}")
        assert len([*(tmp_path / "there").rglob(f"*{suffix}")]) == 6


def test_a_further_version_keeps_lossless_webp_lossless(tmp_path: Path) -> None:
    path = written(tmp_path / "s", "webp-lossless")
    with pixstore.Writer(path, mode="a", durability="process") as writer:
        writer.add_batch(IMAGES, label=np.arange(6))
    with pixstore.open(path) as dataset:
        np.testing.assert_array_equal(dataset[:]["image"], np.concatenate([IMAGES, IMAGES]))


def test_numbers_of_any_kind_are_compressed(tmp_path: Path) -> None:
    depths = np.random.default_rng(0).normal(size=(5, 3, 4)).astype(np.float32)
    with pixstore.Writer(tmp_path / "s", codec="zstd", level=19, durability="process") as writer:
        writer.add_batch(depths)
    with pixstore.open(tmp_path / "s") as dataset:
        np.testing.assert_array_equal(dataset[:]["image"], depths)


@pytest.mark.parametrize("codec", ["zstd", "lz4"])
def test_a_table_that_says_more_than_a_record_can_hold_is_refused_before_memory_is_taken(codec: str) -> None:
    records = pixstore.codec.encode(np.zeros((1, 8, 8, 3), np.uint8), codec)
    from_table = Format(codec, (1 << 18, 1 << 18, 3), "uint8")
    assert impossible_places([from_table], None, records.slices.length).tolist() == [0]


def test_images_of_a_folder_are_found_in_every_format(tmp_path: Path) -> None:
    for kind in ("webp", "qoi", "avif", "png"):
        Image.fromarray(IMAGES[0]).save(tmp_path / f"a.{kind}", **({"lossless": True} if kind == "webp" else {}))
    with pixstore.open(tmp_path) as dataset:
        assert sorted(each.codec or "" for each in dataset.formats(np.arange(4))) == ["avif", "png", "qoi", "webp"]
        for row in range(4):
            assert np.abs(dataset[row]["image"].astype(int) - IMAGES[0]).mean() < (60 if "avif" in dataset[row].key else 1)
    report = pixstore.convert(tmp_path, tmp_path.with_name("kept"), durability="process")
    assert not report.bad_rows
    with pixstore.open(tmp_path.with_name("kept")) as kept:
        assert kept.encoded("a.qoi") == (tmp_path / "a.qoi").read_bytes()
