"""Archives are streamed: wanted regular members come as bytes, nothing reaches the disk, bombs and cuts are named."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import tarfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pixstore.errors import CorruptStoreError, LimitExceededError, PixstoreError, StoreTruncatedError
from pixstore.sources.archives.archive import first_names, has_tar_magic, read_members

MEMBERS = {"set/a": b"first" * 300, "set/b": b"", "set/readme": b"text", "set/c": bytes(range(256)) * 20}


def packed(members: dict[str, bytes] = MEMBERS, extra: tuple[tarfile.TarInfo, ...] = ()) -> bytes:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as archive:
        for info in extra:
            archive.addfile(info)
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return raw.getvalue()


def members_of(path: Path, limit: int = 1 << 20) -> dict[str, bytes]:
    return dict(read_members(path, lambda name: not name.endswith("readme"), max_member_bytes=limit))


@pytest.mark.parametrize("compress", [bytes, gzip.compress, lzma.compress, bz2.compress], ids=["tar", "gz", "xz", "bz2"])
def test_wanted_members_come_in_order_whatever_the_compression(tmp_path: Path, compress: object) -> None:
    assert callable(compress)
    (tmp_path / "a").write_bytes(compress(packed()))
    found = members_of(tmp_path / "a")
    assert list(found.items()) == [(name, content) for name, content in MEMBERS.items() if name != "set/readme"]
    assert has_tar_magic((tmp_path / "a").read_bytes()[:512])
    assert first_names(tmp_path / "a", max_names=2) == ["set/a", "set/b"]
    assert [each.name for each in tmp_path.iterdir()] == ["a"]


def special(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def test_links_devices_and_folders_are_passed_over(tmp_path: Path) -> None:
    extra = (
        special("set", tarfile.DIRTYPE),
        special("link", tarfile.SYMTYPE, "/etc/passwd"),
        special("hard", tarfile.LNKTYPE, "../../etc/passwd"),
        special("device", tarfile.CHRTYPE),
        special("fifo", tarfile.FIFOTYPE),
    )
    (tmp_path / "a").write_bytes(packed({"../../up": b"1", "/root": b"2"}, extra))
    assert members_of(tmp_path / "a") == {"../../up": b"1", "/root": b"2"}
    assert [each.name for each in tmp_path.iterdir()] == ["a"]


def test_a_member_beyond_the_limit_is_refused_by_its_header(tmp_path: Path) -> None:
    info = tarfile.TarInfo("huge")
    info.size = 8 << 60
    (tmp_path / "a").write_bytes(info.tobuf(tarfile.GNU_FORMAT) + bytes(1024))
    with pytest.raises(LimitExceededError, match="'huge' has 9223372036854775808 bytes"):
        members_of(tmp_path / "a")


def test_a_negative_size_is_damage(tmp_path: Path) -> None:
    info = tarfile.TarInfo("a")
    info.size = -512
    (tmp_path / "a").write_bytes(info.tobuf(tarfile.GNU_FORMAT) + bytes(1024))
    with pytest.raises(CorruptStoreError, match="negative size"):
        members_of(tmp_path / "a")


@pytest.mark.parametrize("compress", [gzip.compress, lzma.compress], ids=["gz", "xz"])
def test_a_bomb_is_stopped_far_below_what_it_unpacks_to(tmp_path: Path, compress: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pixstore.sources.archives.archive.FREE_BYTES", 1 << 20)
    assert callable(compress)
    (tmp_path / "a").write_bytes(compress(packed({"readme": bytes(40 << 20)})))
    with pytest.raises(LimitExceededError, match="unpacks to more than"):
        members_of(tmp_path / "a")


@pytest.mark.parametrize("compress", [bytes, gzip.compress, lzma.compress], ids=["tar", "gz", "xz"])
def test_an_archive_that_was_cut_says_so(tmp_path: Path, compress: object) -> None:
    assert callable(compress)
    whole = compress(packed({"a": os.urandom(50_000)}))
    (tmp_path / "a").write_bytes(whole[:20_000])
    with pytest.raises(StoreTruncatedError, match="get it again"):
        members_of(tmp_path / "a")


@pytest.mark.parametrize("content", [b"no archive at all" * 100, gzip.compress(b"text" * 500), b"\xfd7zXZ\0nonsense"])
def test_what_is_no_archive_is_said_to_be_damaged(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a").write_bytes(content)
    assert first_names(tmp_path / "a") == []
    with pytest.raises(CorruptStoreError, match=str(tmp_path / "a")):
        members_of(tmp_path / "a")


@settings(max_examples=200)
@given(st.sampled_from([packed(), gzip.compress(packed()), lzma.compress(packed())]), st.integers(0, 10_000), st.integers(0, 255))
def test_a_flipped_byte_is_other_data_or_one_of_our_errors(
    tmp_path_factory: pytest.TempPathFactory, sample: bytes, place: int, byte: int
) -> None:
    content = bytearray(sample)
    content[place % len(content)] = byte
    path = tmp_path_factory.getbasetemp() / "flipped"
    path.write_bytes(content)
    first_names(path)
    try:
        members_of(path)
    except PixstoreError as error:
        assert str(path) in str(error)
