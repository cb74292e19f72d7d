"""Only regular files are opened, and none is read beyond its limit."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pixstore.errors import LimitExceededError, MissingRecordError, PathNotFoundError, ReadFailedError, UnsafeInputError
from pixstore.sources.foreign_file import is_regular, open_regular, read_head, read_range, read_whole


def test_a_fifo_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    assert not is_regular(tmp_path / "fifo")
    assert read_head(tmp_path / "fifo", 10) == b""
    with pytest.raises(UnsafeInputError, match="fifo: is not a regular file"):
        open_regular(tmp_path / "fifo")


def test_a_folder_and_a_device_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path, Path("/dev/zero")):
        with pytest.raises(UnsafeInputError, match="not a regular file"):
            read_whole(path, max_bytes=10)


def test_a_missing_file_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(PathNotFoundError):
        read_whole(tmp_path / "absent", max_bytes=10)
    with pytest.raises(MissingRecordError):
        read_range(str(tmp_path / "absent"), 0, -1)


def test_a_file_beyond_the_limit_is_refused_before_it_is_read(tmp_path: Path) -> None:
    with open(tmp_path / "sparse", "wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(LimitExceededError, match="1099511627776 bytes"):
        read_whole(tmp_path / "sparse", max_bytes=1 << 20)
    with pytest.raises(LimitExceededError):
        read_range(str(tmp_path / "sparse"), 0, -1)


def test_ranges_and_whole_files_are_read(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"0123456789")
    path = str(tmp_path / "a")
    assert read_head(tmp_path / "a", 4) == b"0123"
    assert (read_range(path, 0, -1), read_range(path, 3, 4), read_range(path, 10, 0)) == (b"0123456789", b"3456", b"")
    with pytest.raises(MissingRecordError, match="the file ends at 10"):
        read_range(path, 8, 3)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_file_without_permission_is_named(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x")
    (tmp_path / "a").chmod(0)
    with pytest.raises(ReadFailedError, match="Permission denied"):
        read_whole(tmp_path / "a", max_bytes=10)
