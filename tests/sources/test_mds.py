"""MDS: images of every encoding, shards raw and compressed, splits, and an index that lies."""

from __future__ import annotations

import json
import os
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import foreign_tables as foreign
import pixstore
from pixstore import registry
from pixstore.errors import (
    CorruptStoreError,
    DuplicateKeyError,
    InvalidInputError,
    PathNotFoundError,
    PixstoreError,
    StoreTruncatedError,
    UnsafeInputError,
)
from pixstore.source import Source, SourceOptions


def opened(path: Path, **options: Any) -> Source:
    return registry.open_source(path, SourceOptions(**options))


@pytest.mark.parametrize("compressed", [False, True])
def test_images_and_columns_are_read(tmp_path: Path, compressed: bool) -> None:
    images = foreign.mds(tmp_path / "d", compressed=compressed)
    dataset = pixstore.open(tmp_path / "d")
    assert dataset.encoded_many([9, 0, 4, 5]) == [images[9], images[0], images[4], images[5]]
    assert dataset.table.slice(8).to_pydict() == {
        "key": ["shard.00002/00000000", "shard.00002/00000001"],
        "label": [0, 1],
        "name": ["photo 8", "photo 9"],
        "weight": [4.0, 4.5],
    }
    assert (opened(tmp_path / "d").locate("image", np.array([0])) is None) == compressed


@pytest.mark.parametrize(
    ("encoding", "encode"),
    [("pil", foreign.mds_pil), ("ndarray", foreign.mds_array), ("ndarray:uint8", lambda image: foreign.mds_array(image)[1:])],
)
def test_arrays_of_any_shape_are_read_in_place(tmp_path: Path, encoding: str, encode: Any) -> None:
    images = [foreign.pixels(number, 5 + number, 6) for number in range(6)]
    foreign.write_mds(tmp_path / "d", {"image": encoding, "n": "str"}, [{"image": encode(image), "n": b"x"} for image in images])
    dataset = pixstore.open(tmp_path / "d")
    assert all(np.array_equal(dataset[number].image, image) for number, image in enumerate(images))
    assert dataset.extents("image", [5]) is not None


def test_compressed_arrays_have_their_formats(tmp_path: Path) -> None:
    images = [foreign.pixels(number, 5 + number, 6) for number in range(6)]
    foreign.write_mds(tmp_path / "d", {"image": "ndarray"}, [{"image": foreign.mds_array(image)} for image in images], compressed=True)
    dataset = pixstore.open(tmp_path / "d")
    assert all(np.array_equal(dataset[number].image, images[number]) for number in (5, 0, 3))


def test_planes_become_height_width_channels(tmp_path: Path) -> None:
    images = [foreign.pixels(number) for number in range(2)]
    rows = [{"image": foreign.mds_array(np.ascontiguousarray(image.transpose(2, 0, 1)))} for image in images]
    dataset = pixstore.open(foreign.write_mds(tmp_path / "d", {"image": "ndarray"}, rows))
    assert np.array_equal(dataset[1].image, images[1])


def test_a_folder_per_split_has_a_column_of_them(tmp_path: Path) -> None:
    for split in ("train", "val"):
        foreign.write_mds(tmp_path / "d" / split, foreign.MDS_COLUMNS, foreign.mds_rows(2))
    table = opened(tmp_path / "d").table
    assert table["split"].to_pylist() == ["train", "train", "val", "val"]
    assert table["key"][2].as_py() == "val/shard.00000/00000000"


def test_bytes_may_be_images_and_several_are_chosen_from(tmp_path: Path) -> None:
    images = foreign.encoded(2)
    rows = [{"left": image, "right": images[1 - number]} for number, image in enumerate(images)]
    path = foreign.write_mds(tmp_path / "d", {"left": "bytes", "right": "png"}, rows)
    with pytest.raises(InvalidInputError, match=r"several columns of images: left, right; choose one: .*::left"):
        opened(path)
    assert pixstore.open(f"{path}::right").encoded_many(slice(None)) == images[::-1]


def test_pickles_are_left_out_and_named(tmp_path: Path) -> None:
    rows = [{"image": foreign.encoded(1)[0], "extra": b"cos\nsystem\n(S'true'\ntR."}]
    source = opened(foreign.write_mds(tmp_path / "d", {"image": "png", "extra": "pkl"}, rows))
    assert "nothing is unpickled" in source.report.notes[0] and source.table.column_names == ["key"]


@pytest.mark.parametrize("compressed", [False, True])
def test_wrongly_described_swapped_channels_are_set_right_by_their_order(tmp_path: Path, compressed: bool) -> None:
    image = foreign.pixels(1)
    rows = [{"image": foreign.mds_array(np.ascontiguousarray(image[..., ::-1]))}]
    dataset = pixstore.open(foreign.write_mds(tmp_path / "d", {"image": "ndarray"}, rows, compressed=compressed), channel_order="bgr")
    assert np.array_equal(dataset[0].image, image) and dataset.schema.field("image").channel_order == "bgr"


def test_wrongly_described_a_missing_shard_is_named(tmp_path: Path) -> None:
    foreign.mds(tmp_path / "d")
    (tmp_path / "d" / "shard.00001.mds").unlink()
    with pytest.raises(PathNotFoundError, match=r"1 of 3 shards are missing: shard\.00001\.mds"):
        opened(tmp_path / "d")


