"""The bytes of an archive, read piece by piece from its file, or from memory where it was unpacked."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pixstore.sources.foreign_file import open_regular


class Content(Protocol):
    """The bytes of an archive."""

    @property
    def size(self) -> int: ...

    def read(self, offset: int, count: int) -> bytes:
        """Return up to `count` bytes, fewer at the end only."""
        ...

    def close(self) -> None: ...


class FileContent:
    """An archive that lies plainly in a file. It is read, not mapped: a file that shrinks meanwhile must not end this process."""

    def __init__(self, path: Path) -> None:
        self._descriptor = open_regular(path)
        self.size = os.fstat(self._descriptor).st_size

    def read(self, offset: int, count: int) -> bytes:
        return os.pread(self._descriptor, count, offset)

    def close(self) -> None:
        os.close(self._descriptor)


@dataclass
class MemoryContent:
    """An archive that was unpacked into memory."""

    data: bytes

    @property
    def size(self) -> int:
        return len(self.data)

    def read(self, offset: int, count: int) -> bytes:
        return self.data[offset : offset + count]

    def close(self) -> None:
        """Nothing is held."""
