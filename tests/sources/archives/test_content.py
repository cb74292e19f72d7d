"""An archive's bytes: from a file as from memory, fewer at the end only."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pixstore.errors import UnsafeInputError
from pixstore.sources.archives.content import FileContent, MemoryContent


def test_a_file_gives_what_memory_gives(tmp_path: Path) -> None:
    data = os.urandom(1000)
    (tmp_path / "a").write_bytes(data)
    file, memory = FileContent(tmp_path / "a"), MemoryContent(data)
    assert file.size == memory.size == 1000
    for offset, count in ((0, 10), (990, 20), (1000, 5), (500, 0)):
        assert file.read(offset, count) == memory.read(offset, count) == data[offset : offset + count]
    file.close()
    memory.close()


def test_a_file_that_shrinks_gives_fewer_bytes(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(bytes(1000))
    file = FileContent(tmp_path / "a")
    os.truncate(tmp_path / "a", 10)
    assert file.read(0, 1000) == bytes(10) and file.read(500, 10) == b""
    file.close()


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a")
    with pytest.raises(UnsafeInputError, match="not a regular file"):
        FileContent(tmp_path / "a")
