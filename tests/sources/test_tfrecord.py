"""TFRecord of tf.train.Example: encoded and raw images, labels with names, shards, and records that lie."""

from __future__ import annotations

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
)
from pixstore.source import Source, SourceOptions
from pixstore.sources.tfrecord import SOURCE


def opened(path: Path, **options: Any) -> Source:
    return registry.open_source(path, SourceOptions(**options))


def test_imagenets_features_are_image_label_and_class_names(tmp_path: Path) -> None:
    rows = [{**row, "image/filename": f"{number}.JPEG", "image/height": 9} for number, row in enumerate(foreign.image_rows(5))]
    dataset = pixstore.open(foreign.write_tfrecord(tmp_path / "x.tfrecord", rows))
    assert dataset.classes == ("cat", "dog")
    assert dataset.table.select(["key", "label", "image/height"]).to_pydict() == {
        "key": [f"{number}.JPEG" for number in range(5)],
        "label": [0, 1, 0, 1, 0],
        "image/height": [9] * 5,
    }
    assert all(np.array_equal(dataset[number].image, foreign.pixels(number)) for number in range(5))


def test_captchas_are_read_in_place(shared_data: Path) -> None:
    path = shared_data / "tfrecord-foreign" / "captcha" / "train.tfrecord"
    dataset = pixstore.open(path)
    assert len(dataset) == 1854 and dataset[0].image.shape == (28, 72, 4)
    assert dataset.table["label"][:2].to_pylist() == [[6, 8, 8, 3], [5, 6, 2, 1]]
    extents = dataset.extents("image", [1853])
    assert extents is not None and len(dataset.loader(64)) == 29


def test_raw_images_need_their_sizes(tmp_path: Path) -> None:
    images = [foreign.pixels(number, 4 + number, 5) for number in range(3)]
    rows = [{"image_raw": image.tobytes(), "height": len(image), "width": 5, "depth": 3} for image in images]
    dataset = pixstore.open(foreign.write_tfrecord(tmp_path / "x.tfrecord", rows))
    assert all(np.array_equal(dataset[number].image, image) for number, image in enumerate(images))


def test_raw_images_without_a_depth_get_it_from_their_length(tmp_path: Path) -> None:
    rows = [{"image/raw": bytes(range(20)), "rows": 4, "cols": 5}]
    assert pixstore.open(foreign.write_tfrecord(tmp_path / "x.tfrecord", rows))[0].image.shape == (4, 5, 1)


def test_several_images_are_listed_and_one_is_chosen(tmp_path: Path) -> None:
    rows = [{"left": foreign.encoded(1)[0], "right": foreign.png(foreign.pixels(7))}]
    path = foreign.write_tfrecord(tmp_path / "x.tfrecord", rows)
    with pytest.raises(InvalidInputError, match="several features with images: left, right; choose one: path::left"):
        opened(path)
    assert np.array_equal(pixstore.open(f"{path}::right")[0].image, foreign.pixels(7))
    with pytest.raises(InvalidInputError, match="has no feature 'middle'"):
        opened(path, inner="middle")


def test_numbers_texts_and_lists_are_columns_and_may_be_missing(tmp_path: Path) -> None:
    image = foreign.encoded(1)[0]
    rows = [
        {"image": image, "age": 2.5, "box": [1, -2, 3], "name": "a", "raw": b"\xff\1"},
        {"image": image, "box": [4, 5, 1 << 62], "name": "b", "late": 1},
    ]
    table = opened(foreign.write_tfrecord(tmp_path / "x.tfrecord", rows)).table
    assert table.drop_columns("key").to_pydict() == {
        "age": [2.5, None],
        "box": [[1, -2, 3], [4, 5, 1 << 62]],
        "name": ["a", "b"],
        "raw": [b"\xff\1", None],
        "late": [None, 1],
    }


def test_texts_alone_are_labels(tmp_path: Path) -> None:
    rows = [{"image": foreign.encoded(1)[0], "image/class/text": name} for name in ("dog", "cat", "dog")]
    source = opened(foreign.write_tfrecord(tmp_path / "x.tfrecord", rows))
    assert source.schema.classes == {"label": ("cat", "dog")} and source.table["label"].to_pylist() == [1, 0, 1]


def test_a_folder_of_shards_is_one_data_set(tmp_path: Path) -> None:
    rows = foreign.image_rows(5)
    (tmp_path / "d").mkdir()
    foreign.write_tfrecord(tmp_path / "d" / "train.tfrecord-00000-of-00002", rows[:2])
    foreign.write_tfrecord(tmp_path / "d" / "train.tfrecord-00001-of-00002", rows[2:])
    dataset = pixstore.open(tmp_path / "d")
    assert dataset.keys[2].as_py() == "train.tfrecord-00001-of-00002/00000000"
    assert dataset.encoded_many(slice(None)) == foreign.encoded(5)
    assert set(dataset.table["split"].to_pylist()) == {"train"}


def test_compressed_files_are_read_in_memory(tmp_path: Path) -> None:
    images = foreign.tfrecord(tmp_path / "x.tfrecord.gz", compressed=True)
    assert pixstore.open(tmp_path / "x.tfrecord.gz").encoded_many(slice(None)) == images


