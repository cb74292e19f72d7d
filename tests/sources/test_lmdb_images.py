"""Any LMDB of encoded images opens with its keys as text; counts are held against it, and what is no image is named when it is read."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

import pixstore
from pixstore.errors import CorruptRecordError, InvalidInputError, KeyInvalidError, LabelMismatchError, NotAStoreError
from pixstore.source import SourceOptions
from pixstore.sources import lmdb_images

sys.path.append(str(Path(__file__).parents[1]))
make = importlib.import_module("foreign_databases")

PNG = make.encoded(make.images(1)[0])


def test_keys_are_text_and_images_are_theirs(tmp_path: Path) -> None:
    files = make.of_images(tmp_path / "a", 5)
    dataset = pixstore.open(tmp_path / "a")
    assert dataset.table["key"].to_pylist() == [f"photos/{number:02}.jpg" for number in range(5)]
    assert [bytes(each) for each in dataset.encoded_many(slice(None))] == files


def test_a_file_without_a_folder_opens(tmp_path: Path) -> None:
    make.write(tmp_path / "cats.lmdb", {"große/katze".encode(): PNG, b"\xff\x01": PNG}, subdir=False)
    assert pixstore.open(tmp_path / "cats.lmdb").table["key"].to_pylist() == ["große/katze", "\\xff\x01"]


def test_wrongly_described_folders_of_images_with_an_lmdb_in_them_are_not_guessed(tmp_path: Path) -> None:
    path = make.write(tmp_path / "a", {b"one": make.encoded(make.images(1)[0])})
    (path / "cat").mkdir()
    (path / "cat" / "0.png").write_bytes(make.encoded(make.images(1)[0]))
    with pytest.raises(InvalidInputError, match=r"holds an LMDB \(data.mdb\) and images; open .*data.mdb for the LMDB"):
        pixstore.open(path)
    assert pixstore.open(path / "data.mdb").table["key"].to_pylist() == ["one"]


def test_keys_that_escape_to_the_same_text_are_refused(tmp_path: Path) -> None:
    make.write(tmp_path / "a", {b"\xff": PNG, b"\\xff": PNG})
    with pytest.raises(KeyInvalidError, match=r"data\.mdb"):
        pixstore.open(tmp_path / "a")


def test_a_count_is_no_image_and_has_to_be_right(tmp_path: Path) -> None:
    make.write(tmp_path / "a", {b"__len__": b"2", b"a": PNG, b"b": PNG})
    assert len(pixstore.open(tmp_path / "a")) == 2
    make.write(tmp_path / "a", {b"c": PNG})
    with pytest.raises(LabelMismatchError, match="'__len__': states 2 images, there are 3"):
        pixstore.open(tmp_path / "a")


def test_wrongly_described_values_that_are_no_images_are_named_when_read(tmp_path: Path) -> None:
    make.write(tmp_path / "a", {b"a": PNG, b"b": b"some words about it"})
    dataset = pixstore.open(tmp_path / "a")
    with pytest.raises(CorruptRecordError, match=r"'b' \(row 1\) in .*data\.mdb"):
        dataset.read(slice(None))


def test_wrongly_described_labels_under_keys_of_their_own_are_no_samples(tmp_path: Path) -> None:
    pairs = {f"img{number}".encode(): PNG for number in range(5)} | {f"lbl{number}".encode(): b"%d" % number for number in range(5)}
    make.write(tmp_path / "a", pairs)
    with pytest.raises(LabelMismatchError, match=r"5 of 10 values looked at are no images: 5 \('lbl0'.*image_N and label_N"):
        pixstore.open(tmp_path / "a")


def test_meta_files_that_are_not_read_are_told(tmp_path: Path) -> None:
    make.of_images(tmp_path / "a", 2)
    (tmp_path / "a" / "meta_info.pkl").write_bytes(b"anything")
    assert lmdb_images.SOURCE.open(tmp_path / "a", SourceOptions()).report.notes == ["meta_info.pkl lies beside data.mdb and was not read"]


def test_an_order_of_channels_is_for_arrays(tmp_path: Path) -> None:
    make.of_images(tmp_path / "a", 2)
    with pytest.raises(InvalidInputError, match=r"does not take channel_order 'bgr'.*encoded images know their own"):
        pixstore.open(tmp_path / "a", channel_order="bgr")


def test_an_environment_of_other_things_or_of_nothing_is_told(tmp_path: Path) -> None:
    make.write(tmp_path / "words", {b"a": b"some words"})
    make.write(tmp_path / "empty", {})
    for name in ("words", "empty"):
        with pytest.raises(NotAStoreError, match="LMDB environment"):
            pixstore.open(tmp_path / name)
