"""Arrow with images: streams and files in place, Feather by batches, save_to_disk folders, and descriptions that lie."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import feather

import foreign_tables as foreign
import pixstore
from pixstore import registry
from pixstore.errors import (
    CorruptStoreError,
    DuplicateKeyError,
    InvalidInputError,
    LabelMismatchError,
    PathNotFoundError,
    PixstoreError,
    StoreTruncatedError,
    UnsafeInputError,
)
from pixstore.rows import Extents
from pixstore.source import Source, SourceOptions
from pixstore.sources.arrow import SOURCE


def opened(path: Path, **options: Any) -> Source:
    return registry.open_source(path, SourceOptions(**options))


def stream(path: Path, table: pa.Table, **options: Any) -> Path:
    with pa.ipc.new_stream(path, table.schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
        writer.write_table(table)
    return path


def saved(path: Path, count: int = 5, **options: Any) -> list[bytes]:
    """Write a folder as `datasets` does, with `datasets`; return its images."""
    datasets = pytest.importorskip("datasets")
    datasets.disable_progress_bars()
    images = foreign.encoded(count)
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=["cat", "dog"])})
    rows = {"image": images, "label": [number % 2 for number in range(count)]}
    datasets.Dataset.from_dict(rows, features=features).save_to_disk(path, **options)
    return images


@pytest.mark.parametrize("compression", ["uncompressed", "lz4", "zstd"])
def test_feather_is_read_in_place_or_by_batch(tmp_path: Path, compression: str) -> None:
    images = foreign.encoded(9)
    feather.write_feather(
        foreign.table(images, name=[f"n{n}" for n in range(9)]), tmp_path / "a.feather", compression=compression, chunksize=4
    )
    source = opened(tmp_path / "a.feather")
    assert (source.locate("image", np.arange(9)) is not None) == (compression == "uncompressed")
    dataset = pixstore.open(tmp_path / "a.feather")
    assert dataset.encoded_many([8, 0, 3]) == [images[8], images[0], images[3]]
    assert dataset.table["name"].to_pylist() == [f"n{n}" for n in range(9)]


def test_a_folder_of_save_to_disk_is_read_in_place(tmp_path: Path) -> None:
    images = saved(tmp_path / "d", num_shards=2)
    dataset = pixstore.open(tmp_path / "d")
    assert dataset.classes == ("cat", "dog") and dataset.table["label"].to_pylist() == [0, 1, 0, 1, 0]
    assert dataset.encoded_many(slice(None)) == images
    located = opened(tmp_path / "d").locate("image", np.arange(5))
    assert located is not None and isinstance(located.place, Extents) and len(located.place.paths) == 2
    assert dataset.keys[4].as_py() == "data-00001-of-00002/00000001"


def test_a_dictionary_of_splits_has_a_column_of_them(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    datasets.disable_progress_bars()
    made = datasets.Dataset.from_dict({"image": foreign.encoded(2)}, features=datasets.Features({"image": datasets.Image()}))
    datasets.DatasetDict({"train": made, "mine": made}).save_to_disk(tmp_path / "d")
    dataset = pixstore.open(tmp_path / "d")
    assert dataset.table["split"].to_pylist() == ["train", "train", "mine", "mine"]


def test_large_binary_and_views_of_binary_are_images_too(tmp_path: Path) -> None:
    images = foreign.encoded(3)
    for number, kind in enumerate((pa.large_binary(), pa.binary_view())):
        path = tmp_path / f"{number}.arrow"
        table = pa.table({"photo": pa.array(images, kind)})
        with pa.ipc.new_file(path, table.schema) as writer:
            writer.write_table(table)
        assert pixstore.open(path).encoded_many([2, 0]) == [images[2], images[0]]


def test_a_sample_without_an_image_is_absent_in_that_field(tmp_path: Path) -> None:
    images = foreign.encoded(3)
    table = pa.table({"image": foreign.image_structs(images), "mask": foreign.image_structs([None, *images[1:]])})
    for compression in ("uncompressed", "lz4"):
        feather.write_feather(table, tmp_path / compression, compression=compression)
        dataset = pixstore.open(tmp_path / compression)
        assert dataset.absent("mask", [1, 0]).tolist() == [1]
        assert dataset.encoded_many([1, 2], field="mask") == images[1:]


def test_a_compressed_stream_is_refused_with_what_to_do(tmp_path: Path) -> None:
    path = stream(tmp_path / "x.arrow", foreign.table(foreign.encoded(4)), compression="zstd")
    with pytest.raises(InvalidInputError, match="write it as an Arrow file, or uncompressed"):
        opened(path)


def test_columns_are_not_kept_in_the_mapped_file(tmp_path: Path) -> None:
    source = opened(stream(tmp_path / "x.arrow", foreign.table(foreign.encoded(2), name=["a", "b"])))
    (tmp_path / "x.arrow").write_bytes(b"")
    assert source.table["name"].to_pylist() == ["a", "b"]


def test_images_named_by_path_alone_are_refused(tmp_path: Path) -> None:
    path = stream(tmp_path / "x.arrow", foreign.table([None, None], paths=["a.png", "b.png"]))
    with pytest.raises(InvalidInputError, match=r"by path and do not hold it, the first is 'a\.png'; open the folder of images instead"):
        opened(path)
    with pytest.raises(InvalidInputError, match="does not hold them"):
        opened(stream(tmp_path / "y.arrow", foreign.table([None, None])))


def test_wrongly_described_rows_that_lost_their_image_are_refused(tmp_path: Path) -> None:
    table = foreign.table([*foreign.encoded(1), None], paths=["a.png", "b.png"])
    with pytest.raises(
        InvalidInputError, match=r"1 rows of column 'image' name an image by path and do not hold it, the first is 'b\.png'"
    ):
        opened(stream(tmp_path / "x.arrow", table))


def test_wrongly_described_a_missing_shard_is_named(tmp_path: Path) -> None:
    saved(tmp_path / "d", num_shards=3)
    (tmp_path / "d" / "data-00001-of-00003.arrow").unlink()
    with pytest.raises(PathNotFoundError, match=r"1 of 3 files that state\.json names are missing: data-00001-of-00003\.arrow"):
        opened(tmp_path / "d")


def test_wrongly_described_a_state_that_names_a_file_elsewhere_is_refused(tmp_path: Path) -> None:
    saved(tmp_path / "d")
    for name in ("../other.arrow", "/etc/passwd", ".."):
        (tmp_path / "d" / "state.json").write_text(json.dumps({"_data_files": [{"filename": name}]}))
        with pytest.raises(UnsafeInputError, match="no plain name"):
            opened(tmp_path / "d")


def test_wrongly_described_a_count_that_is_off_by_one_is_reported(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    made = datasets.Dataset.from_dict({"image": foreign.encoded(2)}, features=datasets.Features({"image": datasets.Image()}))
    datasets.disable_progress_bars()
    datasets.DatasetDict({"train": made}).save_to_disk(tmp_path / "d")
    info = tmp_path / "d" / "train" / "dataset_info.json"
    info.write_text(json.dumps({**json.loads(info.read_text()), "splits": {"train": {"num_examples": 3}}}))
    assert "states 3 examples, and 2 are there" in opened(tmp_path / "d").report.notes[0]


def test_wrongly_described_a_stream_that_lost_its_end_is_refused(tmp_path: Path) -> None:
    path = stream(tmp_path / "x.arrow", foreign.table(foreign.encoded(4)))
    whole = path.read_bytes()
    path.write_bytes(whole[:-8])
    with pytest.raises(StoreTruncatedError, match="without its end mark"):
        opened(path)
    path.write_bytes(whole + whole)
    with pytest.raises(CorruptStoreError, match="bytes follow the end of the stream"):
        opened(path)


def test_wrongly_described_labels_and_keys_are_refused(tmp_path: Path) -> None:
    images = foreign.encoded(3)
    with pytest.raises(LabelMismatchError, match="row 1 has label 1"):
        opened(stream(tmp_path / "a.arrow", foreign.described(foreign.table(images), names=["cat"])))
    with pytest.raises(DuplicateKeyError, match="'x'"):
        opened(stream(tmp_path / "b.arrow", foreign.table(images, key=["x", "x", "y"])))


def test_any_damage_is_an_error_of_ours(tmp_path: Path) -> None:
    whole = stream(tmp_path / "whole.arrow", foreign.table(foreign.encoded(3), name=["a", "b", "c"])).read_bytes()
    random = np.random.default_rng(0)
    for number in range(100):
        damaged = bytearray(whole)
        damaged[int(random.integers(8, 1400 if number % 2 else len(whole)))] ^= int(random.integers(1, 256))
        path = tmp_path / f"{number}.arrow"
        path.write_bytes(damaged)
        try:
            source = opened(path)
            located = source.locate("image", np.arange(len(source)))
        except PixstoreError as error:
            assert path.name in str(error)
            continue
        assert located is not None and isinstance(located.place, Extents)
        assert (located.place.offset >= 0).all() and (located.place.offset + located.place.length <= len(whole)).all()


def test_other_files_are_not_recognised(tmp_path: Path) -> None:
    (tmp_path / "x.arrow").write_bytes(b"\xff\xff\xff\xff\x03\0\0\0")
    assert not SOURCE.recognises(tmp_path / "x.arrow")