def test_wrongly_described_swapped_channels_are_set_right_by_their_order(tmp_path: Path) -> None:
    image = foreign.pixels(1)
    row = {"image_raw": image[..., ::-1].tobytes(), "height": 9, "width": 7, "depth": 3}
    path = foreign.write_tfrecord(tmp_path / "x.tfrecord", [row])
    dataset = pixstore.open(path, channel_order="bgr")
    assert np.array_equal(dataset[0].image, image) and dataset.schema.field("image").channel_order == "bgr"
    pixstore.convert(dataset, tmp_path / "s", durability="process")
    assert np.array_equal(pixstore.open(tmp_path / "s")[0].image, image)
    with pytest.raises(InvalidInputError, match="encoded images know their own"):
        opened(foreign.write_tfrecord(tmp_path / "y.tfrecord", foreign.image_rows(1)), channel_order="bgr")


def test_wrongly_described_a_missing_shard_is_named(tmp_path: Path) -> None:
    for number in (0, 1, 3):
        foreign.write_tfrecord(tmp_path / f"train-{number:05}-of-00004.tfrecord", foreign.image_rows(1))
    with pytest.raises(PathNotFoundError, match="00002"):
        opened(tmp_path)


def test_wrongly_described_sizes_that_lie_are_refused(tmp_path: Path) -> None:
    row = {"image_raw": bytes(60), "height": 4, "width": 5, "depth": 3}
    for lie in ({"height": 5}, {"width": -5, "height": -4}, {"depth": 0}, {"height": 1 << 62, "width": 1 << 62}):
        path = foreign.write_tfrecord(tmp_path / "x.tfrecord", [row, {**row, **lie}])
        with pytest.raises(CorruptStoreError, match="record 1: the image in 'image_raw' has 60 bytes"):
            opened(path)
        with pytest.raises(CorruptStoreError, match="record 0: the image in 'image_raw' has 60 bytes"):
            opened(foreign.write_tfrecord(tmp_path / "y.tfrecord", [{**row, **lie}]))


def test_wrongly_described_keys_twice_are_refused(tmp_path: Path) -> None:
    rows = [{**row, "key": "same"} for row in foreign.image_rows(2)]
    with pytest.raises(DuplicateKeyError, match="'same'"):
        opened(foreign.write_tfrecord(tmp_path / "x.tfrecord", rows))


def test_wrongly_described_class_names_that_contradict_labels_are_reported(tmp_path: Path) -> None:
    rows = [{**row, "image/class/text": name} for row, name in zip(foreign.image_rows(3), ("cat", "dog", "horse"), strict=True)]
    source = opened(foreign.write_tfrecord(tmp_path / "x.tfrecord", rows))
    assert source.schema.classes == {} and "does not name one class" in source.report.notes[0]
    assert source.table["image/class/text"].to_pylist() == ["cat", "dog", "horse"]


def test_wrongly_described_records_without_the_image_are_refused(tmp_path: Path) -> None:
    path = foreign.write_tfrecord(tmp_path / "x.tfrecord", [*foreign.image_rows(2), {"image/class/label": 1}])
    with pytest.raises(CorruptStoreError, match="record 2: has 0 values of feature 'image/encoded'"):
        opened(path)


def test_every_damaged_byte_is_found_when_the_file_is_opened(tmp_path: Path) -> None:
    foreign.tfrecord(tmp_path / "whole.tfrecord")
    whole = (tmp_path / "whole.tfrecord").read_bytes()
    for place in range(12, len(whole), 41):
        damaged = bytearray(whole)
        damaged[place] ^= 0x10
        (tmp_path / "x.tfrecord").write_bytes(damaged)
        with pytest.raises(PixstoreError, match=r"x\.tfrecord"):
            SOURCE.open(tmp_path / "x.tfrecord", SourceOptions())


def test_a_file_that_ends_early_is_refused_at_every_length(tmp_path: Path) -> None:
    foreign.tfrecord(tmp_path / "whole.tfrecord")
    whole = (tmp_path / "whole.tfrecord").read_bytes()
    ends = {int.from_bytes(whole[:8], "little") + 16}
    for length in {13, 20, 500, len(whole) - 1, len(whole) - 5} - ends:
        (tmp_path / "x.tfrecord").write_bytes(whole[:length])
        with pytest.raises(StoreTruncatedError, match=f"ends at byte {length}"):
            opened(tmp_path / "x.tfrecord")


def test_other_records_are_refused(tmp_path: Path) -> None:
    for number, record in enumerate((b"\x12\x00", b"not a message", b"\x08\x01")):
        path = tmp_path / f"{number}.tfrecord"
        path.write_bytes(foreign.frame(record))
        with pytest.raises((CorruptStoreError, InvalidInputError), match="record 0"):
            opened(path)


def test_a_data_set_without_records_is_refused(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "a.tfrecord").touch()
    with pytest.raises(InvalidInputError, match="holds no records"):
        opened(tmp_path / "d")
