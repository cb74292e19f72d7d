"""BasicSR's LMDB: the images decide about sizes, the list about keys and their order, and what it states wrongly is reported."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import pixstore
from pixstore.errors import CorruptRecordError, CorruptStoreError, DuplicateKeyError, LabelMismatchError, PixstoreError
from pixstore.source import SourceOptions
from pixstore.sources import lmdb_basicsr

sys.path.append(str(Path(__file__).parents[1]))
make = importlib.import_module("foreign_databases")


def test_images_come_in_the_order_of_the_list_under_their_keys(tmp_path: Path) -> None:
    make.basicsr(tmp_path / "a", 3)
    (tmp_path / "a" / "meta_info.txt").write_text("0002.png (12,10,3) 1\n0000.png (12,10,3) 1\n0001.png (12,10,3) 1\n")
    dataset = pixstore.open(tmp_path / "a")
    assert dataset.table["key"].to_pylist() == ["0002", "0000", "0001"]
    assert np.array_equal(dataset.read(slice(None))["image"], make.images(3)[[2, 0, 1]])
    assert dataset.schema.fields[0].shape == (12, 10, 3)
    assert lmdb_basicsr.SOURCE.open(tmp_path / "a", SourceOptions()).report.notes == []


@pytest.mark.parametrize("key", ["a/b.c", "a", "photo 1", "x.y.z"])
def test_keys_with_dots_folders_and_spaces_are_found(tmp_path: Path, key: str) -> None:
    make.write(tmp_path / "a", {key.encode(): make.encoded(make.images(1)[0])})
    (tmp_path / "a" / "meta_info.txt").write_text(f"{key}.png (12,10,3) 1\n")
    assert pixstore.open(tmp_path / "a").table["key"].to_pylist() == [key]


def test_wrongly_described_sizes_are_reported_and_the_image_decides(tmp_path: Path) -> None:
    make.basicsr(tmp_path / "a", 3)
    (tmp_path / "a" / "meta_info.txt").write_text("0000.png (12,10,3) 1\n0001.png (12,16,3) 1\n0002.png (12,10,1) 1\n")
    source = lmdb_basicsr.SOURCE.open(tmp_path / "a", SourceOptions())
    (note,) = source.report.notes
    assert "other sizes than 2 of 3 images have: 0001 (12, 16, 3) is (12, 10, 3); 0002 (12, 10, 1) is (12, 10, 3)" in note
    assert np.array_equal(pixstore.open(tmp_path / "a").read(slice(None))["image"], make.images(3))


def test_grey_images_without_channels_are_no_lie(tmp_path: Path) -> None:
    make.write(tmp_path / "a", {b"a": make.encoded(make.images(1)[0][..., 0])})
    for size in ("(12,10,1)", "(12, 10)"):
        (tmp_path / "a" / "meta_info.txt").write_text(f"a.png {size} 1\n")
        assert lmdb_basicsr.SOURCE.open(tmp_path / "a", SourceOptions()).report.notes == []


@pytest.mark.parametrize(
    ("lines", "error", "words"),
    [
        ("0000.png (12,10,3) 1\n", LabelMismatchError, r"keys without a line: 1 \('0001'\)"),
        ("0000.png (12,10,3) 1\n0001.png (12,10,3) 1\n0002.png (12,10,3) 1\n", LabelMismatchError, r"without a key: 1 \('0002.png'\)"),
        ("0000.png (12,10,3) 1\n0000.png (12,10,3) 1\n", DuplicateKeyError, "line 2: '0000.png' is there twice"),
        ("0000.png (12,10,3) 1\n0001.png 12x10\n", CorruptStoreError, "line 2: '0001.png 12x10'"),
    ],
)
def test_wrongly_described_keys_are_refused(tmp_path: Path, lines: str, error: type[PixstoreError], words: str) -> None:
    make.basicsr(tmp_path / "a", 2)
    (tmp_path / "a" / "meta_info.txt").write_text(lines)
    with pytest.raises(error, match=f"meta_info.txt.*{words}"):
        pixstore.open(tmp_path / "a")


def test_an_image_that_is_damaged_is_named_when_it_is_read(tmp_path: Path) -> None:
    make.basicsr(tmp_path / "a", 2)
    make.write(tmp_path / "a", {b"0001": b"\x89PNG\r\n\x1a\n" + b"no chunks" * 9})
    dataset = pixstore.open(tmp_path / "a")
    assert dataset["0000"].image.shape == (12, 10, 3)
    with pytest.raises(CorruptRecordError, match="'0001'"):
        dataset.read(slice(None))


def test_a_list_of_something_else_does_not_make_the_layout(tmp_path: Path) -> None:
    make.of_images(tmp_path / "a", 2)
    (tmp_path / "a" / "meta_info.txt").write_text("made on a sunday\n")
    assert not lmdb_basicsr.SOURCE.recognises(tmp_path / "a")


def test_real_databases_are_the_files_they_were_made_of_and_their_lies_are_reported(shared_data: Path) -> None:
    data = shared_data / "lmdb-foreign" / "basicsr-realesrgan" / "tests" / "data"
    for name, wrong in (("gt", 1), ("lq", 2)):
        source = lmdb_basicsr.SOURCE.open(data / f"{name}.lmdb", SourceOptions())
        assert f"other sizes than {wrong} of 2 images" in source.report.notes[0]
        dataset = pixstore.open(data / f"{name}.lmdb")
        for key in ("baboon", "comic"):
            assert np.array_equal(dataset[key].image, np.asarray(Image.open(data / name / f"{key}.png")))
