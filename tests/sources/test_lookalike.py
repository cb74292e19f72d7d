"""Whatever a path holds, the message says what it looks like."""

from __future__ import annotations

import gzip
import os
import pickle
import zipfile
from pathlib import Path

import lmdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixstore.sources.lookalike import describe, is_image


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "it is an empty file (0 bytes)"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "a Git LFS pointer instead of the file itself"),
        (b"\x89PNG\r\n\x1a\n", "a PNG image"),
        (b"\xff\xd8\xff\xe0", "a JPEG image"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "a WebP image"),
        (b"\x89HDF\r\n\x1a\n\0", "an HDF5 file"),
        (b"\0" * 257 + b"ustar\0", "a tar archive"),
        (gzip.compress(b"a"), "gzip-compressed"),
        (b"\x93NUMPY\x01\0", "a NumPy array file"),
        (b"PAR1", "a Parquet file"),
        (b"\0\0\x08\x03\0\0\0\x0a", "an IDX file of images"),
        (pickle.dumps([1]), "a Python pickle (protocol 4); it was not loaded"),
        (b"cos\nsystem\n(S'true'\ntR.", "a Python pickle; it was not loaded"),
        (b" <!DOCTYPE html><html>", "an HTML page"),
        (b"<?xml version='1.0'?><svg>", "an SVG drawing"),
        (bytes(100), "its first 100 bytes are zeros"),
        ("höllö wörld, thiß is text of sömë length".encode(), "text that starts with 'höllö wörld, thiß is'"),
        (b"cat, dog\nand\nother: lines\n", "text that starts with 'cat, dog\\nand\\nother: '"),
        (b"\x7fELF\x02\x01\x01\0", "starts with the bytes 7f 45 4c 46 02 01 01 00"),
    ],
)
def test_a_file_is_described_by_its_first_bytes(tmp_path: Path, content: bytes, expected: str) -> None:
    (tmp_path / "file").write_bytes(content)
    assert expected in describe(tmp_path / "file")


def test_zip_archives_and_tfrecords_are_named(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a", "b")
    (tmp_path / "a.tfrecord").write_bytes(b"\x01\0\0\0\x02")
    assert "a zip archive" in describe(tmp_path / "a.zip")
    assert "a TFRecord file" in describe(tmp_path / "a.tfrecord")


def test_folders_are_described_by_what_they_hold(tmp_path: Path) -> None:
    assert describe(tmp_path) == "it is an empty folder"
    (tmp_path / "a.tar").touch()
    assert describe(tmp_path).endswith("it holds 'a.tar'")
    for number in range(9):
        (tmp_path / f"{number}.TXT").touch()
    (tmp_path / "inner").mkdir()
    assert describe(tmp_path).endswith("it holds 1 × .tar, 1 × folder, 9 × .txt")


def test_an_lmdb_folder_is_known_by_its_data_file(tmp_path: Path) -> None:
    with lmdb.open(str(tmp_path), map_size=1 << 20):
        assert describe(tmp_path).startswith("its data.mdb: it looks like an LMDB environment whose values are neither images nor arrays")


def test_what_is_no_file_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "link").symlink_to("nowhere")
    assert "not a regular file" in describe(tmp_path / "fifo")
    assert describe(tmp_path / "link") == "it is a broken link"
    assert "does not exist" in describe(tmp_path / "absent")
    assert "does not exist" in describe(Path("a\0b"))


@given(st.binary(max_size=600))
def test_any_bytes_are_described_in_text(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any"
    path.write_bytes(content)
    assert describe(path).startswith("it")
    describe(path).encode("utf-8")
    assert isinstance(is_image(content), bool)


def test_pointers_of_others_are_described(shared_data: Path) -> None:
    files = [path for path in (shared_data / "badinput-lfs-pointers").rglob("*") if path.is_file() and path.name != "README.source.txt"]
    assert len(files) == 15
    assert all("git lfs pull" in describe(path) for path in files)
