from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixstore.engines import files as module
from pixstore.engines.files import ENGINE
from pixstore.errors import CorruptStoreError, MissingRecordError, ReadFailedError
from pixstore.schema import Field, Format, Schema
from pixstore.testing import EngineConformance, Shard, batch, packed_records


class TestConformance(EngineConformance):
    engine = ENGINE


def write(folder: Path) -> Shard:
    return TestConformance().write(folder, Schema(), [batch(0, image=packed_records([b"one", None, b"three"]))])


def read(shard: Shard, row: int) -> bytes:
    return bytes(ENGINE.open(shard.path, shard.schema).read("image", [row])[0])


def test_records_are_files_named_by_key_and_codec(tmp_path: Path) -> None:
    array = np.arange(24, dtype=np.uint16).reshape(2, 4, 3)
    png = io.BytesIO()
    Image.new("L", (3, 2), 9).save(png, "png")
    records = batch(
        7,
        image=packed_records([array.tobytes()], Format("raw", (2, 4, 3), "uint16")),
        mask=packed_records([png.getvalue()], Format("png", (2, 3), "uint8")),
        photo=packed_records([b"..."], Format("jpeg", None, None)),
        other=packed_records([b"..."], Format(None, None, None)),
    )
    schema = Schema((Field("image"), Field("mask"), Field("photo"), Field("other")))
    shard = TestConformance().write(tmp_path, schema, [records])
    assert sorted(str(path.relative_to(shard.path)) for path in shard.path.rglob("*") if path.is_file()) == [
        "image.names",
        "image/00000/00000007.npy",
        "mask.names",
        "mask/00000/00000007.png",
        "other.names",
        "other/00000/00000007.bin",
        "photo.names",
        "photo/00000/00000007.jpg",
    ]
    assert np.array_equal(np.load(shard.path / "image/00000/00000007.npy", allow_pickle=False), array)
    with Image.open(shard.path / "mask/00000/00000007.png") as image:
        assert image.size == (3, 2)
    assert (shard.path / "image.names").read_text() == "00000007.npy\n"


def test_a_folder_holds_ten_thousand_files_at_most(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert module.FILES_PER_FOLDER == 10_000
    monkeypatch.setattr(module, "FILES_PER_FOLDER", 10)
    records = [batch(first, image=packed_records([b"x"] * 7)) for first in range(0, 28, 7)]
    shard = TestConformance().write(tmp_path, Schema(), records)
    assert [len(list(folder.iterdir())) for folder in sorted((shard.path / "image").iterdir())] == [10, 10, 8]
    TestConformance().check(shard)


def test_the_same_key_again_gets_a_file_of_its_own(tmp_path: Path) -> None:
    shard = TestConformance().write(
        tmp_path, Schema(), [batch(0, image=packed_records([b"one"])), batch(0, image=packed_records([b"two"]))]
    )
    TestConformance().check(shard)


def test_a_link_in_place_of_a_record_is_not_followed(tmp_path: Path) -> None:
    shard = write(tmp_path)
    (tmp_path / "secret").write_bytes(b"secret")
    record = shard.path / "image/00000/00000000.png"
    record.unlink()
    record.symlink_to(tmp_path / "secret")
    with pytest.raises(ReadFailedError, match=r"00000000\.png"):
        read(shard, 0)


def test_a_link_in_place_of_a_folder_is_not_followed(tmp_path: Path) -> None:
    shard = write(tmp_path)
    folder = shard.path / "image/00000"
    folder.rename(tmp_path / "elsewhere")
    folder.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ReadFailedError):
        read(shard, 0)


def test_a_pipe_in_place_of_a_record_does_not_hang(tmp_path: Path) -> None:
    shard = write(tmp_path)
    record = shard.path / "image/00000/00000000.png"
    record.unlink()
    os.mkfifo(record)
    with pytest.raises(ReadFailedError, match="not a regular file"):
        read(shard, 0)


def test_a_file_that_is_gone_is_a_missing_record(tmp_path: Path) -> None:
    shard = write(tmp_path)
    (shard.path / "image/00000/00000002.png").unlink()
    assert read(shard, 0) == b"one"
    with pytest.raises(MissingRecordError, match=r"00000002\.png"):
        read(shard, 2)


@pytest.mark.parametrize("name", ["../../secret", "/etc/hostname", ".."])
def test_a_list_of_names_that_leads_out_is_refused(tmp_path: Path, name: str) -> None:
    shard = write(tmp_path)
    (shard.path / "image.names").write_text(f"{name}\n\n00000002.png\n")
    with pytest.raises(CorruptStoreError, match="leads out"):
        read(shard, 0)


def test_an_array_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    raw = Format("raw", (3,), "uint8")
    shard = TestConformance().write(tmp_path, Schema(), [batch(0, image=packed_records([b"abc"], raw))])
    (shard.path / "image/00000/00000000.npy").write_bytes(b"\x93NUMPY\x03\x00")
    with pytest.raises(ReadFailedError, match="version 1"):
        read(shard, 0)