@pytest.mark.parametrize("off", [-1, 1])
def test_wrongly_described_a_count_that_is_off_by_one_is_refused(tmp_path: Path, off: int) -> None:
    path = foreign.write_mds(tmp_path / "d", foreign.MDS_COLUMNS, foreign.mds_rows(4), samples=4 + off)
    with pytest.raises(CorruptStoreError, match=f"holds 4 samples, its index states {4 + off}"):
        opened(path)


def test_wrongly_described_sizes_of_files_are_refused(tmp_path: Path) -> None:
    foreign.mds(tmp_path / "d")
    os.truncate(tmp_path / "d" / "shard.00002.mds", 700)
    with pytest.raises(StoreTruncatedError, match=r"shard\.00002\.mds: has 700 bytes"):
        opened(tmp_path / "d")


def test_wrongly_described_shapes_are_refused(tmp_path: Path) -> None:
    image = foreign.pixels(0)
    for number, value in enumerate(
        (foreign.mds_array(image)[:-1], foreign.mds_array(image)[:3], b"\x08", b"\x05\x08\1\1", b"\x08\x08\0\0")
    ):
        path = foreign.write_mds(tmp_path / str(number), {"image": "ndarray"}, [{"image": foreign.mds_array(image)}, {"image": value}])
        with pytest.raises(CorruptStoreError, match="sample 1, column 'image'"):
            opened(path)
    rows = [{"image": struct.pack("<III", 7, 9, 1) + b"P" + bytes(63)}]
    with pytest.raises(CorruptStoreError, match="mode 'P'"):
        opened(foreign.write_mds(tmp_path / "pil", {"image": "pil"}, rows))


def test_wrongly_described_keys_twice_are_refused(tmp_path: Path) -> None:
    rows = [{"image": image, "key": b"same"} for image in foreign.encoded(2)]
    with pytest.raises(DuplicateKeyError, match="'same'"):
        opened(foreign.write_mds(tmp_path / "d", {"image": "png", "key": "str"}, rows))


@pytest.mark.parametrize(
    "stated",
    [{"column_encodings": ["png", "str", "str", "float32"]}, {"column_names": ["image", "name", "label", "weight"]}, {"column_names": []}],
)
def test_wrongly_described_columns_that_are_not_those_of_the_shard_are_refused(tmp_path: Path, stated: dict[str, list[str]]) -> None:
    path = foreign.write_mds(tmp_path / "d", foreign.MDS_COLUMNS, foreign.mds_rows(4))
    index = json.loads((path / "index.json").read_text())
    index["shards"][0].update({"column_names": ["image", "label", "name", "weight"], **stated})
    (path / "index.json").write_text(json.dumps(index))
    with pytest.raises(CorruptStoreError, match=r"shard\.00000\.mds: has the columns .* its index states|names 0 columns"):
        opened(path)


def test_wrongly_described_a_shard_that_says_nothing_of_its_columns_is_refused(tmp_path: Path) -> None:
    path = foreign.write_mds(tmp_path / "d", foreign.MDS_COLUMNS, foreign.mds_rows(4))
    shard = path / "shard.00000.mds"
    shard.write_bytes(shard.read_bytes().replace(b'"column_names"', b'"column_nemas"'))
    with pytest.raises(CorruptStoreError, match=r"shard\.00000\.mds: what it says of its columns is not readable"):
        opened(path)


def test_a_name_that_leaves_the_folder_is_refused(tmp_path: Path) -> None:
    for name in ("../index.json", "/etc/passwd", "a/b", ".."):
        (tmp_path / "d").mkdir(exist_ok=True)
        shard = {
            "format": "mds",
            "column_names": ["i"],
            "column_encodings": ["png"],
            "samples": 1,
            "raw_data": {"basename": name, "bytes": 1},
        }
        (tmp_path / "d" / "index.json").write_text(json.dumps({"version": 2, "shards": [shard]}))
        with pytest.raises(UnsafeInputError, match="no plain name"):
            opened(tmp_path / "d")


def test_any_damage_is_an_error_of_ours(tmp_path: Path) -> None:
    path = foreign.write_mds(
        tmp_path / "d", {"image": "ndarray", "n": "str"}, [{"image": foreign.mds_array(foreign.pixels(n)), "n": b"x"} for n in range(3)]
    )
    whole = (path / "shard.00000.mds").read_bytes()
    random = np.random.default_rng(0)
    for _ in range(150):
        damaged = bytearray(whole)
        damaged[int(random.integers(0, 250))] ^= int(random.integers(1, 256))
        (path / "shard.00000.mds").write_bytes(damaged)
        try:
            source = opened(path)
            source.read("image", np.arange(len(source)))
        except PixstoreError as error:
            assert str(path) in str(error)


def test_a_compressed_shard_that_unpacks_to_another_size_is_refused(tmp_path: Path) -> None:
    path = foreign.write_mds(tmp_path / "d", foreign.MDS_COLUMNS, foreign.mds_rows(4), compressed=True)
    index = json.loads((path / "index.json").read_text())
    for size in (100, 1 << 20, 1 << 60):
        index["shards"][0]["raw_data"]["bytes"] = size
        (path / "index.json").write_text(json.dumps(index))
        with pytest.raises(PixstoreError, match=r"shard\.00000\.mds\.zstd"):
            opened(path)


def test_other_compressions_are_refused_by_name(tmp_path: Path) -> None:
    path = foreign.write_mds(tmp_path / "d", foreign.MDS_COLUMNS, foreign.mds_rows(2), compressed=True, compression="br:11")
    with pytest.raises(InvalidInputError, match="'br:11'; only zstd is read"):
        opened(path)
